//===- ProductEpilogue.cpp - What products of a device share --------------===//

#include "codegen/gpu/ProductEpilogue.h"
#include "codegen/gpu/CudaExpression.h"
#include "codegen/kernel/TensorEmitter.h"

using namespace mlir;
using namespace optc;

std::pair<int64_t, int64_t> optc::onPlane(ArrayRef<int64_t> list, int64_t otherwise) {
  return {list.size() == 2 ? list[0] : otherwise, list.back()};
}

bool optc::isMultiple(const DimExpr &d, int64_t of) { return d.constant() && *d.constant() % of == 0; }

int64_t optc::dividingLanes(const DimExpr &d, int64_t most) {
  while (most > 1 && !isMultiple(d, most))
    most /= 2;
  return most;
}

std::string optc::multiplied(const ContractionKernel &c) {
  Type element = memoryType(elementOf(c.lhs));
  return c.isTf32() ? "tf32" : isE4M3(c) ? "f8" : element.isInteger(8) ? "u8" : cudaType(element);
}

ProductTiling optc::chooseTiling(DeviceFunction &f, const ContractionKernel &c, const GpuTarget &target, const ProductSize &size, ArrayRef<ProductTile> tiles) {
  SmallVector<ProductTiling> all = rankTilings(size, tiles);
  if (target.isPortable)
    return all.front();
  // Positions of two of four cannot be made up.
  if ((size.batch * size.rows * size.columns * size.steps).constant() && !c.positions)
    for (const ProductTiling &tiling : all)
      f.tilings.push_back(tiling.numbers());
  ArrayRef<int64_t> measured = tilingOf(f.kernel, target.name);
  auto found = llvm::find_if(all, [&](const ProductTiling &tiling) { return ArrayRef<int64_t>(tiling.numbers()) == measured; });
  return found == all.end() ? all.front() : *found;
}

void optc::useTiling(DeviceFunction &f, const GpuTarget &target, const ProductSize &size, const ProductTiling &tiling, bool takesTurns) {
  if (!f.blocksPerMultiprocessor && tiling.tile.resident > 1)
    f.blocksPerMultiprocessor = tiling.tile.resident;
  f.items = tiling.tile.count(size);
  if (takesTurns && size.isCutAtLaunch()) {
    int64_t units = (target.hasWgmma() ? kMultiprocessors : kMostMultiprocessors) * tiling.tile.resident;
    f.isPersistent = true; // steps of two tiles a unit are numbers of 32 bits, whatever fits into memory
    f.items = DimExpr::min(f.items, 1) * DimExpr(units); // none where there is nothing to compute
    f.splitProduct(unitBytes({tiling.tile, units, units - 1}), 2 * units * 8, "StreamAny{workspace, counters}");
    return;
  }
  if (!tiling.units)
    return;
  f.items = tiling.units;
  f.splitProduct(unitBytes(tiling), tiling.streamed * 8, "StreamK{workspace, counters, " + std::to_string(tiling.units) + ", " + std::to_string(tiling.streamed) + "}");
}

int64_t optc::epilogueLanes(KernelOp kernel, const ContractionKernel &c, int64_t most) {
  int64_t bytes = 1;
  auto widen = [&](Type type) {
    bytes = std::max<int64_t>(
        bytes, memoryType(cast<RankedTensorType>(type).getElementType()).getIntOrFloatBitWidth() / 8);
  };
  for (auto [i, type] : llvm::enumerate(kernel.getOperandTypes()))
    if (i != c.lhs.getArgNumber() && (!c.rhs || i != c.rhs.getArgNumber()))
      widen(type);
  llvm::for_each(kernel.getResultTypes(), widen);
  return dividingLanes(c.n, std::min<int64_t>(most, std::max<int64_t>(1, 16 / bytes)));
}

void optc::emitProductEpilogue(DeviceFunction &f, const ContractionKernel &c, int64_t lanes) {
  Type sums = hasOwnSums(c) ? registerType(elementOf(c.lhs)) : c.narrow ? Type(f.b.getI32Type()) : Type(f.b.getF32Type());
  DeviceFunction &e = f.beginEpilogue(withLanes(sums, lanes));
  TensorEmitter emitter(e);
  auto arguments = e.function.getArguments().take_back(4);
  Value sum = arguments[3];
  emitter.setAligned(arguments[2]);
  emitter.define(c.product, [sum](const LaneIndices &, int64_t, Value) { return sum; });
  LaneIndices index;
  if (c.batched)
    index.push_back({arguments[0], 0});
  index.push_back({arguments[1], 0});
  index.push_back({arguments[2], lanes > 1});
  emitter.storeResults(index, lanes);
  e.finish();
}

bool optc::isE4M3(const ContractionKernel &c) { return isa<Float8E4M3FNType>(elementOf(c.lhs)); }

bool optc::hasOwnSums(const ContractionKernel &c) {
  Type element = elementOf(c.lhs);
  return element.isF64() || element.isInteger(32) || element.isInteger(64);
}
