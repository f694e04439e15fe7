#include "runtime/reference/Reference.h"
using namespace optc;
void optc::registerContractions(ReferenceTable &table) {}
