#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerIndexing(ReferenceTable &table) {}
