//===- ContribWeights.cpp - Weights of few bits of com.microsoft -----------===//
//
// Bytes that hold several codes are unpacked by ordinary ops on constants, and codes are dequantised:
//
//   MatMulNBits(a, b, scales)        ⇒  contract a, (dequantize (and b, 15 | shift b, 4), scales, 8)
//   GatherBlockQuantized(d, i, s)    ⇒  gather (dequantize d, s), i
//   MatMulBnb4(a, b, absmax)         ⇒  contract a, (mul (gather table, codes of b), absmax)
//
// Source: the operator pages of ONNX Runtime, docs/ContribOperators.md; tables of fp4 and nf4: Dettmers et al., QLoRA, 2023.
//
//===----------------------------------------------------------------------===//

#include "frontend/Products.h"
#include "frontend/Quantize.h"
#include "frontend/Registry.h"
#include "ir/eval/Weight.h"

using namespace mlir;
using namespace optc;

namespace {

/// Codes of `bits` bits out of bytes, along the last dim, low bits first: `count` of ui8.
Value unpackCodes(Node &n, Value bytes, int64_t bits, const DimExpr &count) {
  Dims dims = n.dims(bytes);
  int64_t rank = dims.size(), each = 8 / bits;
  SmallVector<Value> parts;
  for (int64_t i = 0; i < each; ++i) {
    Value part = i ? n.make<ShiftOp>(bytes, n.full(bytes, i * bits), "right") : bytes;
    parts.push_back(n.unsqueeze(i + 1 < each ? n.make<AndOp>(part, n.full(part, (1 << bits) - 1)) : part, {rank}));
  }
  dims.back() = dims.back() * DimExpr(each);
  return n.slice(n.reshape(n.concat(parts, rank), dims), rank - 1, 0, count);
}

bool isPowerOfTwo(int64_t block) { return block >= 16 && block <= 65536 && llvm::isPowerOf2_64(block); }

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
  if (bits != 2 && bits != 4 && bits != 8)
    n.unsupported("unsupported: weights of " + Twine(bits) + " bits; 2, 4 and 8 are");
  if (n.flag("weight_prepacked"))
    n.unsupported("unsupported: weights that are packed for a GPU");
  n.expect(columns > 0 && columns < kMax && k > 0 && k < kMax, "N and K must be positive");
  n.expect(isPowerOfTwo(block), "block_size must be a power of 2, at least 16");
  int64_t blocks = (k + block - 1) / block, blob = block * bits / 8, zeroBytes = (blocks * bits + 7) / 8;
  Value a = n[0], bytes = n[1], scales = n[2], zeros = n.optional(3), groups = n.optional(4);
  Type byte = n.b.getIntegerType(8, false);
  n.expect(n.rank(a) >= 1 && n.dims(a).back() == DimExpr(k), "the last dim of A must be K");
  // Weights that were left out: nothing but the bias.
  if (numElements(n.dims(bytes)) == DimExpr(0)) {
    Dims dims = n.dims(a);
    dims.back() = columns;
    return {addBias(n, n.broadcast(n.scalar(elementOf(a), 0), dims), n.optional(5))};
  }
  n.expect(elementOf(bytes) == byte && n.dims(bytes) == Dims{columns, blocks, blob},
           "B must be bytes of shape [N, blocks, block_size * bits / 8]");
  auto perBlock = [&](Value v, StringRef what) {
    n.expect(numElements(n.dims(v)) == DimExpr(columns * blocks), what + " must have one element a block");
    return n.reshape(v, {columns, blocks});
  };
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

/// What the codes 0 to 15 stand for, relative to the block's largest magnitude.
Value tableOf(Node &n, int64_t kind) {
  static constexpr float kFloat4[] = {0.0f, 0.0052083333f, 0.6666667f, 1.0f, 0.33333333f, 0.5f, 0.16666667f, 0.25f};
  static constexpr float kNormalFloat4[] = {-1.0f,        -0.6961928f,  -0.52507305f, -0.39491749f, -0.28444138f, -0.18477343f,
                                            -0.09105004f, 0.0f,         0.0795803f,   0.1609302f,   0.2461123f,   0.33791524f,
                                            0.44070983f,  0.562617f,    0.72295684f,  1.0f};
  SmallVector<float> values(kNormalFloat4, kNormalFloat4 + 16);
  if (kind == 0)
    for (size_t i = 0; i < 16; ++i)
      values[i] = i < 8 ? kFloat4[i] : -kFloat4[i - 8];
  return n.constant(DenseElementsAttr::get(RankedTensorType::get({16}, n.f32()), ArrayRef<float>(values)));
}

Results matMulBnb4(Node &n) {
  constexpr int64_t kMax = int64_t(1) << 31;
  int64_t columns = n.integer("N"), k = n.integer("K"), block = n.integer("block_size"), kind = n.integer("quant_type");
  n.expect(columns > 0 && columns < kMax && k > 0 && k < kMax, "N and K must be positive");
  n.expect(isPowerOfTwo(block), "block_size must be a power of 2, at least 16");
  n.expect(kind == 0 || kind == 1, "quant_type must be 0 (fp4) or 1 (nf4)");
  Value a = n[0], bytes = n[1], largest = n[2];
  bool transposed = n.flag("transB", true);
  int64_t count = columns * k, blocks = (count + block - 1) / block;
  n.expect(elementOf(bytes) == n.b.getIntegerType(8, false) && numElements(n.dims(bytes)) == DimExpr((count + 1) / 2), "B must be (N * K + 1) / 2 bytes");
  n.expect(isa<FloatType>(elementOf(largest)) && numElements(n.dims(largest)) == DimExpr(blocks), "absmax must have one element a block");
  n.expect(n.rank(a) >= 1 && n.dims(a).back() == DimExpr(transposed ? k : columns), "the last dim of A is not that of the weights");
  bytes = n.reshape(bytes, {(count + 1) / 2});
  // High bits first.
  Value high = n.make<ShiftOp>(bytes, n.full(bytes, 4), "right"), low = n.make<AndOp>(bytes, n.full(bytes, 15));
  Value codes = n.reshape(n.concat({n.unsqueeze(high, {1}), n.unsqueeze(low, {1})}, 1), {(count + 1) / 2 * 2});
  Value values = n.make<GatherOp>(tableOf(n, kind), n.cast(n.slice(codes, 0, 0, count), n.i64()), 0);
  Value scale = n.broadcast(n.reshape(n.cast(largest, n.f32()), {blocks, 1}), {blocks, block});
  scale = n.slice(n.reshape(scale, {blocks * block}), 0, 0, count);
  Value w = n.reshape(n.make<MulOp>(values, scale), {columns, k});
  Value y = contract(n, n.cast(a, n.f32()), w, {}, {}, {n.rank(a) - 1}, {transposed ? 1 : 0});
  return {n.cast(y, elementOf(a))};
}

/// `codes`, or what is left of them, with one scale and zero point a block along `axis`.
Results gatherBlockQuantized(Node &n) {
  Value data = n[0], indices = n[1], scales = n[2], zeros = n.optional(3);
  int64_t bits = n.integer("bits", 4), block = n.integer("block_size", 128), rank = n.rank(data);
  n.expect(rank >= 1 && n.rank(scales) == rank, "data and scales must have the same rank, at least 1");
  int64_t axis = n.axis(n.integer("gather_axis", 0), rank), blocked = n.axis(n.integer("quantize_axis", 1), rank);
  bool isPacked = elementOf(data) == n.b.getIntegerType(8, false), isFloat = isa<FloatType, F4E2M1Type>(elementOf(data));
  n.expect(isPowerOfTwo(block) || (isFloat && block == 0), "block_size must be a power of 2, at least 16");
  n.expect(!isFloat || !zeros, "codes of floats take no zero_points");
  if (isPacked) {
    if (bits != 2 && bits != 4 && bits != 8)
      n.unsupported("unsupported: codes of " + Twine(bits) + " bits; 2, 4 and 8 are");
    n.expect(axis == 0 && (bits == 8 || blocked != axis), "bytes are gathered along axis 0, and quantised along another");
    if (bits < 8) {
      DimExpr count = n.dims(data).back() * DimExpr(8 / bits), blocks = n.dims(scales).back();
      data = unpackCodes(n, data, bits, count);
      if (zeros)
        zeros = unpackCodes(n, zeros, bits, blocks);
    }
    if (!zeros)
      zeros = n.broadcast(n.scalarInteger(elementOf(data), int64_t(1) << (bits - 1)), n.dims(scales));
  }
  n.expect(!zeros || n.dims(zeros) == n.dims(scales), "zero_points must have one code a block");
  Dims expected = n.dims(data), own = n.dims(scales);
  expected[blocked] = block ? DimExpr::ceildiv(expected[blocked], block) : DimExpr(1);
  if (isFloat)
    for (int64_t d = 0; d < rank; ++d)
      if (d != blocked && own[d] == DimExpr(1))
        own[d] = expected[d];
  n.expect(own == expected, "scales must have one element a block along quantize_axis");
  scales = n.broadcast(scales, own);
  Type to = elementOf(scales);
  // A table of rows is dequantised as a whole where it is known: the artefact has its codes, and rows are read from them.
  if (axis == 0 && rank == 2 && blocked == 1 && isWeight(data))
    return {n.make<GatherOp>(dequantize(n, data, scales, zeros, to, blocked, block), indices, 0)};
  auto gathered = [&](Value v) { return v ? n.make<GatherOp>(v, indices, axis) : v; };
  n.expect(axis != blocked, "gather_axis and quantize_axis must differ");
  int64_t moved = blocked > axis ? blocked + n.rank(indices) - 1 : blocked;
  return {dequantize(n, gathered(data), gathered(scales), gathered(zeros), to, moved, block)};
}

} // namespace

void optc::registerContribWeights(Registry &r) {
  r.domain = "com.microsoft";
  r.add("GatherBlockQuantized", 1, gatherBlockQuantized);
  r.add("MatMulBnb4", 1, matMulBnb4);
  r.add("MatMulNBits", 1, matMulNBits);
}
