#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerTrees(ReferenceTable &table) {}
