#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerReductions(ReferenceTable &table) {}
