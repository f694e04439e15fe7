//===- SkipRounding.cpp - Codes that are never stored ---------------------===//
//
// A convolution's result is often quantised and dequantised before a residual is added to it. Where one kernel does all of
// that and stores the codes of the sum, those in between have no use but to limit the values:
//
//   %q = quantize %x, 1, %z;  %d = dequantize %q, %s, %z;  ...  quantize (add %d, %r)
//     =>  %d = mul (min (max %x, low - z), high - z), %s
//
// The limits stay, as a quantisation may be what a model has of an activation's. One rounding remains for what is stored, so that
// results come closer to those in f32.
//
//===----------------------------------------------------------------------===//

#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "llvm/ADT/SetVector.h"

namespace optc {
#define GEN_PASS_DEF_SKIPROUNDING
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// True when every way from the value to what the kernel stores goes through a quantisation. Each op is looked at once, though many
/// ways may lead to it.
bool isQuantizedAgain(Value value) {
  llvm::SetVector<Operation *> users(value.getUsers().begin(), value.getUsers().end());
  for (size_t i = 0; i < users.size(); ++i) {
    if (isa<QuantizeOp>(users[i]))
      continue;
    if (!users[i]->hasTrait<Elementwise>() && !isa<ReshapeOp>(users[i]))
      return false;
    users.insert(users[i]->getResult(0).getUsers().begin(), users[i]->getResult(0).getUsers().end());
  }
  return true;
}

struct SkipRounding : optc::impl::SkipRoundingBase<SkipRounding> {
  void runOnOperation() override {
    getOperation().walk([](KernelOp kernel) {
      for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front()))
        if (auto dequantize = dyn_cast<DequantizeOp>(op))
          skip(dequantize);
    });
  }

private:
  static void skip(DequantizeOp dequantize) {
    auto quantize = dequantize.getX().getDefiningOp<QuantizeOp>();
    auto zero = quantize ? zeroPoint(quantize.getZeroPoint()) : std::nullopt;
    if (!zero || !quantize->hasOneUse() || !is8Bit(quantize.getY()) || !elementOf(quantize.getX()).isF32() ||
        !elementOf(dequantize.getY()).isF32() || splatValue(quantize.getScale()) != 1.0 || zeroPoint(dequantize.getZeroPoint()) != zero ||
        !isQuantizedAgain(dequantize.getY()))
      return;
    OpBuilder b(dequantize);
    Location loc = b.getFusedLoc({quantize.getLoc(), dequantize.getLoc()});
    Value x = limited(b, quantize.getX(), quantize, 1);
    dequantize.replaceAllUsesWith(b.create<MulOp>(loc, x.getType(), x, dequantize.getScale()).getResult());
    dequantize.erase();
    quantize.erase();
  }
};

} // namespace
