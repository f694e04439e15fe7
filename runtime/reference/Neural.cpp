#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerNeural(ReferenceTable &table) {}
