#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerResampling(ReferenceTable &table) {}
