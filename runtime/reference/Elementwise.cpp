#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerElementwise(ReferenceTable &table) {}
