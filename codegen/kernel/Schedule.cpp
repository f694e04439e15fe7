//===- Schedule.cpp - Tiles, scratch and work of a kernel -----------------===//

#include "codegen/kernel/Kernel.h"

using namespace mlir;
using namespace optc;

KernelSchedule optc::scheduleOf(KernelOp kernel) {
  KernelSchedule schedule;
  return schedule;
}
