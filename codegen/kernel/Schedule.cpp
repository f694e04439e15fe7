//===- Schedule.cpp - Tiles, scratch and work of a kernel -----------------===//

#include "codegen/kernel/Attention.h"
#include "codegen/kernel/ByteDepthwise.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/Kernel.h"
#include "codegen/kernel/Recurrent.h"
#include "codegen/kernel/Rows.h"
#include "codegen/kernel/TransposeLoop.h"
#include "codegen/kernel/Winograd.h"

using namespace mlir;
using namespace optc;

static KernelSchedule scheduleLoops(KernelOp kernel) {
  KernelSchedule schedule;
  if (auto loop = readTransposeLoop(kernel)) {
    schedule.tiles = loop->tiles();
    return schedule;
  }
  Dims dims = dimsOf(kernel.getResult(0));
  if (dims.size() == 1)
    schedule.tiles = DimExpr::ceildiv(dims[0], kLoopChunk);
  else if (dims.size() > 1)
    schedule.tiles = numElements(ArrayRef<DimExpr>(dims).drop_back());
  return schedule;
}

/// A tile is an output row of an image.
static KernelSchedule scheduleDepthwise(KernelOp kernel) {
  if (auto bytes = readByteDepthwise(kernel))
    return scheduleByteDepthwise(*bytes);
  KernelSchedule schedule;
  for (Operation &op : kernel.getBody().front())
    if (auto conv = dyn_cast<ConvOp>(op)) {
      Dims y = dimsOf(conv.getY()), w = dimsOf(conv.getW());
      schedule.tiles = y.size() == 4 ? y[0] * y[1] : y[0];
      schedule.flops = DimExpr(2) * numElements(y) * numElements(ArrayRef<DimExpr>(w).drop_back(2));
    }
  return schedule;
}

std::optional<unsigned> optc::inPlaceOperand(KernelOp kernel, unsigned result) {
  auto list = kernel->getAttrOfType<DenseI64ArrayAttr>(kInPlace);
  if (!list || result >= size_t(list.size()) || list[result] < 0 || list[result] >= int64_t(kernel.getNumOperands()))
    return std::nullopt;
  return unsigned(list[result]);
}

KernelSchedule optc::scheduleOf(KernelOp kernel) {
  if (kernel.getKind() == "matmul" || kernel.getKind() == "conv")
    return scheduleContraction(kernel);
  if (kernel.getKind() == "winograd")
    return scheduleWinograd(kernel);
  if (kernel.getKind() == "depthwise")
    return scheduleDepthwise(kernel);
  if (kernel.getKind() == "rows")
    return scheduleRows(kernel);
  if (kernel.getKind() == "attention")
    return scheduleAttention(kernel);
  if (kernel.getKind() == "recurrent")
    return scheduleRecurrent(kernel);
  return scheduleLoops(kernel);
}
