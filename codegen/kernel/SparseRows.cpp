//===- SparseRows.cpp - Two of four, as a GPU multiplies them -------------===//

#include "codegen/kernel/SparseRows.h"
#include "codegen/kernel/PackedWeights.h"

using namespace mlir;
using namespace optc;

/// Of a step; k's and rows of an instruction; k's whose positions a thread has.
static constexpr int64_t kStep = 128, kRows = 16, kDepth = 32, kHalf = 16;

std::optional<SparseRows> optc::packSparseRows(OpBuilder &b, Location loc, ArrayRef<uint16_t> bits, int64_t k, int64_t n, Type element) {
  int64_t rows = (n + kRows - 1) / kRows * kRows, steps = (k + kStep - 1) / kStep, depth = steps * kStep;
  std::vector<uint16_t> values(size_t(rows * depth / 2));
  std::vector<uint32_t> positions(size_t(rows / kRows * steps * kRows * 4));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t four = 0; four < depth / 4; ++four) {
      int64_t places[2], found = 0;
      auto isThere = [&](int64_t i) { return row < n && 4 * four + i < k && (bits[(4 * four + i) * n + row] & 0x7fff) != 0; };
      for (int64_t i = 0; i < 4; ++i)
        if (isThere(i)) {
          if (found == 2)
            return std::nullopt;
          places[found++] = i;
        }
      // Zeros are values, too, where there are fewer than two others.
      if (found == 0)
        places[found++] = 0;
      if (found == 1) {
        places[1] = places[0] == 0 ? 1 : places[0];
        places[0] = places[0] == 0 ? 0 : places[0] - 1;
      }
      for (int64_t i = 0; i < 2; ++i)
        if (isThere(places[i]))
          values[row * depth / 2 + 2 * four + i] = bits[(4 * four + places[i]) * n + row];
      int64_t at = four * 4, thread = row % 8 * 2 + at % kDepth / kHalf;
      uint32_t &word = positions[((row / kRows * steps + at / kStep) * kRows + thread) * 4 + at % kStep / kDepth];
      word |= uint32_t(places[0] | places[1] << 2) << (row % kRows / 8 * 16 + at % kHalf);
    }
  SparseRows out;
  out.values = packedConstant(b, loc, values, {rows, depth / 2}, element);
  out.positions = packedConstant(b, loc, positions, {rows / kRows, steps, kRows, 4}, b.getI32Type());
  out.n = n;
  out.k = k;
  return out;
}

Value optc::unpackSparseRows(OpBuilder &b, Location loc, const SparseRows &s) {
  Type i32 = b.getI32Type(), element = elementOf(s.values);
  int64_t rows = *dimsOf(s.values)[0].constant(), depth = *dimsOf(s.values)[1].constant() * 2, steps = depth / kStep, fours = rows * depth / 4;
  auto reshape = [&](Value x, Dims dims) { return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto broadcast = [&](Value x, Dims dims) { return b.create<BroadcastOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto number = [&](Attribute value, Type type, Dims dims) {
    return broadcast(b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get({}, type), value)), dims);
  };
  // [tile, step, row of 8, half of 32 k's, instruction, row / 8, field]
  Dims fields{rows / kRows, steps, 8, 2, 4, 2, 8};
  Value words = broadcast(reshape(s.positions, {rows / kRows, steps, 8, 2, 4, 1, 1}), fields);
  Value amounts = b.create<IotaOp>(loc, tensorType({16}, i32), 0);
  amounts = b.create<MulOp>(loc, amounts, number(b.getI32IntegerAttr(2), i32, {16}));
  Value shifted = b.create<ShiftOp>(loc, words, broadcast(reshape(amounts, {2, 8}), fields), "right");
  Value places = b.create<AndOp>(loc, shifted, number(b.getI32IntegerAttr(3), i32, fields));
  places = reshape(b.create<TransposeOp>(loc, places, ArrayRef<int64_t>{0, 5, 2, 1, 4, 3, 6}), {fours, 2});
  Value values = reshape(s.values, {fours, 2});
  // Each of the four k's is the first, the second, or 0.
  Dims wide{fours, 4};
  Value k = broadcast(b.create<IotaOp>(loc, tensorType({4}, i32), 0), wide);
  auto dims = [&](ArrayRef<int64_t> list) { return DimsAttr::get(b.getContext(), list); };
  auto of = [&](Value two, int64_t i) { return broadcast(b.create<SliceOp>(loc, tensorType({fours, 1}, elementOf(two)), two, dims({0, i}), dims({1, 1})), wide); };
  Value x = number(b.getFloatAttr(element, 0), element, wide);
  for (int64_t i : {1, 0}) {
    Value isHere = b.create<CompareOp>(loc, tensorType(wide, b.getI1Type()), of(places, i), k, "eq");
    x = b.create<SelectOp>(loc, tensorType(wide, element), isHere, of(values, i), x);
  }
  x = reshape(x, {rows, depth});
  return rows == s.n && depth == s.k ? x : Value(b.create<SliceOp>(loc, tensorType({s.n, s.k}, element), x, dims({0, 0}), dims({1, 1})));
}
