//===- Schedule.cpp - Tiles, scratch and work of a kernel -----------------===//

#include "codegen/kernel/Kernel.h"

using namespace mlir;
using namespace optc;

static DimExpr loopTiles(KernelOp kernel) {
  Dims dims = dimsOf(kernel.getResult(0));
  if (dims.empty())
    return 1;
  if (dims.size() == 1)
    return DimExpr::ceildiv(dims[0], kLoopChunk);
  return numElements(ArrayRef<DimExpr>(dims).drop_back());
}

KernelSchedule optc::scheduleOf(KernelOp kernel) {
  KernelSchedule schedule;
  schedule.tiles = loopTiles(kernel);
  return schedule;
}
