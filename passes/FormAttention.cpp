//===- FormAttention.cpp - Kernels of attention ---------------------------===//
//
// Heads are made by reshapes and transposes of one matrix, and put side by side again after. Inside the kernel these
// are strides, so nothing is moved:
//
//   %q = transpose (reshape (slice %qkv)) [0, 2, 1, 3];  %k, %v alike
//   %y = attention %q, %k, %v;  %z = transpose %y [0, 2, 1, 3]
//   =>  %z = optc.kernel "attention" (%qkv, %qkv, %qkv)
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/AttentionCodes.h"
#include "codegen/kernel/StridedView.h"
#include "passes/KernelFormation.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace optc {
#define GEN_PASS_DEF_FORMATTENTION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct FormAttention : optc::impl::FormAttentionBase<FormAttention> {
  using FormAttentionBase::FormAttentionBase;
  void runOnOperation() override {
    SmallVector<AttentionOp> roots;
    getOperation().walk([&](AttentionOp op) {
      Type element = elementOf(op.getQ());
      bool isKnown = element.isF32() || (gpu && (element.isF16() || element.isBF16()));
      if (isKnown && elementOf(op.getK()) == element && elementOf(op.getV()) == element && !op->use_empty())
        roots.push_back(op);
    });
    for (AttentionOp op : roots)
      form(op);
  }

  /// What repeats a constant belongs to the kernel.
  static void addParameter(llvm::SetVector<Operation *> &members, Value parameter) {
    auto broadcast = parameter ? parameter.getDefiningOp<BroadcastOp>() : BroadcastOp();
    if (!broadcast)
      return;
    addParameter(members, broadcast.getX());
    members.insert(broadcast);
  }

  /// Kernels take constants of one element in, and read a mask from memory.
  static void repeatMask(AttentionOp op) {
    auto constant = op.getMask() ? op.getMask().getDefiningOp<ConstantOp>() : ConstantOp();
    if (!constant || tensorOf(op.getMask()).getNumElements() != 1)
      return;
    OpBuilder b(op);
    Type type = tensorType({1, 1, 1, dimsOf(op.getK())[2]}, elementOf(op.getMask()));
    op.getMaskMutable().assign(b.create<BroadcastOp>(op.getLoc(), type, op.getMask()));
  }

  void form(AttentionOp op) {
    repeatMask(op);
    llvm::SetVector<Operation *> members;
    bool ofCodes = !gpu && attentionCodes(op);
    // Floats are no worse.
    if (!ofCodes)
      op->removeAttr(kProbabilitySteps);
    bool bfloat = bfloatUnder(op.getQ()) && bfloatUnder(op.getK()) && bfloatUnder(op.getV());
    for (Value operand : {op.getQ(), op.getK(), op.getV()}) {
      if (bfloat) {
        members.insert(operand.getDefiningOp());
        operand = bfloatUnder(operand);
      } else if (ofCodes) {
        auto dequantize = operand.getDefiningOp<DequantizeOp>();
        addParameter(members, dequantize.getScale());
        addParameter(members, dequantize.getZeroPoint());
        members.insert(dequantize);
        operand = dequantize.getX();
      }
      Value base = furthestView(operand).base;
      for (Value v = operand; v != base; v = v.getDefiningOp()->getOperand(0))
        members.insert(v.getDefiningOp());
    }
    // Movement is cheap to repeat: what others use as well stays for them.
    members.insert(op);
    Value result = op.getY();
    Operation *user = *result.user_begin();
    auto transpose = dyn_cast<TransposeOp>(user);
    if (result.hasOneUse() && transpose && transpose.getPermutation().back() == 3) {
      members.insert(transpose);
      result = transpose.getY();
    }
    SmallVector<Operation *> ordered = members.takeVector();
    llvm::sort(ordered, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    Operation *last = ordered.back();
    buildKernel(ordered, result, "attention", last,
                [](OpBuilder &builder, Operation *inner, IRMapping &mapping) { builder.clone(*inner, mapping); });
    for (Operation *member : llvm::reverse(ordered))
      if (member->use_empty())
        member->erase();
  }
};

} // namespace
