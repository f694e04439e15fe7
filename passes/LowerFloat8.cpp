//===- LowerFloat8.cpp - Products of e4m3 out of quantised ones -----------===//
//
// A GPU multiplies e4m3 as it is stored. A product of tensors that are dequantised from it is the product of their codes, scaled:
//
//   contract (dequantize %x, sx), (dequantize %w, sw[n])
//     =>  mul (contract (cast %x : f32), (cast %w : f32)), sx * sw[n]
//
// Scales are one number each; of a matrix %x one a row, of constant weights one a column. Sums are f32, as they are without this.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Weight.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "passes/RightOperand.h"

namespace optc {
#define GEN_PASS_DEF_LOWERFLOAT8
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

class Float8Product {
public:
  explicit Float8Product(Operation *root) : root(root), b(root), loc(root->getLoc()) {}

  void lower() {
    auto x = read(root->getOperand(0)), w = read(root->getOperand(1));
    if (!x || !w || !isa<FloatType>(elementOf(root->getResult(0))))
      return;
    Value rowScale = rowScaleOf(x->scale), columnScale = columnScaleOf(w->scale);
    if (!rowScale || !columnScale)
      return;
    Dims result = dimsOf(root->getResult(0));
    Type f32 = b.getF32Type(), sums = tensorType(result, f32);
    Value lhs = castTo(f32, x->codes), rhs = castTo(f32, w->codes);
    Operation *product = b.clone(*root);
    product->setOperands({lhs, rhs});
    product->getResult(0).setType(cast<RankedTensorType>(sums));
    Value scaled = b.create<MulOp>(loc, sums, product->getResult(0), outerProduct(b, loc, castTo(f32, columnScale), castTo(f32, rowScale), result));
    root->getResult(0).replaceAllUsesWith(castTo(elementOf(root->getResult(0)), scaled));
    root->erase();
  }

private:
  /// Of f16 and bf16 it is widened to be multiplied.
  std::optional<Quantized> read(Value value) {
    auto q = dequantizedFrom(b, halfUnder(value) ? halfUnder(value) : value);
    return q && isa<Float8E4M3FNType>(elementOf(q->codes)) && isZero(q->zero) ? q : std::nullopt;
  }
  static bool isZero(Value zero) {
    auto number = zero ? splatValue(zero) : std::optional<double>(0);
    return number ? *number == 0 : isZeros(zero);
  }

  Value castTo(Type element, Value x) {
    return elementOf(x) == element ? x : Value(b.create<CastOp>(loc, tensorType(dimsOf(x), element), x));
  }

  /// One number, or [m, 1]; null where there are others.
  Value rowScaleOf(Value scale) {
    if (Value one = uniformElement(b, scale))
      return one;
    auto contract = dyn_cast<ContractOp>(root);
    Value rows = contract && contract.getLhsBatch().empty() ? vectorAlong(b, scale, 0) : Value();
    return rows ? Value(b.create<ReshapeOp>(loc, tensorType({dimsOf(rows)[0], DimExpr(1)}, elementOf(rows)), rows)) : Value();
  }
  /// One number, or [n].
  Value columnScaleOf(Value scale) {
    if (Value one = uniformElement(b, scale))
      return one;
    if (!isWeight(scale))
      return {};
    auto contract = dyn_cast<ContractOp>(root);
    int64_t last = tensorOf(scale).getRank() - 1;
    return vectorAlong(b, scale, contract && contract.getRhsContract().front() == last ? last - 1 : last);
  }

  Operation *root;
  OpBuilder b;
  Location loc;
};

/// In the form of which a GPU has kernels.
bool isProduct(Operation *op) {
  if (auto conv = dyn_cast<ConvOp>(op))
    return conv.getLayout() == "nhwc" && isDeviceConv(conv);
  auto contract = dyn_cast<ContractOp>(op);
  if (!contract)
    return false;
  int64_t batch = int64_t(contract.getLhsBatch().size());
  return batch <= 1 && tensorOf(contract.getLhs()).getRank() == batch + 2 && tensorOf(contract.getRhs()).getRank() == batch + 2 &&
         contract.getLhsContract().size() == 1;
}

struct LowerFloat8 : optc::impl::LowerFloat8Base<LowerFloat8> {
  void runOnOperation() override {
    SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (isProduct(op) && !isWeight(op->getResult(0)))
        products.push_back(op);
    });
    for (Operation *op : products)
      Float8Product(op).lower();
  }
};

} // namespace
