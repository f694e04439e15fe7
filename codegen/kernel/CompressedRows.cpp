//===- CompressedRows.cpp - Tables of few bits, by rows -------------------===//

#include "codegen/kernel/CompressedRows.h"
#include "codegen/kernel/PackedWeights.h"

using namespace mlir;
using namespace optc;

/// Elements of 4 bits that are packed together.
static constexpr int64_t kPair = 32;
/// Blocks of rows unpack the same codes again: beyond so many rows an H100 would take longer than to unpack them once. An estimate: some 0.14 ps a
/// code and 128 rows, and instructions of half the speed, against 4.5 bytes a code.
static constexpr int64_t kMostRowsOfCodes = 256;

/// [length, rows] as [rows, length].
template <typename T> static std::vector<T> turned(ArrayRef<T> x, int64_t length, int64_t rows) {
  std::vector<T> out(x.size());
  constexpr int64_t kTile = 32;
  for (int64_t first = 0; first < rows; first += kTile)
    for (int64_t i = 0; i < length; ++i)
      for (int64_t r = first; r < std::min(rows, first + kTile); ++r)
        out[r * length + i] = x[i * rows + r];
  return out;
}

CompressedRows optc::packRows(OpBuilder &b, Location loc, const BlockCodes &c) {
  CompressedRows out{{}, {}, {}, c.n, c.k, std::min(c.k, c.block)};
  std::vector<int8_t> codes = turned<int8_t>(c.codes, c.k, c.n);
  if (llvm::all_of(codes, [](int8_t q) { return q >= -8 && q <= 7; })) {
    int64_t pairs = (c.k + kPair - 1) / kPair;
    std::vector<uint8_t> packed(c.n * pairs * kPair / 2);
    for (int64_t r = 0; r < c.n; ++r)
      for (int64_t i = 0; i < c.k; ++i)
        packed[(r * pairs + i / kPair) * kPair / 2 + i % (kPair / 2)] |= uint8_t((codes[r * c.k + i] & 15) << (i % kPair < kPair / 2 ? 0 : 4));
    out.words = packedConstant(b, loc, packed, {c.n, pairs, kPair / 2}, b.getI8Type());
  } else {
    out.words = packedConstant(b, loc, codes, {c.n, c.k}, b.getI8Type());
  }
  out.scales = packScales(b, loc, turned<float>(c.scales, c.blocks(), c.n), {c.n, c.blocks()});
  if (!c.zeros.empty())
    out.zeros = packedConstant(b, loc, turned<int8_t>(c.zeros, c.blocks(), c.n), {c.n, c.blocks()}, b.getI8Type());
  return out;
}

CompressedRows optc::packRows(OpBuilder &b, Location loc, ArrayRef<uint8_t> bits, const std::vector<float> &scales, int64_t length, int64_t rows,
                              Type element) {
  CompressedRows out{{}, {}, {}, rows, length, length};
  out.words = packedConstant(b, loc, turned<uint8_t>(bits, length, rows), {rows, length}, element);
  out.scales = packScales(b, loc, scales, {rows, 1});
  return out;
}

CompressedRows optc::packRows(OpBuilder &b, Location loc, ArrayRef<uint16_t> bits, int64_t length, int64_t rows, Type element) {
  CompressedRows out{{}, {}, {}, rows, length, length};
  out.words = packedConstant(b, loc, turned<uint16_t>(bits, length, rows), {rows, length}, element);
  return out;
}

Value optc::unpackRows(OpBuilder &b, Location loc, const CompressedRows &t) {
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  Dims table{t.rows, t.length};
  auto reshape = [&](Value x, Dims dims) { return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto broadcast = [&](Value x, Dims dims) { return b.create<BroadcastOp>(loc, tensorType(dims, elementOf(x)), x); };
  // The first `length` elements of longer rows.
  auto cut = [&](Value x) -> Value {
    if (dimsOf(x)[1] == table[1])
      return x;
    auto list = [&](int64_t v) { return DimsAttr::get(b.getContext(), ArrayRef<int64_t>{v, v}); };
    return b.create<SliceOp>(loc, tensorType(table, elementOf(x)), x, list(0), list(1));
  };
  if (!t.scales)
    return b.create<CastOp>(loc, tensorType(table, f32), t.words);
  Value codes = t.words;
  if (tensorOf(codes).getRank() == 3) {
    Dims d = dimsOf(codes), wide{d[0], d[1], 2, d[2]};
    auto number = [&](int32_t v, Dims dims) {
      return broadcast(b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get({}, i32), v)), dims);
    };
    Value x = broadcast(reshape(b.create<CastOp>(loc, tensorType(d, i32), codes), {d[0], d[1], 1, d[2]}), wide);
    // The low half by 28 to the left, the high one by 24.
    Value half = b.create<IotaOp>(loc, tensorType({2, 1}, i32), 0);
    Value left = b.create<SubOp>(loc, number(28, {2, 1}), b.create<MulOp>(loc, half, number(4, {2, 1})));
    x = b.create<ShiftOp>(loc, x, broadcast(left, wide), "left");
    x = b.create<ShiftOp>(loc, x, number(28, wide), "right");
    codes = cut(reshape(b.create<CastOp>(loc, tensorType(wide, b.getI8Type()), x), {d[0], d[1] * DimExpr(kPair)}));
  }
  auto spread = [&](Value x) -> Value {
    Dims d = dimsOf(x);
    if (d[1] == DimExpr(1))
      return broadcast(x, table);
    return cut(reshape(broadcast(reshape(x, {d[0], d[1], 1}), {d[0], d[1], t.block}), {d[0], d[1] * DimExpr(t.block)}));
  };
  Value scales = elementOf(t.scales).isF32() ? t.scales : Value(b.create<CastOp>(loc, tensorType(dimsOf(t.scales), f32), t.scales));
  return b.create<DequantizeOp>(loc, tensorType(table, f32), codes, spread(scales), t.zeros ? spread(t.zeros) : Value());
}

/// What ops of one operand, and shifts by constants, are made of. `block`: the elements that one is repeated for.
static Value sourceOf(Value x, int64_t *block = nullptr) {
  for (Operation *op = x.getDefiningOp(); isa_and_nonnull<BroadcastOp, CastOp, ReshapeOp, ShiftOp, SliceOp>(op); op = x.getDefiningOp()) {
    if (auto repeat = dyn_cast<BroadcastOp>(op); repeat && block)
      *block = dimsOf(x).back().constant().value_or(0);
    x = op->getOperand(0);
  }
  return x;
}

std::optional<CompressedRows> optc::readRows(Value table) {
  while (auto cast = table.getDefiningOp<CastOp>())
    table = cast.getX();
  auto dequantize = table.getDefiningOp<DequantizeOp>();
  if (!dequantize || tensorOf(table).getRank() != 2 || !tensorOf(table).hasStaticShape())
    return std::nullopt;
  CompressedRows out{sourceOf(dequantize.getX()), {}, {}, tensorOf(table).getDimSize(0), tensorOf(table).getDimSize(1)};
  out.scales = sourceOf(dequantize.getScale(), &out.block);
  if (Value zero = dequantize.getZeroPoint())
    out.zeros = sourceOf(zero);
  auto isTable = [&](Value x, int64_t length) {
    auto type = tensorOf(x);
    return type.getRank() >= 2 && type.getDimSize(0) == out.rows && type.getNumElements() == out.rows * length;
  };
  if (out.block < 1)
    return std::nullopt;
  int64_t blocks = (out.length + out.block - 1) / out.block, length = tensorOf(out.words).getRank() == 3 ? (out.length + kPair - 1) / kPair * kPair / 2 : out.length;
  bool fits = isTable(out.words, length) && isTable(out.scales, blocks) && (!out.zeros || isTable(out.zeros, blocks));
  return fits ? std::optional(out) : std::nullopt;
}

bool optc::isMultipliedInCodes(const DimExpr &rows, Value table) {
  std::optional<CompressedRows> codes = readRows(table);
  if (!codes || rows.constant().value_or(1) > kMostRowsOfCodes) // an unknown number of rows may be one
    return false;
  Type element = elementOf(codes->words);
  return (element.isSignlessInteger(8) || isa<Float8E4M3FNType>(element)) && codes->length % kPair == 0 && (codes->block % kPair == 0 || codes->block == codes->length);
}
