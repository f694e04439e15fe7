#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerWindows(ReferenceTable &table) {}
