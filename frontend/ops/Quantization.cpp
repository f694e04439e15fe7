//===- Quantization.cpp - Quantised operators ------------------------------===//
//
// QDQ is the one representation of quantisation: the QLinear operators become dequantize, the
// float operator, quantize. Scales and zero points are broadcast to the tensor's shape:
//
//   QLinearMatMul(a, sa, za, b, sb, zb, sy, zy)
//     ⇒  quantize (contract (dequantize a, sa, za), (dequantize b, sb, zb)), sy, zy
//
//===----------------------------------------------------------------------===//

#include "frontend/Products.h"
#include "frontend/Quantize.h"
#include "frontend/Registry.h"
#include "frontend/Windows.h"
#include "ir/eval/Weight.h"
#include <onnx/onnx_pb.h>

using namespace mlir;
using namespace optc;

namespace {

/// A scale or zero point at x's shape: one number, one a channel along `axis`, or one a block along it.
Value spread(Node &n, Value p, Value x, int64_t axis, int64_t block) {
  if (!p)
    return p;
  Dims dims = n.dims(x), own = n.dims(p);
  if (own.empty() || (own.size() == 1 && own[0] == DimExpr(1)))
    return n.broadcast(n.reshape(p, {}), dims);
  axis = n.axis(axis, dims.size());
  if (own.size() == 1)
    return n.alongAxis(p, x, axis);
  n.expect(own.size() == dims.size(), "scale must be a number, a vector, or have the input's rank");
  auto blocks = own[axis].constant(), size = dims[axis].constant();
  if (block == 0 && blocks && size && *blocks > 0)
    block = (*size + *blocks - 1) / *blocks;
  n.expect(block > 0, "block_size must be positive");
  // What is repeated goes no further than the tensor.
  if (size && *size > 0)
    block = std::min(block, *size);
  // [.., blocks, ..] -> [.., blocks, 1, ..] -> [.., blocks, block, ..] -> [.., blocks*block, ..]
  Dims repeated = own, merged = own;
  repeated.insert(repeated.begin() + axis + 1, DimExpr(block));
  merged[axis] = own[axis] * DimExpr(block);
  Value y = n.reshape(n.broadcast(n.unsqueeze(p, {axis + 1}), repeated), merged);
  return n.broadcast(n.slice(y, axis, 0, dims[axis]), dims);
}

std::string nameOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// What a quantised tensor may have: integers, small floats.
void expectCodes(Node &n, Type type, unsigned most) {
  auto integer = dyn_cast<IntegerType>(type);
  bool isCode = isa<F4E2M1Type>(type) || (integer ? integer.getWidth() > 1 && integer.getWidth() <= most : isa<FloatType>(type) && type.getIntOrFloatBitWidth() <= 8);
  n.expect(isCode, nameOf(type) + " is no type of quantised tensors");
}

/// The scale as a float that kernels multiply with: a power of two by its exponent (f8E8M0) is exact in f32.
Value scaleOf(Node &n, Value scale) {
  Type type = elementOf(scale);
  if (isa<F8E8M0Type>(type))
    return n.cast(scale, n.f32());
  n.expect(type.isF32() || type.isF16() || type.isBF16(), "a scale of " + nameOf(type) + ": expected f32, f16, bf16 or f8E8M0");
  return scale;
}

/// What can be quantised.
void expectNumbers(Node &n, Value x) {
  n.expect(isa<FloatType>(elementOf(x)) || elementOf(x).isSignlessInteger(32), "cannot quantise " + nameOf(elementOf(x)));
}

/// Of floats a zero point only says the type.
Value spreadZero(Node &n, Value zero, Value x, int64_t axis, int64_t block) {
  return zero && isa<FloatType>(elementOf(zero)) && isZeros(zero) ? Value() : spread(n, zero, x, axis, block);
}

void expectZero(Node &n, Type code, Value zero) {
  n.expect(!zero || elementOf(zero) == code, "the zero point's type is not that of the quantised tensor, " + nameOf(code));
}

} // namespace

Value optc::dequantize(Node &n, Value x, Value scale, Value zero, Type to, int64_t axis, int64_t block) {
  expectCodes(n, elementOf(x), 32);
  expectZero(n, elementOf(x), zero);
  n.expect(isa<FloatType>(to) && to.getIntOrFloatBitWidth() >= 16, nameOf(to) + " is no type of dequantised tensors");
  return n.makeAs<DequantizeOp>(tensorType(n.dims(x), to), x, spread(n, scaleOf(n, scale), x, axis, block),
                                spreadZero(n, zero, x, axis, block));
}
Value optc::quantize(Node &n, Value x, Value scale, Value zero, Type to, int64_t axis, int64_t block,
                     bool saturate) {
  expectCodes(n, to, 16);
  expectZero(n, to, zero);
  expectNumbers(n, x);
  return n.makeAs<QuantizeOp>(tensorType(n.dims(x), to), x, spread(n, scaleOf(n, scale), x, axis, block),
                              spreadZero(n, zero, x, axis, block), saturate);
}

namespace {

Results quantizeLinear(Node &n) {
  Value x = n[0], zero = n.optional(2);
  Type to = n.b.getIntegerType(8, false);
  if (int64_t wanted = n.integer("output_dtype", 0))
    to = n.element(wanted);
  else if (zero)
    to = elementOf(zero);
  int64_t axis = n.integer("axis", 1), block = n.integer("block_size", 0);
  bool saturate = n.flag("saturate", true);
  Value scale = scaleOf(n, n[1]);
  // Before opset 23 the quotient is one of f32; since then the scale's type is the precision unless another is named.
  Type divided = n.opset < 23 ? n.f32() : elementOf(scale);
  if (int64_t precision = n.integer("precision", 0))
    divided = n.element(precision);
  if (divided.isF32())
    return {quantize(n, x, scale, zero, to, axis, block, saturate)};
  if (!divided.isF16() && !divided.isBF16())
    n.unsupported("unsupported: a precision of " + nameOf(divided));
  expectNumbers(n, x);
  // A quotient of the type: of f32 and rounded. Kernels keep f16 and bf16 in f32, and round where a cast says so.
  auto rounded = [&](Value v) { return n.cast(n.cast(v, divided), n.f32()); };
  Value quotient = rounded(n.make<DivOp>(rounded(x), rounded(spread(n, scale, x, axis, block))));
  return {quantize(n, quotient, n.scalar(n.f32(), 1), zero, to, axis, block, saturate)};
}

Results dequantizeLinear(Node &n) {
  Type to = elementOf(n[1]);
  if (int64_t wanted = n.integer("output_dtype", 0))
    to = n.element(wanted);
  return {dequantize(n, n[0], n[1], n.optional(2), to, n.integer("axis", 1), n.integer("block_size", 0))};
}

/// x - zero in i32; a vector zero point runs along `axis`.
Value centred(Node &n, Value x, Value zero, int64_t axis) {
  Type i32 = n.b.getI32Type();
  Value wide = n.cast(x, i32);
  if (!zero)
    return wide;
  if (auto known = n.constantIntegers(zero); known && llvm::all_of(*known, [](int64_t z) { return z == 0; }))
    return wide;
  zero = n.cast(zero, i32);
  Dims own = n.dims(zero);
  Value spreadZero = own.empty() || (own.size() == 1 && own[0] == DimExpr(1))
                         ? n.broadcast(n.reshape(zero, {}), n.dims(x))
                     : own.size() == 1 ? n.alongAxis(zero, x, axis)
                                       : n.broadcast(zero, n.dims(x));
  return n.make<SubOp>(wide, spreadZero);
}

/// Bytes without zero points are multiplied as they are: contract and conv accumulate them in i32.
bool isPlain(Node &n, Value zero) {
  if (!zero)
    return true;
  auto known = n.constantIntegers(zero);
  return known && llvm::all_of(*known, [](int64_t z) { return z == 0; });
}

void expectBytes(Node &n, ArrayRef<Value> values) {
  for (Value v : values)
    n.expect(!v || elementOf(v).isInteger(8), "expected integers of 8 bits");
}

Results matMulInteger(Node &n) {
  Value a = n[0], b = n[1], zeroA = n.optional(2), zeroB = n.optional(3);
  expectBytes(n, {a, b, zeroA, zeroB});
  if (isPlain(n, zeroA) && isPlain(n, zeroB))
    return {matMul(n, a, b)};
  return {matMul(n, centred(n, a, zeroA, std::max<int64_t>(n.rank(a) - 2, 0)),
                 centred(n, b, zeroB, n.rank(b) - 1))};
}

SmallVector<int64_t> kernelOf(Node &n, Value w) {
  n.expect(n.rank(w) >= 3, "expected weights of rank 3 or more");
  SmallVector<int64_t> kernel;
  for (const DimExpr &d : ArrayRef<DimExpr>(n.dims(w)).drop_front(2)) {
    if (!d.isConstant())
      n.unsupported("unsupported: the kernel's size is dynamic");
    kernel.push_back(*d.constant());
  }
  return kernel;
}

Value conv(Node &n, Value x, Value w) {
  WindowAttributes window = readWindow(n, x, kernelOf(n, w), Padding::zero);
  return n.make<ConvOp>(x, w, window.strides, window.dilations, window.low, window.high,
                        n.integer("group", 1));
}

Results convInteger(Node &n) {
  expectBytes(n, {n[0], n[1], n.optional(2), n.optional(3)});
  return {conv(n, centred(n, n[0], n.optional(2), 1), centred(n, n[1], n.optional(3), 0))};
}

/// The QLinear operators compute in f32, whatever their scales are.
Value wideScale(Node &n, size_t i) { return n.cast(scaleOf(n, n[i]), n.f32()); }

Results qLinearMatMul(Node &n) {
  Type f32 = n.f32();
  int64_t rankA = n.rank(n[0]);
  Value a = dequantize(n, n[0], wideScale(n, 1), n[2], f32, std::max<int64_t>(rankA - 2, 0));
  Value b = dequantize(n, n[3], wideScale(n, 4), n[5], f32, n.rank(n[3]) - 1);
  Value y = matMul(n, a, b);
  return {quantize(n, y, wideScale(n, 6), n[7], elementOf(n[7]), std::max<int64_t>(n.rank(y) - 2, 0))};
}

/// Of com.microsoft, too: x and y may have their channels last.
Results qLinearConv(Node &n) {
  Type f32 = n.f32();
  Value scaleX = wideScale(n, 1), scaleW = wideScale(n, 4);
  Value x = channelsFirst(n, dequantize(n, n[0], scaleX, n[2], f32)), w = dequantize(n, n[3], scaleW, n[5], f32, 0);
  Value y = conv(n, x, w);
  if (Value bias = n.optional(8)) {
    n.expect(elementOf(bias).isSignlessInteger(32), "expected a bias of int32");
    // The bias is in units of x's scale times w's.
    Value scale = n.make<MulOp>(n.broadcast(n.reshape(scaleX, {}), n.dims(bias)),
                                n.broadcast(n.rank(scaleW) == 1 ? scaleW : n.reshape(scaleW, {1}), n.dims(bias)));
    y = n.make<AddOp>(y, n.alongAxis(dequantize(n, bias, scale, {}, f32, 0), y, 1));
  }
  return {quantize(n, fromChannelsFirst(n, y), wideScale(n, 6), n[7], elementOf(n[7]))};
}

} // namespace

void optc::registerQuantization(Registry &r) {
  r.domain = "";
  r.add("ConvInteger", 10, convInteger);
  r.add("DequantizeLinear", 10, dequantizeLinear);
  r.add("MatMulInteger", 10, matMulInteger);
  r.add("QLinearConv", 10, qLinearConv);
  r.add("QLinearMatMul", 10, qLinearMatMul);
  r.add("QuantizeLinear", 10, quantizeLinear);
  r.domain = "com.microsoft";
  r.add("QLinearConv", 1, qLinearConv);
}
