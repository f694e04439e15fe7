//===- SwitchRounding.cpp - bf16 or floats, chosen at run time ------------===//
//
// To find the layers that bf16 hurts, one compiled model has to show many choices of layers. Ops with a number are computed
// both ways here, and further inputs of the model, bools, choose:
//
//   y = conv x, w {optc.switch = 3}
//     =>  y = select switch:3, (conv (bf16 x), (bf16 w)), (conv x, w)
//
// where bf16 is a cast there and back. Ops of one number share their switch.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/QuantizationBuilder.h"

namespace optc {
#define GEN_PASS_DEF_SWITCHROUNDING
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct SwitchRounding : optc::impl::SwitchRoundingBase<SwitchRounding> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    SmallVector<std::pair<Operation *, int64_t>> found;
    int64_t count = 0;
    function.walk([&](Operation *op) {
      if (auto number = op->getAttrOfType<IntegerAttr>(kSwitch)) {
        found.push_back({op, number.getInt()});
        count = std::max(count, number.getInt() + 1);
      }
    });
    SmallVector<Value> switches;
    for (int64_t i = 0; i < count; ++i)
      switches.push_back(addSwitch(function, i));
    for (auto [op, number] : found)
      switchOp(op, switches[number]);
  }

private:
  static void switchOp(Operation *op, Value flag) {
    OpBuilder b(op);
    op->removeAttr(kSwitch);
    Operation *lowered = b.clone(*op);
    // Of attention: queries, keys and values.
    unsigned count = isa<AttentionOp>(op) ? 3 : 2;
    b.setInsertionPoint(lowered);
    for (OpOperand &operand : lowered->getOpOperands().take_front(count))
      if (elementOf(operand.get()).isF32()) {
        Value x = operand.get();
        Value half = b.create<CastOp>(op->getLoc(), tensorType(dimsOf(x), b.getBF16Type()), x);
        operand.set(b.create<CastOp>(op->getLoc(), x.getType(), half));
      }
    b.setInsertionPointAfter(op);
    Value kept = op->getResult(0), either = chosen(b, flag, lowered->getResult(0), kept);
    kept.replaceAllUsesExcept(either, either.getDefiningOp());
  }
};

} // namespace
