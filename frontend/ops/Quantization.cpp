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

} // namespace

Value optc::dequantize(Node &n, Value x, Value scale, Value zero, Type to, int64_t axis, int64_t block) {
  return n.makeAs<DequantizeOp>(tensorType(n.dims(x), to), x, spread(n, scale, x, axis, block),
                                spread(n, zero, x, axis, block));
}
Value optc::quantize(Node &n, Value x, Value scale, Value zero, Type to, int64_t axis, int64_t block,
                     bool saturate) {
  return n.makeAs<QuantizeOp>(tensorType(n.dims(x), to), x, spread(n, scale, x, axis, block),
                              spread(n, zero, x, axis, block), saturate);
}

namespace {

Results quantizeLinear(Node &n) {
  Value x = n[0], zero = n.optional(2);
  Type to = n.b.getIntegerType(8, false);
  if (zero)
    to = elementOf(zero);
  else if (int64_t wanted = n.integer("output_dtype", 0))
    to = n.element(wanted);
  if (isa<IntegerType>(elementOf(x)) && !elementOf(x).isSignlessInteger(32))
    n.unsupported("unsupported type: expected floats or int32");
  return {quantize(n, x, n[1], zero, to, n.integer("axis", 1), n.integer("block_size", 0),
                   n.flag("saturate", true))};
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

Results matMulInteger(Node &n) {
  Value a = n[0], b = n[1], zeroA = n.optional(2), zeroB = n.optional(3);
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
  return {conv(n, centred(n, n[0], n.optional(2), 1), centred(n, n[1], n.optional(3), 0))};
}

Results qLinearMatMul(Node &n) {
  Type f32 = n.f32();
  int64_t rankA = n.rank(n[0]);
  Value a = dequantize(n, n[0], n.cast(n[1], f32), n[2], f32, std::max<int64_t>(rankA - 2, 0));
  Value b = dequantize(n, n[3], n.cast(n[4], f32), n[5], f32, n.rank(n[3]) - 1);
  Value y = matMul(n, a, b);
  return {quantize(n, y, n.cast(n[6], f32), n[7], elementOf(n[7]), std::max<int64_t>(n.rank(y) - 2, 0))};
}

Results qLinearConv(Node &n) {
  Type f32 = n.f32();
  Value x = dequantize(n, n[0], n[1], n[2], f32), w = dequantize(n, n[3], n[4], n[5], f32, 0);
  Value y = conv(n, x, w);
  if (Value bias = n.optional(8)) {
    // The bias is in units of x's scale times w's.
    Value scale = n.make<MulOp>(n.broadcast(n.reshape(n[1], {}), n.dims(bias)),
                                n.broadcast(n.rank(n[4]) == 1 ? n[4] : n.reshape(n[4], {1}), n.dims(bias)));
    y = n.make<AddOp>(
        y, n.alongAxis(n.makeAs<DequantizeOp>(tensorType(n.dims(bias), f32), bias, scale, Value()), y, 1));
  }
  return {quantize(n, y, n[6], n[7], elementOf(n[7]))};
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
}
