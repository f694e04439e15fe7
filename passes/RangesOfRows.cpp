//===- RangesOfRows.cpp - Dynamic ranges a row ----------------------------===//
//
// A dynamically quantised product takes the range of its operand when it runs. Taken from each row, by the same formula, it is never
// wider than that of the tensor, so that codes lie closer to f32; and a row's kernel has its values at hand:
//
//   %low = reduce %x {min, all dims};  ...  %q = quantize %x, (broadcast %scale), (broadcast %zero)
//     =>  %low = reduce %x {min, last dim};  ...  %q = quantize (mul %x, (broadcast 1 / %scale[rows, 1])), 1, (broadcast %zero[rows, 1])
//
// The formula may be any of elementwise ops on the reductions and constants. Where all that reads the codes are products that
// sum along the rows.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"

namespace optc {
#define GEN_PASS_DEF_RANGESOFROWS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

bool isOne(Value value) {
  return llvm::all_of(dimsOf(value), [](const DimExpr &d) { return d == DimExpr(1); });
}
/// The same rows where their kernel writes them.
Value beforeReshape(Value x) {
  auto reshape = x.getDefiningOp<ReshapeOp>();
  Dims from = reshape ? dimsOf(reshape.getX()) : Dims();
  return !from.empty() && from.back() == dimsOf(x).back() ? reshape.getX() : x;
}

/// Numbers computed from the extremes of a tensor, again for each of its rows.
class RowFormula {
public:
  RowFormula(OpBuilder &b, Value x) : b(b), dims(dimsOf(x)), own(dimsOf(beforeReshape(x))), rows(ArrayRef<DimExpr>(own).drop_back()) {}

  /// True when the number is a formula of such extremes alone.
  bool reads(Value number) {
    foundExtreme = false;
    return isFormula(number, kDepth) && foundExtreme;
  }
  /// The formula of rows: [rows...].
  Value ofRows(Value number) {
    number = unrepeated(number);
    if (auto it = built.find(number); it != built.end())
      return it->second;
    Operation *op = number.getDefiningOp();
    Type type = tensorType(rows, elementOf(number));
    Value result;
    if (isWeight(number)) {
      result = repeat(b, number.getLoc(), scalarOf(number), rows);
    } else if (auto reduce = dyn_cast<ReduceOp>(op)) {
      Value x = beforeReshape(reduce.getX()), here = dimsOf(x) == own ? x : b.create<ReshapeOp>(op->getLoc(), tensorType(own, elementOf(x)), x);
      result = b.create<ReduceOp>(op->getLoc(), type, here, ArrayRef<int64_t>{int64_t(rows.size())}, reduce.getKind());
    } else {
      SmallVector<Value> operands;
      for (Value operand : op->getOperands())
        operands.push_back(ofRows(operand));
      Operation *twin = b.clone(*op);
      twin->setOperands(operands);
      twin->getResult(0).setType(type);
      result = twin->getResult(0);
    }
    return built[number] = result;
  }

private:
  static constexpr int kDepth = 32;

  bool isFormula(Value number, int depth) {
    number = unrepeated(number);
    Operation *op = number.getDefiningOp();
    if (!isOne(number) || !op || depth == 0)
      return false;
    if (isWeight(number))
      return true;
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      bool isExtreme = (reduce.getKind() == "min" || reduce.getKind() == "max") && dimsOf(reduce.getX()) == dims &&
                       reduce.getAxes().size() == dims.size();
      foundExtreme |= isExtreme;
      return isExtreme;
    }
    return op->hasTrait<Elementwise>() && llvm::all_of(op->getOperands(), [&](Value v) { return isFormula(v, depth - 1); });
  }
  Value scalarOf(Value number) {
    Type type = tensorType({}, elementOf(number));
    return number.getType() == type ? number : Value(b.create<ReshapeOp>(number.getLoc(), type, number));
  }

  OpBuilder &b;
  Dims dims, own, rows; // of x, of what it is a reshape of, and of that without the last
  llvm::DenseMap<Value, Value> built;
  bool foundExtreme = false;
};

/// The ops that dequantise the codes for products along their rows; empty when something else reads them.
SmallVector<DequantizeOp> productsReading(QuantizeOp quantize) {
  SmallVector<DequantizeOp> found;
  DimExpr length = dimsOf(quantize.getX()).back();
  SmallVector<Operation *> users(quantize->user_begin(), quantize->user_end());
  while (!users.empty()) {
    Operation *user = users.pop_back_val();
    if (auto reshape = dyn_cast<ReshapeOp>(user)) {
      Dims dims = dimsOf(reshape.getY());
      if (dims.empty() || dims.back() != length)
        return {};
      llvm::append_range(users, reshape->getUsers());
      continue;
    }
    auto dequantize = dyn_cast<DequantizeOp>(user);
    auto reads = [&](Operation *op) {
      auto contract = dyn_cast<ContractOp>(op);
      return contract && contract.getRhs() != dequantize.getY() && contract.getLhsBatch().empty() && tensorOf(contract.getLhs()).getRank() == 2 &&
             contract.getLhsContract() == ArrayRef<int64_t>{1} && isWeight(contract.getRhs());
    };
    if (!dequantize || !sameNumber(dequantize.getScale(), quantize.getScale()) ||
        !sameNumber(dequantize.getZeroPoint(), quantize.getZeroPoint()) || !llvm::all_of(dequantize->getUsers(), reads))
      return {};
    found.push_back(dequantize);
  }
  return found;
}

struct RangesOfRows : optc::impl::RangesOfRowsBase<RangesOfRows> {
  void runOnOperation() override {
    SmallVector<QuantizeOp> found;
    getOperation().walk([&](QuantizeOp quantize) {
      if (is8Bit(quantize.getY()) && tensorOf(quantize.getX()).getRank() > 0 && !isWeight(quantize.getY()))
        found.push_back(quantize);
    });
    llvm::for_each(found, takeRows);
  }

private:
  static void takeRows(QuantizeOp quantize) {
    OpBuilder b(quantize);
    RowFormula formula(b, quantize.getX());
    Value scale = quantize.getScale(), zero = quantize.getZeroPoint();
    SmallVector<DequantizeOp> readers = productsReading(quantize);
    // A symmetric range has no zero point, or a constant one.
    bool zeroVaries = zero && !zeroPoint(zero);
    if (readers.empty() || !formula.reads(scale) || (zeroVaries && !formula.reads(zero)))
      return;
    Value scales = formula.ofRows(scale), zeros = zeroVaries ? formula.ofRows(zero) : zero ? uniformElement(b, zero) : Value();
    // One division a row.
    Location loc = quantize.getLoc();
    Value x = beforeReshape(quantize.getX()), one = scalarConstant(b, loc, elementOf(x), 1);
    Dims dims = dimsOf(x);
    Value inverses = b.create<DivOp>(loc, scales.getType(), repeat(b, loc, one, dimsOf(scales)), scales);
    Value scaled = b.create<MulOp>(loc, x.getType(), x, alongRows(b, inverses, dims));
    Value codes = b.create<QuantizeOp>(loc, tensorType(dims, elementOf(quantize.getY())), scaled, repeat(b, loc, one, dims),
                                       zero ? alongRows(b, zeros, dims) : Value(), quantize.getSaturate());
    if (codes.getType() != quantize.getType())
      codes = b.create<ReshapeOp>(loc, quantize.getType(), codes);
    for (DequantizeOp dequantize : readers) {
      OpBuilder at(dequantize);
      Dims read = dimsOf(dequantize.getX());
      dequantize.getScaleMutable().assign(alongRows(at, scales, read));
      if (zero)
        dequantize.getZeroPointMutable().assign(alongRows(at, zeros, read));
    }
    quantize.replaceAllUsesWith(codes);
    quantize.erase();
  }

  /// One number, or one a row, for each element of these dims.
  static Value alongRows(OpBuilder &b, Value rows, ArrayRef<DimExpr> dims) {
    if (tensorOf(rows).getRank() == 0)
      return repeat(b, rows.getLoc(), rows, dims);
    Dims kept(dims);
    kept.back() = DimExpr(1);
    return repeat(b, rows.getLoc(), b.create<ReshapeOp>(rows.getLoc(), tensorType(kept, elementOf(rows)), rows), dims);
  }
};

} // namespace
