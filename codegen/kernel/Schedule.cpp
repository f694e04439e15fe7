//===- Schedule.cpp - Tiles, scratch and work of a kernel -----------------===//

#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/Kernel.h"
#include "codegen/kernel/Rows.h"

using namespace mlir;
using namespace optc;

static KernelSchedule scheduleLoops(KernelOp kernel) {
  KernelSchedule schedule;
  Dims dims = dimsOf(kernel.getResult(0));
  if (dims.size() == 1)
    schedule.tiles = DimExpr::ceildiv(dims[0], kLoopChunk);
  else if (dims.size() > 1)
    schedule.tiles = numElements(ArrayRef<DimExpr>(dims).drop_back());
  return schedule;
}

KernelSchedule optc::scheduleOf(KernelOp kernel) {
  if (kernel.getKind() == "matmul" || kernel.getKind() == "conv")
    return scheduleContraction(kernel);
  if (kernel.getKind() == "rows")
    return scheduleRows(kernel);
  return scheduleLoops(kernel);
}
