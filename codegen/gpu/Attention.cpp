//===- Attention.cpp - Attention on a device ------------------------------===//
//
// Calls the tile library's attention. Heads that are strides into what the projections wrote are strides of
// the maps that copy them; the epilogue writes through the result's:
//
//   AttentionSm90<bf16, 64, true>::run<8>(&map0, &map1, &map2, NoMask(), {batch, heads, groups, queries,
//   keys,
//                                         keys - queries, scale}, epilogue, launch_memory());
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Attention.h"
#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/Generators.h"

using namespace mlir;
using namespace optc;

namespace {

/// Known to be one, whatever its symbols are.
bool isMultiple(const DimExpr &d, int64_t of) { return DimExpr::ceildiv(d, of) * DimExpr(of) == d; }

/// 16-byte pieces of rows are 16-byte pieces of memory.
bool fitsMap(const StridedView &view) {
  return isMultiple(view.offset, 8) &&
         llvm::all_of(ArrayRef(view.strides).drop_back(), [](const DimExpr &d) { return isMultiple(d, 8); });
}

DeviceTensorMap mapOf(const StridedView &view, Dims dims) {
  DeviceTensorMap map;
  auto operand = cast<BlockArgument>(view.base);
  map.operand = operand.getArgNumber();
  map.element = elementOf(operand);
  map.offset = view.offset;
  for (size_t d = dims.size(); d-- > 0;) {
    map.sizes.push_back(dims[d]);
    if (d + 1 < dims.size())
      map.strides.push_back(view.strides[d]);
  }
  map.box = {64, 128, 1, 1};
  return map;
}

/// What is added to the scores, as the tile library takes it; nullopt: strides are not known.
std::optional<std::string> maskOf(const AttentionKernel &a, DeviceFunction &f) {
  if (!a.mask)
    return "NoMask()";
  Dims dims = dimsOf(a.mask.getType());
  SmallVector<DimExpr> dense = denseStrides(dims);
  std::string strides;
  for (auto [size, stride] : llvm::zip(dims, dense)) {
    if (!size.isConstant() || !stride.isConstant())
      return std::nullopt;
    strides += (strides.empty() ? "" : ", ") + std::to_string(size == DimExpr(1) ? 0 : *stride.constant());
  }
  return "AddedMask<" + cudaType(memoryType(elementOf(a.mask))) + ">{" +
         f.parameters[a.mask.getArgNumber()].name + ", {" + strides + "}}";
}

/// Stores columns of a row of a head, through the result's strides.
void emitEpilogue(DeviceFunction &f, AttentionKernel &a, int64_t lanes) {
  DeviceFunction &e = f.beginEpilogue(withLanes(f.b.getF32Type(), lanes));
  auto arguments = e.function.getArguments().take_back(4);
  Value place = arguments[0], heads = e.size(a.heads), offset = arguments[2];
  const Value at[] = {e.divide(place, heads), e.modulo(place, heads), arguments[1]};
  for (auto [i, stride] : llvm::zip(at, a.y.strides))
    offset = e.add(offset, e.mul(i, e.size(stride)));
  Type element = elementOf(a.op.getY());
  e.store(arguments[3], e.pointerTo(e.output(0), offset, element), element);
  e.finish();
}

} // namespace

LogicalResult optc::generateDeviceAttention(DeviceFunction &f, const GpuTarget &target) {
  constexpr int64_t kRows = 128;
  std::optional<AttentionKernel> a = readAttention(f.kernel);
  if (!a || !target.hasWgmma() || !fitsFlash(a->op))
    return failure();
  int64_t head = *a->depth.constant();
  // Under casts, which the products do not need.
  Type element = elementOf(a->q.base);
  if (!element.isBF16() && !element.isF16())
    return failure();
  std::optional<std::string> mask = maskOf(*a, f);
  if (!mask || !fitsMap(a->q) || !fitsMap(a->k) || !fitsMap(a->v) ||
      !llvm::all_of(ArrayRef(a->y.strides).drop_back(), [](const DimExpr &d) { return isMultiple(d, 8); }))
    return failure();
  f.library = {"async", "product", "wgmma", "attention_sm90"};
  f.threads = 384;
  f.blocksPerMultiprocessor = 1;
  // AttentionSm90's kSharedBytes.
  f.sharedBytes = 5 * (head / 64) * kRows * 128 + 8 * 16 * 64 * 4 + 256 + 1024;
  f.items = a->batch * a->heads * DimExpr::ceildiv(a->queries, kRows);
  f.addMap(mapOf(a->q, dimsOf(a->op.getQ())));
  f.addMap(mapOf(a->k, dimsOf(a->op.getK())));
  f.addMap(mapOf(a->v, dimsOf(a->op.getV())));
  constexpr int64_t kLanes = 8;
  emitEpilogue(f, *a, kLanes);
  SmallVector<Value> shape;
  for (const DimExpr &d : {a->batch, a->heads, a->groups, a->queries, a->keys})
    shape.push_back(f.size(d));
  CudaText scale =
      cudaConstant(f.b.getF32FloatAttr(float(a->op.getScale().convertToDouble())), f.b.getF32Type(), true);
  std::string causal = a->op.getCausal() ? "true" : "false";
  Value offset = f.sub(shape[4], shape[3]);
  shape.push_back(offset);
  f.callProduct("AttentionSm90<" + cudaType(memoryType(element)) + ", " + std::to_string(head) + ", " +
                    causal + ">::run<" + std::to_string(kLanes) + ">",
                {"&map0", "&map1", "&map2", *mask}, shape, {scale.text});
  f.finish();
  return success();
}
