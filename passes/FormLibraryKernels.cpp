//===- FormLibraryKernels.cpp - Ops that the GPU's library computes -------===//
//
// What is left for library steps becomes kernels where GPUs have a function for it
// (codegen/kernel/LibraryKernel.h):
//
//   %y = optc.nonzero %x   =>   %y = optc.kernel "library" (%x) { optc.nonzero; optc.yield }
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/LibraryKernel.h"
#include "ir/eval/Weight.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"

namespace optc {
#define GEN_PASS_DEF_FORMLIBRARYKERNELS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {
struct FormLibraryKernels : optc::impl::FormLibraryKernelsBase<FormLibraryKernels> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<KernelOp>(op))
        return WalkResult::skip();
      if (hasLibraryKernel(op) && !llvm::all_of(op->getResults(), [](Value v) { return isWeight(v); }))
        ops.push_back(op);
      return WalkResult::advance();
    });
    for (Operation *op : ops) {
      OpBuilder b(op);
      auto kernel = b.create<KernelOp>(op->getLoc(), op->getResultTypes(), op->getOperands(), "library");
      Block *body = b.createBlock(&kernel.getBody());
      IRMapping mapping;
      for (Value operand : op->getOperands())
        mapping.map(operand, body->addArgument(operand.getType(), operand.getLoc()));
      b.create<YieldOp>(op->getLoc(), b.clone(*op, mapping)->getResults());
      op->replaceAllUsesWith(kernel.getResults());
      op->erase();
    }
  }
};
} // namespace
