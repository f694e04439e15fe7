//===- Attention.cpp - Attention on a device ------------------------------===//
//
// Calls the tile library's attention: on sm_90 AttentionSm90 for heads of 64 or 128, as wide as v's, else AttentionSm80; that too where a few
// queries meet so many keys that these are cut into slices (ProductTiling.h). Heads that
// are strides into what the projections wrote are strides of the maps or views that are copied; the epilogue writes through the
// result's:
//
//   AttentionSm90<bf16, 64, true>::run<8>(&map0, &map1, &map2, NoMask(),
//                                         {batch, heads, groups, queries, keys, keys - queries, sizes of the mask, scale}, ...);
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Attention.h"
#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/Generators.h"
#include "codegen/gpu/ProductTiling.h"

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

/// What is added to the scores, as the tile library takes it.
std::string maskOf(const AttentionKernel &a, DeviceFunction &f) {
  if (!a.mask)
    return "NoMask()";
  return "AddedMask<" + cudaType(memoryType(elementOf(a.mask))) + ">{" + f.parameters[a.mask.getArgNumber()].name + "}";
}

/// An operand as a HeadView, a $ for each of the values that are added.
std::string headViewOf(const StridedView &view, const DimExpr &columns, DeviceFunction &f, SmallVector<Value> &values) {
  auto operand = cast<BlockArgument>(view.base);
  values.push_back(f.size(view.offset));
  for (const DimExpr &stride : ArrayRef(view.strides).drop_back())
    values.push_back(f.size(stride));
  values.push_back(f.size(columns));
  const DeviceFunction::Parameter &p = f.parameters[operand.getArgNumber()];
  return "HeadView<" + cudaType(p.type) + ">{" + p.name + " + $, $, $, $, int($)}";
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
  std::optional<AttentionKernel> a = readAttention(f.kernel);
  if (!a || !fitsFlash(a->op))
    return failure();
  // Under casts, which the products do not need.
  Type element = elementOf(a->q.base);
  if (!element.isBF16() && !element.isF16())
    return failure();
  if (!fitsMap(a->q) || !fitsMap(a->k) || !fitsMap(a->v) ||
      !llvm::all_of(ArrayRef(a->y.strides).drop_back(), [](const DimExpr &d) { return isMultiple(d, 8); }))
    return failure();
  int64_t depth = *a->depth.constant(), width = *a->width.constant();
  constexpr int64_t kLanes = 8, kBox = 64 * 128;
  constexpr int64_t kFewQueries = 64, kKeys = 64;
  DimExpr tiles = a->batch * a->heads * DimExpr::ceildiv(a->queries, kFewQueries);
  int64_t slices = keySlices(tiles, DimExpr::ceildiv(a->keys, kKeys));
  bool isDecoding = slices > 1 && a->queries.constant() && *a->queries.constant() <= kFewQueries;
  bool byMaps = target.hasWgmma() && depth == width && depth % 64 == 0 && !isDecoding;
  SmallVector<Value> shape, values;
  for (const DimExpr &d : {a->batch, a->heads, a->groups, a->queries, a->keys})
    shape.push_back(f.size(d));
  shape.push_back(f.sub(shape[4], shape[3]));
  for (const DimExpr &d : a->mask ? dimsOf(a->mask) : Dims(4, DimExpr(1)))
    shape.push_back(f.size(d));
  SmallVector<std::string> arguments;
  std::string run = "<" + cudaType(memoryType(element)) + ", ";
  if (byMaps) {
    constexpr int64_t rows = 128;
    f.items = a->batch * a->heads * DimExpr::ceildiv(a->queries, rows);
    f.library = {"async", "product", "wgmma", "attention", "attention_sm90"};
    f.threads = 384;
    f.blocksPerMultiprocessor = 1;
    // AttentionSm90's kSharedBytes.
    f.sharedBytes = 5 * (depth / 64) * rows * 128 + 8 * 16 * 64 * 4 + 256 + 1024;
    f.addMap(mapOf(a->q, dimsOf(a->op.getQ())));
    f.addMap(mapOf(a->k, dimsOf(a->op.getK())));
    f.addMap(mapOf(a->v, dimsOf(a->op.getV())));
    arguments = {"&map0", "&map1", "&map2"};
    run = "AttentionSm90" + run + std::to_string(depth);
  } else {
    auto boxes = [](int64_t columns) { return (columns + 63) / 64; };
    auto padded = [](int64_t columns) { return (columns + 15) / 16 * 16; };
    f.library = {"async", "product", "mma", "attention", "split_keys", "attention_sm80"};
    f.threads = 128;
    // AttentionSm80's kSharedBytes.
    f.sharedBytes = boxes(depth) * kBox + 2 * (boxes(depth) + boxes(width)) * kBox;
    f.items = tiles * DimExpr(slices);
    if (slices > 1)
      f.splitProduct(f.items * DimExpr(f.threads * (padded(width) / 2 + 4) * 4), tiles * DimExpr(f.threads / 32),
                     "SplitKeys<" + std::to_string(slices) + ">{workspace, counters}");
    arguments = {headViewOf(a->q, a->depth, f, values), headViewOf(a->k, a->depth, f, values), headViewOf(a->v, a->width, f, values)};
    run = "AttentionSm80" + run + std::to_string(padded(depth)) + ", " + std::to_string(padded(width));
  }
  arguments.push_back(maskOf(*a, f));
  emitEpilogue(f, *a, kLanes);
  CudaText scale =
      cudaConstant(f.b.getF32FloatAttr(float(a->op.getScale().convertToDouble())), f.b.getF32Type(), true);
  run += std::string(", ") + (a->op.getCausal() ? "true" : "false") + ">::run<" + std::to_string(kLanes) + ">";
  f.callProduct(run, arguments, shape, {scale.text}, values);
  f.finish();
  return success();
}
