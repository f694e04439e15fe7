//===- MaskedValues.cpp - Values that are not zero, and masks -------------===//

#include "codegen/kernel/MaskedValues.h"
#include "codegen/kernel/PackedWeights.h"

using namespace mlir;
using namespace optc;

Value optc::unpackMasked(OpBuilder &b, Location loc, const MaskedValues &s) {
  Type word = elementOf(s.masks), i32 = b.getI32Type();
  DimExpr panels = dimsOf(s.masks)[0], rows = dimsOf(s.masks)[1], width(word.getIntOrFloatBitWidth());
  Dims wide{panels, rows, width}, flat{panels, rows * width};
  auto reshape = [&](Value x, Dims dims) { return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto broadcast = [&](Value x, Dims dims) { return b.create<BroadcastOp>(loc, tensorType(dims, elementOf(x)), x); };
  auto zero = [&](Type element) {
    auto scalar = RankedTensorType::get({}, element);
    return broadcast(b.create<ConstantOp>(loc, DenseElementsAttr::get(scalar, b.getZeroAttr(element))), wide);
  };
  auto one = b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get({}, word), b.getIntegerAttr(word, 1)));
  Value masks = broadcast(reshape(s.masks, {panels, rows, 1}), wide);
  Value columns = broadcast(b.create<IotaOp>(loc, tensorType({width}, word), 0), wide);
  Value bits = b.create<AndOp>(loc, b.create<ShiftOp>(loc, masks, columns, "right"), broadcast(one, wide));
  Value counts = b.create<CastOp>(loc, tensorType(flat, i32), reshape(bits, flat));
  Value before = b.create<CumulativeOp>(loc, counts, 1, "sum", /*exclusive=*/true, /*reverse=*/false);
  auto front = [&](int64_t i) { return DimsAttr::get(b.getContext(), ArrayRef<int64_t>{i}); };
  Value starts = b.create<SliceOp>(loc, tensorType({panels}, i32), s.starts, front(0), front(1));
  Value positions = b.create<AddOp>(loc, before, broadcast(reshape(starts, {panels, 1}), flat));
  Value gathered = reshape(b.create<GatherOp>(loc, s.values, positions, 0), wide);
  Value isThere = b.create<CompareOp>(loc, tensorType(wide, b.getI1Type()), bits, zero(word), "ne");
  return b.create<SelectOp>(loc, tensorType(wide, elementOf(gathered)), isThere, gathered, zero(elementOf(gathered)));
}

std::optional<MaskedValues> optc::readMasked(Value rows) {
  auto select = rows ? rows.getDefiningOp<SelectOp>() : SelectOp();
  auto gathered = select ? through<ReshapeOp>(select.getOnTrue()) : Value();
  auto gather = gathered ? gathered.getDefiningOp<GatherOp>() : GatherOp();
  auto compare = select ? select.getCondition().getDefiningOp<CompareOp>() : CompareOp();
  Value masks = compare ? through<ReshapeOp>(through<BroadcastOp>(through<ShiftOp>(through<AndOp>(compare.getLhs())))) : Value();
  auto add = gather ? gather.getIndices().getDefiningOp<AddOp>() : AddOp();
  if (!masks || !add || !add.getLhs().getDefiningOp<CumulativeOp>())
    return std::nullopt;
  MaskedValues s{gather.getX(), masks, through<SliceOp>(through<ReshapeOp>(through<BroadcastOp>(add.getRhs())))};
  bool ok = s.starts && tensorOf(s.values).getRank() == 1 && tensorOf(masks).getRank() == 2 && isa<IntegerType>(elementOf(masks)) &&
            dimsOf(rows).size() == 3 && dimsOf(rows)[2] == DimExpr(elementOf(masks).getIntOrFloatBitWidth());
  return ok ? std::optional(s) : std::nullopt;
}
