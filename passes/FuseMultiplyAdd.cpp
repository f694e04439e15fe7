//===- FuseMultiplyAdd.cpp - Products and sums in one instruction ---------===//
//
// In kernels, of floats:
//
//   add (mul %x, %s), %b                =>  fma %x, %s, %b
//   add (dequantize %x, %s, %z), %b     =>  fma (dequantize %x, 1, %z), %s, %b
//
// The product is not rounded any more, so that results differ in their last bits from those of two ops. It runs once
// kernels are formed: what recognises formulas looks for the two. A CPU without the instruction would need a
// function for it: the pipeline leaves this pass out there.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/Quantized.h"

namespace optc {
#define GEN_PASS_DEF_FUSEMULTIPLYADD
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct FuseMultiplyAdd : optc::impl::FuseMultiplyAddBase<FuseMultiplyAdd> {
  void runOnOperation() override {
    getOperation().walk([](KernelOp kernel) {
      // Their generators read a fixed form.
      if (kernel.getKind() == "attention" || kernel.getKind() == "recurrent")
        return;
      for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front()))
        if (auto sum = dyn_cast<AddOp>(op))
          fuse(sum);
    });
  }

private:
  static void fuse(AddOp sum) {
    if (!elementOf(sum.getY()).isF32())
      return;
    for (int side : {0, 1}) {
      Operation *product = sum->getOperand(side).getDefiningOp();
      if (!product || !product->hasOneUse() || !isa<MulOp, DequantizeOp>(product))
        continue;
      OpBuilder b(sum);
      Location loc = b.getFusedLoc({product->getLoc(), sum.getLoc()});
      Value x = product->getOperand(0), scale = product->getOperand(1);
      if (auto dequantize = dyn_cast<DequantizeOp>(product)) {
        Value one = repeat(b, loc, scalarConstant(b, loc, b.getF32Type(), 1), dimsOf(dequantize.getY()));
        x = b.create<DequantizeOp>(loc, dequantize.getType(), x, one, dequantize.getZeroPoint());
      }
      sum.replaceAllUsesWith(b.create<FmaOp>(loc, x, scale, sum->getOperand(1 - side)).getResult());
      sum.erase();
      product->erase();
      return;
    }
  }
};

} // namespace
