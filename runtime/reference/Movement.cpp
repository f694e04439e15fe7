#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerMovement(ReferenceTable &table) {}
