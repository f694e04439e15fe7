#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerSorting(ReferenceTable &table) {}
