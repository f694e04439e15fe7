//===- CompressedPanels.cpp - Weights of few bits as panels ---------------===//

#include "codegen/kernel/CompressedPanels.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/PackedWeights.h"
#include "codegen/kernel/ScalarBody.h"

using namespace mlir;
using namespace optc;

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

static int64_t panelsOf(int64_t n) { return (n + kPanel - 1) / kPanel; }

/// [rows, n] as [N/16][rows][16], zeros beyond n.
template <typename T> static std::vector<T> inPanels(ArrayRef<T> values, int64_t rows, int64_t n) {
  std::vector<T> out(panelsOf(n) * rows * kPanel);
  for (int64_t p = 0; p < panelsOf(n); ++p) {
    int64_t width = std::min(kPanel, n - p * kPanel);
    for (int64_t r = 0; r < rows; ++r)
      std::copy_n(values.data() + r * n + p * kPanel, width, out.data() + (p * rows + r) * kPanel);
  }
  return out;
}

/// f16's bits of a value that it holds exactly.
static std::optional<uint16_t> exactHalf(float value) {
  APFloat f(value);
  bool lossy;
  f.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven, &lossy);
  if (lossy)
    return std::nullopt;
  return uint16_t(f.bitcastToAPInt().getZExtValue());
}

Value optc::packScales(OpBuilder &b, Location loc, const std::vector<float> &scales, ArrayRef<int64_t> dims) {
  std::vector<uint16_t> halves;
  for (float s : scales)
    if (auto half = exactHalf(s))
      halves.push_back(*half);
  return halves.size() == scales.size() ? packedConstant(b, loc, halves, dims, b.getF16Type()) : packedConstant(b, loc, scales, dims, b.getF32Type());
}

/// Scales [blocks][n] in panels.
static Value scalesOf(OpBuilder &b, Location loc, const std::vector<float> &scales, int64_t blocks, int64_t n) {
  return packScales(b, loc, inPanels<float>(scales, blocks, n), {panelsOf(n), blocks, kPanel});
}

CompressedPanels optc::packCodes(OpBuilder &b, Location loc, const BlockCodes &c) {
  CompressedPanels out;
  out.k = c.k;
  out.n = c.n;
  int64_t panels = panelsOf(c.n);
  if (llvm::all_of(c.codes, [](int8_t q) { return q >= -8 && q <= 7; })) {
    int64_t words = (c.k + 7) / 8;
    std::vector<uint32_t> packed(panels * words * kPanel);
    for (int64_t k = 0; k < c.k; ++k)
      for (int64_t n = 0; n < c.n; ++n)
        packed[(n / kPanel * words + k / 8) * kPanel + n % kPanel] |= uint32_t(c.codes[k * c.n + n] & 15) << (4 * (k % 8));
    out.words = packedConstant(b, loc, packed, {panels, words, kPanel}, b.getI32Type());
  } else {
    out.words = packedConstant(b, loc, inPanels<int8_t>(c.codes, c.k, c.n), {panels, c.k, kPanel}, b.getI8Type());
  }
  out.block = c.blocks() == 1 ? out.rows() : c.block;
  out.scales = scalesOf(b, loc, c.scales, c.blocks(), c.n);
  if (llvm::any_of(c.zeros, [](int8_t z) { return z != 0; }))
    out.zeros = packedConstant(b, loc, inPanels<int8_t>(c.zeros, c.blocks(), c.n), {panels, c.blocks(), kPanel}, b.getI8Type());
  return out;
}

CompressedPanels optc::packFloat8(OpBuilder &b, Location loc, ArrayRef<uint8_t> bits, int64_t k, int64_t n, Type element,
                                  const std::vector<float> &scales, int64_t block) {
  CompressedPanels out;
  out.k = k;
  out.n = n;
  out.words = packedConstant(b, loc, inPanels<uint8_t>(bits, k, n), {panelsOf(n), k, kPanel}, element);
  out.block = block < k ? block : k;
  out.scales = scalesOf(b, loc, scales, (k + out.block - 1) / out.block, n);
  return out;
}

CompressedPanels optc::packHalves(OpBuilder &b, Location loc, ArrayRef<uint16_t> bits, int64_t k, int64_t n, Type element) {
  CompressedPanels out;
  out.words = packedConstant(b, loc, inPanels<uint16_t>(bits, k, n), {panelsOf(n), k, kPanel}, element);
  out.k = out.block = k;
  out.n = n;
  return out;
}

//===----------------------------------------------------------------------===//
// Unpacking
//===----------------------------------------------------------------------===//

namespace {
struct Unpacker {
  OpBuilder &b;
  Location loc;

  Value reshape(Value x, Dims dims) { return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x); }
  Value broadcast(Value x, Dims dims) { return b.create<BroadcastOp>(loc, tensorType(dims, elementOf(x)), x); }
  Value cast(Value x, Type element) {
    return elementOf(x) == element ? x : Value(b.create<CastOp>(loc, tensorType(dimsOf(x), element), x));
  }
  Value number(int32_t value, Dims dims) {
    auto scalar = RankedTensorType::get({}, b.getI32Type());
    return broadcast(b.create<ConstantOp>(loc, DenseElementsAttr::get(scalar, value)), dims);
  }

  /// [panels, words, 16] of i32 -> [panels, words * 8, 16] of i8.
  Value nibbles(Value words) {
    Dims d = dimsOf(words), wide{d[0], d[1], 8, d[2]}, column{8, 1};
    Value x = broadcast(reshape(words, {d[0], d[1], 1, d[2]}), wide);
    Value j = b.create<IotaOp>(loc, tensorType(column, b.getI32Type()), 0);
    Value left = b.create<SubOp>(loc, number(28, column), b.create<MulOp>(loc, j, number(4, column)));
    x = b.create<ShiftOp>(loc, x, broadcast(left, wide), "left");
    x = b.create<ShiftOp>(loc, x, number(28, wide), "right");
    return reshape(cast(x, b.getI8Type()), {d[0], d[1] * DimExpr(8), d[2]});
  }

  /// [panels, blocks, 16] -> [panels, rows, 16]: each for `block` rows.
  Value spread(Value x, int64_t block, int64_t rows) {
    Dims d = dimsOf(x);
    DimExpr all = d[1] * DimExpr(block);
    x = reshape(broadcast(reshape(x, {d[0], d[1], 1, d[2]}), {d[0], d[1], block, d[2]}), {d[0], all, d[2]});
    if (all == DimExpr(rows))
      return x;
    return b.create<SliceOp>(loc, tensorType({d[0], rows, d[2]}, elementOf(x)), x, DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0, 0}),
                             DimsAttr::get(b.getContext(), ArrayRef<int64_t>{1, 1, 1}));
  }
};

/// The operand of an op of this kind; null when the value is something else.
template <typename OpT> Value through(Value v) {
  auto op = v ? v.getDefiningOp<OpT>() : OpT();
  return op ? op->getOperand(0) : Value();
}
template <typename OpT> Value throughOptional(Value v) {
  Value inner = through<OpT>(v);
  return inner ? inner : v;
}
bool isRank(Value v, int64_t rank) { return v && tensorOf(v).getRank() == rank && tensorOf(v).hasStaticShape(); }

/// Reads Unpacker::spread back: the source, and the rows of a block.
Value readSpread(Value x, int64_t &block) {
  Value wide = through<ReshapeOp>(throughOptional<SliceOp>(x)), narrow = through<BroadcastOp>(wide);
  Value source = through<ReshapeOp>(narrow);
  if (!isRank(wide, 4) || !isRank(narrow, 4) || !isRank(source, 3) || dimsOf(narrow)[2] != DimExpr(1))
    return {};
  block = *dimsOf(wide)[2].constant();
  return source;
}

bool isNumber(Value v, int64_t number) {
  auto constant = throughOptional<BroadcastOp>(v).getDefiningOp<ConstantOp>();
  return constant && constant.getValue().isSplat() && constant.getValue().getSplatValue<APInt>() == uint64_t(number);
}

/// Reads Unpacker::nibbles back: the words; null when it is something else.
Value readNibbles(Value codes) {
  auto right = codes.getDefiningOp<ReshapeOp>() ? through<CastOp>(through<ReshapeOp>(codes)) : Value();
  auto outer = right ? right.getDefiningOp<ShiftOp>() : ShiftOp();
  auto inner = outer ? outer.getLhs().getDefiningOp<ShiftOp>() : ShiftOp();
  Value words = inner ? through<ReshapeOp>(through<BroadcastOp>(inner.getLhs())) : Value();
  auto amount = inner ? through<BroadcastOp>(inner.getRhs()) : Value();
  auto sub = amount ? amount.getDefiningOp<SubOp>() : SubOp();
  auto mul = sub ? sub.getRhs().getDefiningOp<MulOp>() : MulOp();
  bool ok = mul && mul.getLhs().getDefiningOp<IotaOp>() && isNumber(mul.getRhs(), 4) && isNumber(sub.getLhs(), 28) &&
            isNumber(outer.getRhs(), 28) && inner.getDirection() == "left" && outer.getDirection() == "right" && isRank(right, 4) &&
            isRank(words, 3) && elementOf(words).isSignlessInteger(32) && dimsOf(right)[2] == DimExpr(8);
  return ok ? words : Value();
}

/// A slice that keeps what is in front.
bool keepsFront(SliceOp op) {
  auto starts = op.getStarts().constants(), strides = op.getStrides().constants();
  return starts && strides && llvm::all_of(*starts, [](int64_t s) { return s == 0; }) && llvm::all_of(*strides, [](int64_t s) { return s == 1; });
}
} // namespace

Value optc::unpackCompressed(OpBuilder &b, Location loc, const CompressedPanels &panels) {
  Unpacker u{b, loc};
  Type f32 = b.getF32Type();
  if (!panels.scales)
    return unpackPanels(b, loc, u.cast(panels.words, f32), panels.k, panels.n);
  Value codes = panels.perWord() == 8 ? u.nibbles(panels.words) : panels.words;
  Value scale = u.spread(u.cast(panels.scales, f32), panels.block, panels.rows());
  Value zero = panels.zeros ? u.spread(panels.zeros, panels.block, panels.rows()) : Value();
  Value x = b.create<DequantizeOp>(loc, tensorType(dimsOf(codes), f32), codes, scale, zero);
  return unpackPanels(b, loc, x, panels.k, panels.n);
}

std::optional<CompressedPanels> optc::readCompressed(Value matrix) {
  if (!isRank(matrix, 2) || !elementOf(matrix).isF32())
    return std::nullopt;
  CompressedPanels out;
  out.k = *dimsOf(matrix)[0].constant();
  out.n = *dimsOf(matrix)[1].constant();
  if (auto slice = matrix.getDefiningOp<SliceOp>()) {
    if (!keepsFront(slice))
      return std::nullopt;
    matrix = slice.getX();
  }
  Value turned = through<ReshapeOp>(matrix);
  auto transpose = turned ? turned.getDefiningOp<TransposeOp>() : TransposeOp();
  if (!transpose || !isRank(turned, 3) || transpose.getPermutation() != ArrayRef<int64_t>{1, 0, 2} || dimsOf(turned)[0] != dimsOf(matrix)[0])
    return std::nullopt;
  Value x = transpose.getX();
  if (dimsOf(x)[2] != DimExpr(kPanel))
    return std::nullopt;
  if (auto cast = x.getDefiningOp<CastOp>()) {
    out.words = cast.getX();
    out.block = out.k;
    Type element = elementOf(out.words);
    return element.isF16() || element.isBF16() ? std::optional(out) : std::nullopt;
  }
  auto dequantize = x.getDefiningOp<DequantizeOp>();
  if (!dequantize)
    return std::nullopt;
  out.words = dequantize.getX();
  if (!elementOf(out.words).isSignlessInteger(8) && !isFloat8(elementOf(out.words)))
    return std::nullopt;
  if (Value words = readNibbles(out.words))
    out.words = words;
  out.scales = readSpread(dequantize.getScale(), out.block);
  if (!out.scales)
    return std::nullopt;
  out.scales = throughOptional<CastOp>(out.scales);
  if (Value zero = dequantize.getZeroPoint()) {
    int64_t block = 0;
    out.zeros = readSpread(zero, block);
    if (!out.zeros || block != out.block)
      return std::nullopt;
  }
  return out;
}
