//===- SparseCodes.cpp - 8-bit codes without zeros ------------------------===//

#include "codegen/kernel/SparseCodes.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/PackedWeights.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace optc;

/// k's of a group, groups of a word of masks, codes of a group.
static constexpr int64_t kFour = 4, kGroupsPerWord = 8, kGroupCodes = kPanel * kFour;

static int64_t wordsOf(int64_t groups) { return (groups + kGroupsPerWord - 1) / kGroupsPerWord; }

SmallVector<Value *, 3> SparseCodes::operands() {
  SmallVector<Value *, 3> all{&values, &masks};
  if (starts)
    all.push_back(&starts);
  return all;
}

CodeCounts optc::countCodes(ArrayRef<int8_t> panels) {
  CodeCounts c;
  for (size_t i = 0; i < panels.size(); i += kFour) {
    int64_t inFour = llvm::count_if(panels.slice(i, kFour), [](int8_t q) { return q != 0; });
    c.count += inFour;
    c.isTwoOfFour &= inFour <= 2;
  }
  return c;
}

int64_t optc::maskedBytes(int64_t panels, int64_t groups, int64_t count) { return count + kGroupCodes + panels * (8 * groups + 4) + 4; }
int64_t optc::twoOfFourBytes(int64_t panels, int64_t groups) { return panels * wordsOf(groups) * (kGroupsPerWord * kPanel * 2 + kPanel * 4) + 2; }

SparseCodes optc::packMasked(OpBuilder &b, Location loc, ArrayRef<int8_t> codes, int64_t panels, int64_t groups) {
  std::vector<int8_t> values;
  std::vector<uint64_t> masks;
  std::vector<int32_t> starts;
  for (int64_t g = 0; g < panels * groups; ++g) {
    if (g % groups == 0)
      starts.push_back(int32_t(values.size()));
    masks.push_back(0);
    for (int64_t i = 0; i < kGroupCodes; ++i)
      if (int8_t q = codes[g * kGroupCodes + i]) {
        masks.back() |= uint64_t(1) << i;
        values.push_back(q);
      }
  }
  starts.push_back(int32_t(values.size()));
  values.resize(values.size() + kGroupCodes);
  MaskedValues masked{packedConstant(b, loc, values, {int64_t(values.size())}, b.getI8Type()),
                      packedConstant(b, loc, masks, {panels, groups}, b.getI64Type()), packedConstant(b, loc, starts, {panels + 1}, b.getI32Type())};
  return SparseCodes{masked, panels, groups};
}

SparseCodes optc::packTwoOfFour(OpBuilder &b, Location loc, ArrayRef<int8_t> codes, int64_t panels, int64_t groups) {
  int64_t words = wordsOf(groups);
  std::vector<int8_t> values(panels * words * kGroupsPerWord * kPanel * 2 + 2);
  std::vector<uint32_t> masks(panels * words * kPanel);
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t g = 0; g < words * kGroupsPerWord; ++g)
      for (int64_t column = 0; column < kPanel; ++column) {
        const int8_t *four = g < groups ? codes.data() + ((p * groups + g) * kPanel + column) * kFour : nullptr;
        uint32_t mask = 0;
        for (int64_t t = 0; four && t < kFour; ++t)
          mask |= uint32_t(four[t] != 0) << t;
        // Zeros are values, too, where there are fewer than two others.
        for (int64_t t = 0; llvm::popcount(mask) < 2; ++t)
          mask |= 1u << t;
        masks[(p * words + g / kGroupsPerWord) * kPanel + column] |= mask << (kFour * (g % kGroupsPerWord));
        int8_t *to = values.data() + ((p * words * kGroupsPerWord + g) * kPanel + column) * 2;
        for (int64_t t = 0; four && t < kFour; ++t)
          if (mask >> t & 1)
            *to++ = four[t];
      }
  SparseCodes out;
  out.values = packedConstant(b, loc, values, {int64_t(values.size())}, b.getI8Type());
  out.masks = packedConstant(b, loc, masks, {panels, words, kPanel}, b.getI32Type());
  out.panels = panels;
  out.groups = groups;
  return out;
}

/// The position of a code is that of its four's first value and the number of bits before it.
static Value unpackTwoOfFour(OpBuilder &b, Location loc, const SparseCodes &s) {
  Type i32 = b.getI32Type(), i8 = b.getI8Type();
  int64_t words = wordsOf(s.groups), fours = s.panels * words * kGroupsPerWord * kPanel;
  Dims wide{s.panels, words, kGroupsPerWord, kPanel, kFour}, flat{fours, kFour};
  auto reshape = [&](Value x, Dims dims) { return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto broadcast = [&](Value x, Dims dims) { return b.create<BroadcastOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto number = [&](int64_t value, Type element, Dims dims) {
    auto scalar = RankedTensorType::get({}, element);
    return broadcast(b.create<ConstantOp>(loc, DenseElementsAttr::get(scalar, b.getIntegerAttr(element, value))), dims);
  };
  Value masks = broadcast(reshape(s.masks, {s.panels, words, 1, kPanel, 1}), wide);
  Value amounts = reshape(b.create<IotaOp>(loc, tensorType({kGroupsPerWord * kFour}, i32), 0), {kGroupsPerWord, 1, kFour});
  Value bits = b.create<AndOp>(loc, b.create<ShiftOp>(loc, masks, broadcast(amounts, wide), "right"), number(1, i32, wide));
  bits = reshape(bits, flat);
  Value before = b.create<CumulativeOp>(loc, bits, 1, "sum", /*exclusive=*/true, /*reverse=*/false);
  Value firsts = b.create<MulOp>(loc, b.create<IotaOp>(loc, tensorType(flat, i32), 0), number(2, i32, flat));
  Value gathered = b.create<GatherOp>(loc, s.values, b.create<AddOp>(loc, before, firsts), 0);
  Value isThere = b.create<CompareOp>(loc, tensorType(flat, b.getI1Type()), bits, number(0, i32, flat), "ne");
  Value x = b.create<SelectOp>(loc, tensorType(flat, i8), isThere, gathered, number(0, i8, flat));
  x = reshape(x, {s.panels, words * kGroupsPerWord, kPanel, kFour});
  if (words * kGroupsPerWord == s.groups)
    return x;
  auto four = [&](int64_t i) { return DimsAttr::get(b.getContext(), ArrayRef<int64_t>{i, i, i, i}); };
  return b.create<SliceOp>(loc, tensorType({s.panels, s.groups, kPanel, kFour}, i8), x, four(0), four(1));
}

Value optc::unpackSparseCodes(OpBuilder &b, Location loc, const SparseCodes &s) {
  if (s.isTwoOfFour())
    return unpackTwoOfFour(b, loc, s);
  Value rows = unpackMasked(b, loc, s);
  return b.create<ReshapeOp>(loc, tensorType({s.panels, s.groups, kPanel, kFour}, elementOf(rows)), rows);
}

/// [panels, groups, 16, 4] of codes: under a transpose where the value is a matrix or a filter.
static Value panelsUnder(Value value) {
  for (Value x = value; Operation *op = x.getDefiningOp(); x = op->getOperand(0)) {
    if (auto transpose = dyn_cast<TransposeOp>(op))
      return transpose.getPermutation() == ArrayRef<int64_t>{1, 3, 0, 2} ? transpose.getX() : Value();
    if (!isa<SliceOp, ReshapeOp>(op))
      break;
  }
  return value;
}

std::optional<SparseCodes> optc::readSparseCodes(Value value) {
  Value x = elementOf(value).isSignlessInteger(8) ? panelsUnder(value) : Value();
  if (!x || !tensorOf(x).hasStaticShape() || tensorOf(x).getRank() != 4 || tensorOf(x).getShape().take_back(2) != ArrayRef<int64_t>{kPanel, kFour})
    return std::nullopt;
  SparseCodes s;
  s.panels = tensorOf(x).getDimSize(0);
  s.groups = tensorOf(x).getDimSize(1);
  if (Value whole = through<SliceOp>(x))
    x = whole;
  x = through<ReshapeOp>(x);
  if (auto masked = readMasked(x)) {
    static_cast<MaskedValues &>(s) = *masked;
    bool ok = elementOf(s.masks).isInteger(64) && tensorOf(s.masks).getShape() == ArrayRef<int64_t>{s.panels, s.groups};
    return ok ? std::optional(s) : std::nullopt;
  }
  auto select = x ? x.getDefiningOp<SelectOp>() : SelectOp();
  auto gather = select ? select.getOnTrue().getDefiningOp<GatherOp>() : GatherOp();
  auto compare = select ? select.getCondition().getDefiningOp<CompareOp>() : CompareOp();
  Value shifted = compare ? through<AndOp>(through<ReshapeOp>(compare.getLhs())) : Value();
  Value masks = shifted ? through<ReshapeOp>(through<BroadcastOp>(through<ShiftOp>(shifted))) : Value();
  if (!gather || !masks || !elementOf(masks).isInteger(32) || tensorOf(masks).getShape() != ArrayRef<int64_t>{s.panels, wordsOf(s.groups), kPanel})
    return std::nullopt;
  s.values = gather.getX();
  s.masks = masks;
  return tensorOf(s.values).getRank() == 1 ? std::optional(s) : std::nullopt;
}
