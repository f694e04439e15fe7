//===- ContribQuantization.cpp - Quantised operators of com.microsoft ------===//
//
// What ONNX Runtime's quantiser writes beside ONNX's own operators. All of it becomes dequantize, the float operator,
// quantize, as in Quantization.cpp.
//
// Source: the operator pages of ONNX Runtime, docs/ContribOperators.md.
//
//===----------------------------------------------------------------------===//

#include "frontend/Products.h"
#include "frontend/Quantize.h"
#include "frontend/Registry.h"
#include "frontend/Windows.h"

using namespace mlir;
using namespace optc;

namespace {

/// Operands i, i+1, i+2: a quantised tensor, its scale and its zero point, which may be absent.
Value dequantized(Node &n, size_t i) { return dequantize(n, n[i], n[i + 1], n.optional(i + 2), n.f32()); }

/// y in the type of x, by the scale and zero point of operands i and i+1.
Value quantizedLike(Node &n, Value x, Value y, size_t i) {
  return quantize(n, y, n[i], n.optional(i + 1), elementOf(x));
}

template <typename OpT> Results binary(Node &n) {
  auto xs = n.together({dequantized(n, 0), dequantized(n, 3)});
  return {quantizedLike(n, n[0], n.make<OpT>(xs[0], xs[1]), 6)};
}

// (condition, x, x_scale, x_zero_point, y, ..., z_scale, z_zero_point)
Results where(Node &n) {
  n.expect(elementOf(n[0]) == n.boolean(), "the condition must be bool");
  n.expect(elementOf(n[1]) == elementOf(n[4]), "X and Y differ in type");
  auto xs = n.together({n[0], dequantized(n, 1), dequantized(n, 4)});
  return {quantizedLike(n, n[1], n.make<SelectOp>(xs[0], xs[1], xs[2]), 7)};
}

Results sigmoid(Node &n) { return {quantizedLike(n, n[0], n.make<SigmoidOp>(dequantized(n, 0)), 3)}; }

Results leakyRelu(Node &n) {
  Value x = dequantized(n, 0), scaled = n.make<MulOp>(x, n.full(x, n.number("alpha", 0.01)));
  Value isNegative = n.make<CompareOp>(x, n.full(x, 0), "lt");
  return {quantizedLike(n, n[0], n.make<SelectOp>(isNegative, scaled, x), 3)};
}

/// Before opset 13 the input was seen as a matrix split at `axis`.
Results softmax(Node &n) {
  Value x = dequantized(n, 0);
  Dims dims = n.dims(x);
  int64_t rank = dims.size(), axis = n.axis(n.integer("axis", -1), rank);
  Value y;
  if (n.integer("opset") < 13 && axis != rank - 1) {
    ArrayRef<DimExpr> all = dims;
    Value matrix = n.reshape(x, {numElements(all.take_front(axis)), numElements(all.drop_front(axis))});
    y = n.reshape(n.make<SoftmaxOp>(matrix, 1, false), dims);
  } else {
    y = n.make<SoftmaxOp>(x, axis, false);
  }
  return {quantizedLike(n, n[0], y, 3)};
}

Results averagePool(Node &n) {
  n.expect(n.rank(n[0]) >= 3, "expected an input of rank 3 or more");
  Value x = channelsFirst(n, dequantized(n, 0));
  bool countPadding = n.flag("count_include_pad");
  WindowAttributes w = readWindow(n, x, kernelShape(n, x), countPadding ? Padding::zero : Padding::none);
  Value y = n.make<PoolOp>(x, "mean", w.kernel, w.strides, w.dilations, w.low, w.high, n.flag("ceil_mode"), countPadding);
  return {quantizedLike(n, n[0], fromChannelsFirst(n, y), 3)};
}

Results globalAveragePool(Node &n) {
  n.expect(n.rank(n[0]) >= 3, "expected an input of rank 3 or more");
  Value x = channelsFirst(n, dequantized(n, 0));
  auto axes = llvm::to_vector(llvm::seq<int64_t>(2, n.rank(x)));
  Dims dims = n.dims(x);
  std::fill(dims.begin() + 2, dims.end(), DimExpr(1));
  Value y = n.reshape(n.make<ReduceOp>(x, axes, "mean"), dims);
  return {quantizedLike(n, n[0], fromChannelsFirst(n, y), 3)};
}

// (y_scale, y_zero_point, x, x_scale, x_zero_point, ...)
Results concat(Node &n) {
  n.expect(n.size() >= 5 && n.size() % 3 == 2, "expected a scale, a zero point, and three operands for each input");
  SmallVector<Value> xs;
  for (size_t i = 2; i < n.size(); i += 3)
    xs.push_back(dequantized(n, i));
  return {quantizedLike(n, n[2], n.concat(xs, n.axis(n.integer("axis"), n.rank(xs[0]))), 0)};
}

// alpha * A' * B' + C, where C counts in steps of alpha * a_scale * b_scale
Results gemm(Node &n) {
  n.expect(n.rank(n[0]) == 2 && n.rank(n[3]) == 2, "A and B must be matrices");
  bool transA = n.flag("transA"), transB = n.flag("transB");
  double alpha = n.number("alpha", 1);
  Value a = dequantized(n, 0);
  Value b = dequantize(n, n[3], n[4], n.optional(5), n.f32(), transB ? 0 : 1);
  Value y = contract(n, a, b, {}, {}, {transA ? 0 : 1}, {transB ? 1 : 0});
  Value factor = n.full(y, alpha);
  if (alpha != 1)
    y = n.make<MulOp>(y, factor);
  if (Value c = n.optional(6)) {
    Value step = n.make<MulOp>(n.broadcast(n.reshape(n[1], {}), n.dims(n[4])), n[4]);
    step = n.broadcast(step, n.dims(y));
    step = n.make<MulOp>(step, factor);
    y = n.make<AddOp>(y, n.make<MulOp>(n.broadcast(n.cast(c, n.f32()), n.dims(y)), step));
  }
  return {n.optional(7) ? quantizedLike(n, n.optional(8) ? n[8] : n[0], y, 7) : y};
}

/// x in ui8 and back, by the range of its elements and 0 (ONNX DynamicQuantizeLinear).
Value throughBytes(Node &n, Value x) {
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, n.rank(x)));
  Value zero = n.scalar(elementOf(x), 0), top = n.scalar(elementOf(x), 255);
  Value high = n.make<MaxOp>(n.make<ReduceOp>(x, axes, "max"), zero);
  Value low = n.make<MinOp>(n.make<ReduceOp>(x, axes, "min"), zero);
  Value scale = n.make<DivOp>(n.make<SubOp>(high, low), top);
  // Of zeros only: any scale will do.
  scale = n.make<SelectOp>(n.make<CompareOp>(scale, zero, "eq"), n.scalar(elementOf(x), 1), scale);
  Value point = n.make<RoundOp>(n.make<DivOp>(n.make<NegOp>(low), scale));
  point = n.make<MaxOp>(zero, n.make<MinOp>(top, point));
  Type byte = n.b.getIntegerType(8, false);
  point = n.cast(point, byte);
  return dequantize(n, quantize(n, x, scale, point, byte), scale, point, elementOf(x));
}

Results dynamicQuantizeMatMul(Node &n) {
  Value b = dequantize(n, n[1], n[2], n.optional(3), n.f32(), n.rank(n[1]) - 1);
  return {addBias(n, matMul(n, throughBytes(n, n[0]), b), n.optional(4))};
}

Results matMulIntegerToFloat(Node &n) {
  Value a = dequantize(n, n[0], n[2], n.optional(4), elementOf(n[2]), n.rank(n[0]) - 1);
  Value b = dequantize(n, n[1], n[3], n.optional(5), elementOf(n[2]), n.rank(n[1]) - 1);
  return {addBias(n, matMul(n, a, b), n.optional(6))};
}

Results quantizeLinear(Node &n) {
  return {quantize(n, n[0], n[1], n.optional(2), n.optional(2) ? elementOf(n[2]) : n.b.getIntegerType(8, false),
                   n.integer("axis", 1), n.integer("block_size", 0))};
}
Results dequantizeLinear(Node &n) {
  return {dequantize(n, n[0], n[1], n.optional(2), elementOf(n[1]), n.integer("axis", 1), n.integer("block_size", 0))};
}

} // namespace

void optc::registerContribQuantization(Registry &r) {
  r.domain = "com.microsoft";
  r.add("DequantizeLinear", 1, dequantizeLinear);
  r.add("DynamicQuantizeMatMul", 1, dynamicQuantizeMatMul);
  r.add("MatMulIntegerToFloat", 1, matMulIntegerToFloat);
  r.add("QGemm", 1, gemm);
  r.add("QLinearAdd", 1, binary<AddOp>);
  r.add("QLinearAveragePool", 1, averagePool);
  r.add("QLinearConcat", 1, concat);
  r.add("QLinearGlobalAveragePool", 1, globalAveragePool);
  r.add("QLinearLeakyRelu", 1, leakyRelu);
  r.add("QLinearMul", 1, binary<MulOp>);
  r.add("QLinearSigmoid", 1, sigmoid);
  r.add("QLinearSoftmax", 1, softmax);
  r.add("QLinearWhere", 1, where);
  r.add("QuantizeLinear", 1, quantizeLinear);
}
