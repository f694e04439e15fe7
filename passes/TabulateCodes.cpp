//===- TabulateCodes.cpp - Functions of codes by tables -------------------===//
//
// What a quantised model makes of one tensor of codes, element by element, until it is quantised again, is a function of 256 values:
//
//   %x = dequantize %q;  %s = dequantize (quantize (sigmoid %x));  %y = quantize (mul %x, %s)
//     =>  %y = lookup %q {table = ...}
//
// The table is what the evaluator computes, so that codes are those of the model as it is written, every rounding included. It is
// for CPUs that look up bytes in registers (AVX-512 VBMI), and for chains that take longer than that: with a quantisation inside, or a
// function that is no plain arithmetic.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Evaluate.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace optc {
#define GEN_PASS_DEF_TABULATECODES
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

constexpr int64_t kCodes = 256;

/// A scalar, or what repeats one: the same number for every element.
Operation *constantOf(mlir::Value value) {
  while (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getX();
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant && constant.getValue().isSplat() ? constant.getOperation() : nullptr;
}

/// The elementwise ops between one tensor of codes and a quantisation.
struct Chain {
  mlir::Value codes;
  llvm::SetVector<Operation *> ops; // the quantisation first

  /// Operands before what reads them.
  SmallVector<Operation *> inOrder() const {
    SmallVector<Operation *> ordered(ops.begin(), ops.end());
    llvm::sort(ordered, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
    return ordered;
  }

  /// Whether a table is faster.
  bool isLong() const {
    return llvm::any_of(ArrayRef(ops.getArrayRef()).drop_front(), [](Operation *op) {
      return isa<QuantizeOp, ExpOp, LogOp, Log1pOp, Expm1Op, SinOp, CosOp, TanhOp, ErfOp, SigmoidOp, SiluOp, SoftplusOp, GeluOp, HardSwishOp, PowOp,
                 SqrtOp, RsqrtOp, DivOp, AsinhOp, AtanOp, SinhOp, CoshOp>(op);
    });
  }

  /// The root's codes for each of the 256, by their bits.
  FailureOr<SmallVector<int64_t>> table() const {
    OpBuilder b(ops.front());
    SmallVector<Operation *> made;
    auto constant = [&](DenseElementsAttr value, Location loc) {
      auto op = b.create<ConstantOp>(loc, value);
      made.push_back(op);
      return op.getY();
    };
    auto typed = [](Type element) { return RankedTensorType::get({kCodes}, element); };
    SmallVector<APInt> all;
    for (int64_t i = 0; i < kCodes; ++i)
      all.push_back(APInt(8, uint64_t(i)));
    IRMapping mapping;
    mapping.map(codes, mlir::Value(constant(DenseElementsAttr::get(typed(elementOf(codes)), all), codes.getLoc())));
    for (Operation *op : inOrder()) {
      for (mlir::Value operand : op->getOperands())
        if (Operation *known = mapping.contains(operand) ? nullptr : constantOf(operand)) {
          Attribute number = cast<ConstantOp>(known).getValue().getSplatValue<Attribute>();
          mapping.map(operand, mlir::Value(constant(DenseElementsAttr::get(typed(elementOf(operand)), number), op->getLoc())));
        }
      Operation *twin = b.clone(*op, mapping);
      twin->getResult(0).setType(typed(elementOf(op->getResult(0))));
      mapping.map(op->getResult(0), twin->getResult(0));
      made.push_back(twin);
    }
    llvm::DenseMap<mlir::Value, HostValue> cache;
    auto known = evaluateWeight(mapping.lookup(ops.front()->getResult(0)), cache);
    SmallVector<int64_t> table;
    if (succeeded(known))
      table.assign(known->as<uint8_t>(), known->as<uint8_t>() + kCodes);
    cache.clear();
    for (Operation *op : llvm::reverse(made))
      op->erase();
    if (failed(known))
      return failure();
    return table;
  }
};

struct TabulateCodes : optc::impl::TabulateCodesBase<TabulateCodes> {
  void runOnOperation() override {
    SmallVector<Chain> chains;
    getOperation().walk([&](QuantizeOp root) {
      if (!is8Bit(root.getY()) || !elementOf(root.getX()).isF32() || isWeight(root.getY()))
        return;
      if (auto chain = read(root)) {
        sources[root.getY()] = chain->codes;
        chains.push_back(std::move(*chain));
      }
    });
    // The last ones first: theirs are the longest chains, and what only they read is gone then.
    llvm::DenseSet<Operation *> gone;
    for (const Chain &chain : llvm::reverse(chains))
      if (!gone.contains(chain.ops.front()) && chain.isLong())
        tabulate(chain, gone);
  }

private:
  /// nullopt where there is more than one tensor, or something else between. What comes before has been read.
  std::optional<Chain> read(QuantizeOp root) const {
    constexpr size_t kMostOps = 32;
    Chain chain;
    chain.ops.insert(root);
    for (size_t i = 0; i < chain.ops.size(); ++i) {
      Operation *reader = chain.ops[i];
      for (mlir::Value operand : reader->getOperands()) {
        if (constantOf(operand))
          continue;
        if (isa<DequantizeOp>(reader) && is8Bit(operand)) {
          auto source = sources.find(operand);
          mlir::Value codes = source == sources.end() ? operand : source->second;
          if (operand != reader->getOperand(0) || (chain.codes && chain.codes != codes))
            return std::nullopt;
          chain.codes = codes;
          if (codes == operand)
            continue;
        }
        Operation *op = operand.getDefiningOp();
        if (!op || !op->hasTrait<Elementwise>() || op->getBlock() != root->getBlock() || chain.ops.size() == kMostOps)
          return std::nullopt;
        chain.ops.insert(op);
      }
    }
    return chain.codes ? std::optional(chain) : std::nullopt;
  }

  static void tabulate(const Chain &chain, llvm::DenseSet<Operation *> &gone) {
    auto table = chain.table();
    if (failed(table))
      return;
    auto root = cast<QuantizeOp>(chain.ops.front());
    SmallVector<Location> locations;
    for (Operation *op : chain.ops)
      locations.push_back(op->getLoc());
    OpBuilder b(root);
    auto lookup = b.create<LookupOp>(b.getFusedLoc(locations), root.getType(), chain.codes, *table);
    root.replaceAllUsesWith(lookup.getY());
    SmallVector<Operation *> ordered = chain.inOrder();
    for (Operation *op : llvm::reverse(ordered))
      if (op->use_empty()) {
        gone.insert(op);
        op->erase();
      }
  }

  /// What the codes of a quantisation are a function of.
  llvm::DenseMap<mlir::Value, mlir::Value> sources;
};

} // namespace
