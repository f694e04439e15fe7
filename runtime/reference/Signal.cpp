#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerSignal(ReferenceTable &table) {}
