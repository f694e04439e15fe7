//===- SparsePanels.cpp - Weights without their zeros ---------------------===//

#include "codegen/kernel/SparsePanels.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/PackedWeights.h"

using namespace mlir;
using namespace optc;

static int64_t panelsOf(int64_t n) { return (n + kPanel - 1) / kPanel; }

Sparsity optc::sparsityOf(ArrayRef<float> w, int64_t k, int64_t n) {
  Sparsity s;
  std::vector<uint8_t> inFour(n);
  for (int64_t i = 0; i < k; ++i) {
    if (i % 4 == 0)
      std::fill(inFour.begin(), inFour.end(), 0);
    for (int64_t j = 0; j < n; ++j)
      if (w[i * n + j] != 0) {
        ++s.count;
        s.isTwoOfFour &= ++inFour[j] <= 2;
      }
  }
  return s;
}

int64_t optc::sparseBytes(int64_t k, int64_t n, int64_t count, int64_t valueBytes) {
  return (count + kPanel) * valueBytes + panelsOf(n) * (2 * k + 4) + 4;
}

SparsePanels optc::packSparse(OpBuilder &b, Location loc, ArrayRef<float> w, ArrayRef<uint16_t> bits, int64_t k, int64_t n, Type element) {
  std::vector<float> values;
  std::vector<uint16_t> halves, masks;
  std::vector<int32_t> starts;
  for (int64_t p = 0; p < panelsOf(n); ++p) {
    starts.push_back(int32_t(std::max(values.size(), halves.size())));
    for (int64_t i = 0; i < k; ++i) {
      uint16_t mask = 0;
      for (int64_t j = p * kPanel; j < std::min(n, (p + 1) * kPanel); ++j) {
        if (w[i * n + j] == 0)
          continue;
        mask |= uint16_t(1 << (j % kPanel));
        if (bits.empty())
          values.push_back(w[i * n + j]);
        else
          halves.push_back(bits[i * n + j]);
      }
      masks.push_back(mask);
    }
  }
  starts.push_back(int32_t(std::max(values.size(), halves.size())));
  values.resize(values.size() + kPanel);
  halves.resize(halves.size() + kPanel);
  SparsePanels out;
  out.k = k;
  out.n = n;
  out.values = bits.empty() ? packedConstant(b, loc, values, {int64_t(values.size())}, element) : packedConstant(b, loc, halves, {int64_t(halves.size())}, element);
  out.masks = packedConstant(b, loc, masks, {panelsOf(n), k}, b.getI16Type());
  out.starts = packedConstant(b, loc, starts, {panelsOf(n) + 1}, b.getI32Type());
  return out;
}

Value optc::unpackSparse(OpBuilder &b, Location loc, const SparsePanels &s) {
  DimExpr panels = dimsOf(s.masks)[0], k = dimsOf(s.masks)[1];
  Dims wide{panels, k, kPanel}, flat{panels, k * DimExpr(kPanel)};
  Type i16 = b.getI16Type(), i32 = b.getI32Type(), f32 = b.getF32Type();
  auto reshape = [&](Value x, Dims dims) { return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto broadcast = [&](Value x, Dims dims) { return b.create<BroadcastOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto zero = [&](Type element) {
    auto scalar = RankedTensorType::get({}, element);
    return broadcast(b.create<ConstantOp>(loc, DenseElementsAttr::get(scalar, b.getZeroAttr(element))), wide);
  };
  auto one = b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get({}, i16), int16_t(1)));
  Value masks = broadcast(reshape(s.masks, {panels, k, 1}), wide);
  Value columns = broadcast(b.create<IotaOp>(loc, tensorType({kPanel}, i16), 0), wide);
  Value bits = b.create<AndOp>(loc, b.create<ShiftOp>(loc, masks, columns, "right"), broadcast(one, wide));
  Value counts = b.create<CastOp>(loc, tensorType(flat, i32), reshape(bits, flat));
  Value before = b.create<CumulativeOp>(loc, counts, 1, "sum", /*exclusive=*/true, /*reverse=*/false);
  auto front = [&](int64_t i) { return DimsAttr::get(b.getContext(), ArrayRef<int64_t>{i}); };
  Value starts = b.create<SliceOp>(loc, tensorType({panels}, i32), s.starts, front(0), front(1));
  Value positions = b.create<AddOp>(loc, before, broadcast(reshape(starts, {panels, 1}), flat));
  Value gathered = reshape(b.create<GatherOp>(loc, s.values, positions, 0), wide);
  Value isThere = b.create<CompareOp>(loc, tensorType(wide, b.getI1Type()), bits, zero(i16), "ne");
  Value x = b.create<SelectOp>(loc, tensorType(wide, elementOf(gathered)), isThere, gathered, zero(elementOf(gathered)));
  if (elementOf(x) != f32)
    x = b.create<CastOp>(loc, tensorType(wide, f32), x);
  return unpackPanels(b, loc, x, s.k, s.n);
}

std::optional<SparsePanels> optc::readSparse(Value matrix) {
  if (tensorOf(matrix).getRank() != 2 || !tensorOf(matrix).hasStaticShape() || !elementOf(matrix).isF32())
    return std::nullopt;
  SparsePanels s;
  s.k = *dimsOf(matrix)[0].constant();
  s.n = *dimsOf(matrix)[1].constant();
  Value x = matrix;
  if (Value sliced = through<SliceOp>(x))
    x = sliced;
  x = through<TransposeOp>(through<ReshapeOp>(x));
  if (Value narrow = through<CastOp>(x))
    x = narrow;
  auto select = x ? x.getDefiningOp<SelectOp>() : SelectOp();
  auto gathered = select ? through<ReshapeOp>(select.getOnTrue()) : Value();
  auto gather = gathered ? gathered.getDefiningOp<GatherOp>() : GatherOp();
  auto compare = select ? select.getCondition().getDefiningOp<CompareOp>() : CompareOp();
  Value masks = compare ? through<ReshapeOp>(through<BroadcastOp>(through<ShiftOp>(through<AndOp>(compare.getLhs())))) : Value();
  auto add = gather ? gather.getIndices().getDefiningOp<AddOp>() : AddOp();
  if (!masks || !add || !add.getLhs().getDefiningOp<CumulativeOp>())
    return std::nullopt;
  s.values = gather.getX();
  s.masks = masks;
  s.starts = through<SliceOp>(through<ReshapeOp>(through<BroadcastOp>(add.getRhs())));
  bool ok = s.starts && tensorOf(s.values).getRank() == 1 && tensorOf(masks).getRank() == 2 && elementOf(masks).isInteger(16) &&
            dimsOf(masks)[1] == DimExpr(s.k) && dimsOf(masks)[0] == DimExpr(panelsOf(s.n));
  return ok ? std::optional(s) : std::nullopt;
}
