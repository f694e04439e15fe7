//===- AttentionCodes.cpp - Attention on codes of 8 bits ------------------===//

#include "codegen/kernel/AttentionCodes.h"
#include "codegen/kernel/Attention.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

/// The constant that all elements are, or nullopt.
static std::optional<DenseElementsAttr> splatOf(Value value) {
  while (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getX();
  auto constant = value.getDefiningOp<ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  return elements && elements.isSplat() ? std::optional(elements) : std::nullopt;
}

std::optional<AttentionCodes> optc::codesUnder(Value operand) {
  auto dequantize = operand.getDefiningOp<DequantizeOp>();
  if (!dequantize || !elementOf(dequantize.getX()).isInteger(8) || !elementOf(operand).isF32())
    return std::nullopt;
  AttentionCodes codes{dequantize.getX()};
  codes.isUnsigned = elementOf(codes.codes).isUnsignedInteger();
  auto scale = splatOf(dequantize.getScale());
  if (!scale)
    return std::nullopt;
  codes.scale = scale->getSplatValue<APFloat>().convertToDouble();
  if (Value zero = dequantize.getZeroPoint()) {
    auto splat = splatOf(zero);
    if (!splat)
      return std::nullopt;
    APInt integer = splat->getSplatValue<APInt>();
    codes.zero = codes.isUnsigned ? int64_t(integer.getZExtValue()) : integer.getSExtValue();
  }
  return codes;
}

bool optc::fitsByteAttention(AttentionOp op) {
  // Sums over d are exact in f32, too.
  constexpr int64_t kMaxDepth = 256;
  auto depth = dimsOf(op.getQ())[3].constant(), width = dimsOf(op.getV())[3].constant();
  return depth && width && *depth > 0 && *depth <= kMaxDepth && *depth % 4 == 0 && paddedBytes(*depth) == *depth && *width > 0 &&
         *width % kPanel == 0 && op.getScale().convertToDouble() > 0;
}

std::optional<std::array<AttentionCodes, 3>> optc::attentionCodes(AttentionOp op) {
  auto steps = op->getAttrOfType<IntegerAttr>(kProbabilitySteps);
  auto q = codesUnder(op.getQ()), k = codesUnder(op.getK()), v = codesUnder(op.getV());
  if (!steps || steps.getInt() != kProbabilityCodes || !fitsByteAttention(op) || !q || !k || !v || !(q->scale > 0) || !(k->scale > 0) || !(v->scale > 0))
    return std::nullopt;
  for (const AttentionCodes *operand : {&*q, &*k, &*v})
    if (!furthestView(operand->codes).isContiguous())
      return std::nullopt;
  // Rows of q are turned in words of four codes.
  auto stride = furthestView(q->codes).strides[2].constant();
  if (!stride || *stride % 4 != 0)
    return std::nullopt;
  return std::array<AttentionCodes, 3>{*q, *k, *v};
}

DimExpr optc::byteOffset(const AttentionKernel &a, ByteRegion region) {
  constexpr int64_t kQueries = kAttentionQueries, kWord = 4, kLine = 64;
  DimExpr depth = a.depth, width = a.width, keys = a.paddedKeys(), mask = a.hasQueryMask() ? a.keys * DimExpr(kQueries * kWord) : DimExpr(0);
  const DimExpr sizes[] = {depth * DimExpr(kQueries),
                           depth * DimExpr(2),
                           depth * DimExpr(kPanel),
                           keys * DimExpr(kPanel * kWord),
                           depth * keys * DimExpr(2),
                           width * keys,
                           width * keys * DimExpr(2),
                           keys * DimExpr(kQueries * kWord),
                           mask,
                           keys * DimExpr(kQueries),
                           width * DimExpr(kQueries * kWord),
                           width * DimExpr(kQueries * kWord),
                           DimExpr(kLine)};
  static_assert(std::size(sizes) == size_t(ByteRegion::end));
  DimExpr offset(0);
  for (int i = 0; i < int(region); ++i)
    offset = offset + DimExpr::ceildiv(sizes[i], kLine) * DimExpr(kLine);
  return offset;
}
