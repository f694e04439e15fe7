#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerStrings(ReferenceTable &table) {}
