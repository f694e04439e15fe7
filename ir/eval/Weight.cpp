//===- Weight.cpp - What is known at compile time -------------------------===//

#include "ir/eval/Weight.h"
#include "ir/eval/Evaluate.h"

using namespace mlir;
using namespace optc;

static int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() * int64_t(sizeOf(dtypeOf(type.getElementType())));
}

/// The matrix product that a value is, but for movement.
static ContractOp productUnder(mlir::Value value) {
  while (value.getDefiningOp() && isa<ReshapeOp, TransposeOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value.getDefiningOp<ContractOp>();
}

namespace {
/// What weights are computed from. Each value above the one asked for is looked at once.
class WeightSources {
public:
  /// Bytes of the largest tensors that the value is computed from; nullopt: it is no weight.
  std::optional<int64_t> bytes(mlir::Value value) {
    auto [it, isNew] = known.try_emplace(value);
    if (!isNew)
      return it->second;
    auto result = compute(value);
    known[value] = result;
    return result;
  }

  /// True for a broadcast or a product that is larger than a weight may be, but is only part of the expressions of weights:
  /// elementwise ops read it, through operandBytes(), and nothing else does.
  bool isPartOfWeights(mlir::Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !(isa<BroadcastOp>(op) || productUnder(value)))
      return false;
    SmallVector<Operation *> readers;
    return collectReaders(op, readers) && llvm::all_of(readers, [&](Operation *reader) { return bytes(reader->getResult(0)).has_value(); });
  }

private:
  std::optional<int64_t> compute(mlir::Value value) {
    Operation *op = value.getDefiningOp();
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!op || !type)
      return std::nullopt;
    if (isa<ConstantOp>(op))
      return bytesOf(type);
    if (!type.hasStaticShape() || !isPure(op) || op->getNumRegions() != 0 || op->getNumOperands() == 0 || isa<LibraryOp>(op) ||
        isa<StringType>(type.getElementType()))
      return std::nullopt;
    int64_t in = 0;
    for (mlir::Value operand : op->getOperands()) {
      auto source = op->hasTrait<Elementwise>() ? operandBytes(operand) : bytes(operand);
      if (!source)
        return std::nullopt;
      in = std::min(in + *source, kMost);
    }
    int64_t most = kBudget + in;
    // The transforms of Winograd's algorithm double a weight's size each; codes are a quarter of what they stand for.
    if (isa<ContractOp>(op))
      most *= 2;
    if (isa<CastOp, DequantizeOp>(op))
      most *= 4;
    return bytesOf(type) <= most ? std::optional(std::max(in, bytesOf(type))) : std::nullopt;
  }

  /// What an elementwise op's operand counts: an op reads a broadcast as it goes, so what is repeated does; of a product added
  /// to a weight (w + b * a, of low rank) its factors do.
  std::optional<int64_t> operandBytes(mlir::Value operand) {
    if (auto product = productUnder(operand)) {
      auto lhs = bytes(product.getLhs());
      auto rhs = lhs ? bytes(product.getRhs()) : std::nullopt;
      return rhs ? std::optional(*lhs + *rhs) : std::nullopt;
    }
    auto broadcast = operand.getDefiningOp<BroadcastOp>();
    return bytes(broadcast ? broadcast.getX() : operand);
  }

  /// Collects the elementwise ops that read an op's result, or a product's moved one. False when another op reads it.
  static bool collectReaders(Operation *op, SmallVectorImpl<Operation *> &readers) {
    return !op->use_empty() && llvm::all_of(op->getUsers(), [&](Operation *user) {
      if (isa<ReshapeOp, TransposeOp>(user) && productUnder(user->getResult(0)))
        return collectReaders(user, readers);
      readers.push_back(user);
      return user->hasTrait<Elementwise>();
    });
  }

  /// Bytes that a weight may have more than what it is computed from.
  static constexpr int64_t kBudget = 1 << 20;
  /// Sums end here: a chain of x + x doubles what it counts each time.
  static constexpr int64_t kMost = int64_t(1) << 48;

  llvm::DenseMap<mlir::Value, std::optional<int64_t>> known;
};
} // namespace

bool optc::isWeight(mlir::Value value) {
  WeightSources sources;
  return sources.bytes(value).has_value() || sources.isPartOfWeights(value);
}

std::optional<int64_t> optc::uniformByte(mlir::Value weight) {
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto codes = evaluateWeight(weight, cache);
  if (failed(codes) || codes->size() == 0)
    return std::nullopt;
  llvm::ArrayRef<uint8_t> bytes(static_cast<const uint8_t *>(codes->data), codes->size());
  if (llvm::any_of(bytes, [&](uint8_t b) { return b != bytes[0]; }))
    return std::nullopt;
  return elementOf(weight).isUnsignedInteger() ? int64_t(bytes[0]) : int64_t(int8_t(bytes[0]));
}

bool optc::isZeros(mlir::Value value) {
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto zeros = isWeight(value) ? evaluateWeight(value, cache) : FailureOr<HostValue>(failure());
  if (failed(zeros))
    return false;
  std::vector<double> x(zeros->size());
  load(*zeros, 0, int64_t(x.size()), x.data());
  return llvm::all_of(x, [](double v) { return v == 0; });
}
