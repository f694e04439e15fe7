//===- ContribQuantization.cpp - Quantised operators of com.microsoft ------===//
//
// What ONNX Runtime's quantiser writes beside ONNX's own operators. All of it becomes dequantize, the float operator,
// quantize, as in Quantization.cpp; weights of few bits are unpacked by ordinary ops on constants:
//
//   MatMulNBits(a, b, scales)  ⇒  contract a, (dequantize (and b, 15 | shift b, 4), scales, 8)
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

// Pools: `channels_last` says where the channels are.
Value channelsFirst(Node &n, Value x) {
  if (!n.flag("channels_last"))
    return x;
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, n.rank(x) - 1));
  permutation.insert(permutation.begin() + 1, n.rank(x) - 1);
  return n.transpose(x, permutation);
}
Value fromChannelsFirst(Node &n, Value y) {
  if (!n.flag("channels_last"))
    return y;
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(1, n.rank(y)));
  permutation[0] = 0;
  for (int64_t i = 1; i + 1 < n.rank(y); ++i)
    permutation[i] = i + 1;
  permutation.push_back(1);
  return n.transpose(y, permutation);
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

/// `bias` added to the last dim of y; null: nothing.
Value addBias(Node &n, Value y, Value bias) {
  return bias ? n.make<AddOp>(y, n.broadcast(n.cast(bias, elementOf(y)), n.dims(y))) : y;
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
  return {n.optional(7) ? quantizedLike(n, n[0], y, 7) : y};
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

/// Codes of `bits` bits out of bytes [rows, bytes], low bits first: [rows, count] of ui8.
Value unpackCodes(Node &n, Value bytes, int64_t bits, int64_t count) {
  Dims dims = n.dims(bytes);
  if (bits == 4) {
    Value high = n.make<ShiftOp>(bytes, n.full(bytes, 4), "right");
    Value low = n.make<AndOp>(bytes, n.full(bytes, 15));
    Value pairs = n.concat({n.unsqueeze(low, {2}), n.unsqueeze(high, {2})}, 2);
    bytes = n.reshape(pairs, {dims[0], dims[1] * DimExpr(2)});
  }
  return n.slice(bytes, 1, 0, count);
}

/// Where each element of k goes so that the groups that `g_idx` names lie one after the other, `block` elements each.
SmallVector<int64_t> groupOrder(Node &n, ArrayRef<int64_t> groups, int64_t block, int64_t blocks) {
  for (int64_t g : groups)
    n.expect(g >= 0 && g < blocks, "g_idx names a group that is not there");
  SmallVector<int64_t> sizes(blocks), order = llvm::to_vector(llvm::seq<int64_t>(0, groups.size()));
  for (int64_t g : groups)
    ++sizes[g];
  llvm::sort(order, [&](int64_t a, int64_t b) { return std::pair(groups[a], a) < std::pair(groups[b], b); });
  for (int64_t g = 0; g + 1 < blocks; ++g)
    if (sizes[g] != block)
      n.unsupported("unsupported: groups of g_idx that do not have block_size elements");
  return order;
}

Results matMulNBits(Node &n) {
  constexpr int64_t kMax = int64_t(1) << 31;
  int64_t columns = n.integer("N"), k = n.integer("K"), bits = n.integer("bits", 4), block = n.integer("block_size");
  if (bits != 4 && bits != 8)
    n.unsupported("unsupported: weights of " + Twine(bits) + " bits; 4 and 8 are");
  n.expect(columns > 0 && columns < kMax && k > 0 && k < kMax, "N and K must be positive");
  n.expect(block >= 16 && block <= 65536 && llvm::isPowerOf2_64(block), "block_size must be a power of 2, at least 16");
  int64_t blocks = (k + block - 1) / block, blob = block * bits / 8, zeroBytes = (blocks * bits + 7) / 8;
  Value a = n[0], bytes = n[1], scales = n[2], zeros = n.optional(3), groups = n.optional(4);
  Type byte = n.b.getIntegerType(8, false);
  n.expect(elementOf(bytes) == byte && n.dims(bytes) == Dims{columns, blocks, blob},
           "B must be bytes of shape [N, blocks, block_size * bits / 8]");
  auto perBlock = [&](Value v, StringRef what) {
    n.expect(numElements(n.dims(v)) == DimExpr(columns * blocks), what + " must have one element a block");
    return n.reshape(v, {columns, blocks});
  };
  n.expect(n.rank(a) >= 1 && n.dims(a).back() == DimExpr(k), "the last dim of A must be K");
  Value codes = unpackCodes(n, n.reshape(bytes, {columns, blocks * blob}), bits, k);
  Value scale = n.cast(perBlock(scales, "scales"), n.f32());
  Value zero;
  if (!zeros) {
    zero = n.broadcast(n.scalarInteger(byte, int64_t(1) << (bits - 1)), {columns, blocks});
  } else if (elementOf(zeros) == byte) {
    n.expect(numElements(n.dims(zeros)) == DimExpr(columns * zeroBytes), "zero_points must have one code a block");
    zero = unpackCodes(n, n.reshape(zeros, {columns, zeroBytes}), bits, blocks);
  }
  if (groups) {
    auto known = n.constantIntegers(groups);
    if (!known)
      n.unsupported("unsupported: g_idx that is not a constant");
    n.expect(int64_t(known->size()) == k, "g_idx must have K elements");
    Value order = n.integersOf(groupOrder(n, *known, block, blocks));
    codes = n.make<GatherOp>(codes, order, 1);
    a = n.make<GatherOp>(a, order, n.rank(a) - 1);
  }
  Value w = dequantize(n, codes, scale, zero, n.f32(), 1, block);
  if (zeros && !zero) {
    // A zero point of floats: (q - zero) * scale.
    Value shift = n.make<MulOp>(n.cast(perBlock(zeros, "zero_points"), n.f32()), scale);
    Value ones = n.broadcast(n.scalarInteger(byte, 1), n.dims(codes));
    w = n.make<SubOp>(w, dequantize(n, ones, shift, {}, n.f32(), 1, block));
  }
  // Computed in f32, whatever A is: kernels dequantise to it.
  Value y = contract(n, n.cast(a, n.f32()), w, {}, {}, {n.rank(a) - 1}, {1});
  return {n.cast(addBias(n, y, n.optional(5)), elementOf(a))};
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
  r.add("MatMulNBits", 1, matMulNBits);
  r.add("QGemm", 1, gemm);
  r.add("QLinearAdd", 1, binary<AddOp>);
  r.add("QLinearAveragePool", 1, averagePool);
  r.add("QLinearConcat", 1, concat);
  r.add("QLinearGlobalAveragePool", 1, globalAveragePool);
  r.add("QLinearLeakyRelu", 1, leakyRelu);
  r.add("QLinearMul", 1, binary<MulOp>);
  r.add("QLinearSigmoid", 1, sigmoid);
  r.add("QLinearSoftmax", 1, softmax);
  r.add("QuantizeLinear", 1, quantizeLinear);
}
