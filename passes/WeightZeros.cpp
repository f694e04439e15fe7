//===- WeightZeros.cpp - Weights without their zeros ----------------------===//

#include "passes/WeightZeros.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/Winograd.h"
#include "ir/PrecisionNotes.h"
#include "passes/Quantized.h"
#include "passes/QuantizedTensors.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace optc;

/// Below that the masks and what unpacking costs are not worth it.
static constexpr double kLeastZeros = 0.3;

/// Rows that a weight is multiplied with: of a convolution, pixels of one result.
static DimExpr rowsOf(Operation *product) {
  Dims dims = dimsOf(product->getResult(0));
  return numElements(ArrayRef<DimExpr>(dims).drop_front(isa<ConvOp>(product) ? 1 : 0).drop_back());
}

std::optional<SparseCodes> optc::withoutZeroCodes(OpBuilder &b, func::FuncOp function, mlir::Value codes, mlir::Value panels, Operation *user,
                                                  CodeSpreading spreading) {
  if (tensorOf(codes).getNumElements() < kMinCompressed)
    return std::nullopt;
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto value = evaluateWeight(codes, cache);
  if (failed(value))
    return std::nullopt;
  const int8_t *elements = value->as<int8_t>();
  int64_t zeros = std::count(elements, elements + value->size(), int8_t(0));
  if (double(zeros) < kLeastZeros * double(value->size()))
    return std::nullopt;
  auto packed = evaluateWeight(panels, cache);
  if (failed(packed))
    return std::nullopt;
  ArrayRef<int8_t> all(packed->as<int8_t>(), size_t(packed->size()));
  CodeCounts counts = countCodes(all);
  std::string found = llvm::formatv("{0:f1} % zeros{1}", 100 * double(zeros) / double(value->size()), counts.isTwoOfFour ? ", 2 of 4 along the contracted dim" : "");
  auto refuse = [&](StringRef why) {
    noteSparse(function, user, found + ": stored as dense, " + why.str());
    return std::nullopt;
  };
  // For many rows codes are spread into scratch first, which takes longer than reading them all (bert_base with AMX: 1.1 times).
  auto rows = rowsOf(user).constant();
  if (!rows)
    return refuse("the number of rows that read it is not known");
  if (*rows > kDirectRows)
    return refuse("many rows read it");
  if (!spreading.twoOfFour)
    return refuse("products of bytes take longer than reading them");
  if (!spreading.masks && !counts.isTwoOfFour)
    return refuse("not every CPU spreads bytes by masks");
  if (all.size() >= INT32_MAX)
    return refuse("it is too large");
  int64_t count = packed->dims[0], groups = packed->dims[1];
  int64_t bytes = spreading.masks ? maskedBytes(count, groups, counts.count) : twoOfFourBytes(count, groups);
  if (bytes >= int64_t(all.size()))
    return refuse("masks take as much");
  noteSparse(function, user, llvm::formatv("{0}: stored without them, {1} bytes less", found, int64_t(all.size()) - bytes).str());
  return spreading.masks ? packMasked(b, codes.getLoc(), all, count, groups) : packTwoOfFour(b, codes.getLoc(), all, count, groups);
}

SparseWeights optc::withoutZeros(OpBuilder &b, func::FuncOp function, Matrix matrix, Operation *user, const WeightFormat &format) {
  // Rows of windows are copied for their lists: with 512-bit vectors that takes as long as most products. Winograd's algorithm has a
  // quarter of these.
  auto conv = dyn_cast<ConvOp>(user);
  bool winograd = conv && isWinograd(conv);
  double mostBlocks = winograd ? 0 : conv ? 0.2 : 0.7;
  auto type = tensorOf(matrix.value);
  if (type.getNumElements() < kMinCompressed || !isWeight(matrix.value) || isInFewBits(matrix.value))
    return SparseWeights();
  SparseWeights result;
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto value = evaluateWeight(matrix.value, cache);
  if (failed(value))
    return SparseWeights();
  const float *elements = value->as<float>();
  int64_t zeros = std::count(elements, elements + value->size(), 0.0f);
  if (double(zeros) < kLeastZeros * double(value->size()))
    return SparseWeights();
  value = evaluateAs(matrix, matrix.value, {});
  if (failed(value))
    return SparseWeights();
  int64_t k = value->dims[0], n = value->dims[1];
  ArrayRef<float> w(value->as<float>(), size_t(k * n));
  Sparsity sparsity = sparsityOf(w, k, n);
  std::string found = llvm::formatv("{0:f1} % zeros{1}", 100 * double(zeros) / double(k * n), sparsity.isTwoOfFour ? ", 2 of 4 along the contracted dim" : "");
  auto refuse = [&](StringRef why) {
    noteSparse(function, user, found + ": stored as dense, " + why.str());
    return SparseWeights();
  };
  int64_t dense = (n + kPanel - 1) / kPanel * kPanel * k, masked = sparseBytes(k, n, sparsity.count, sizeof(float)), count = blockCount(w, k, n);
  auto rows = dimsOf(user->getOperand(0))[0].constant();
  bool halves = !conv && (format.name == "bf16" || format.name == "f16");
  bool isKept = user->hasAttr(kKeepFloat) && !format.name.empty();
  if (!conv && (isKept || format.isInteger() || format.name == "f8"))
    return refuse(isKept ? "as it is kept in f32" : "codes of few bits have no masks");
  if (isBFloatProduct(user))
    return refuse("it is computed in bf16");
  if (llvm::any_of(matrix.value.getUsers(), [](Operation *o) { return isa<GatherOp>(o); }))
    return refuse("an embedding reads it, too");
  // What is not multiplied gains with any number of rows.
  int64_t listed = dense / k * count / kPanel * int64_t(17 * sizeof(float));
  if (!halves && double(count) <= mostBlocks * double(k) && double(listed) < 1.2 * double(masked)) {
    noteSparse(function, user, llvm::formatv("{0}: at most {1} of {2} blocks of 16 columns are not 0 and stored, {3} bytes less", found, count, k,
                                             4 * dense - listed).str());
    result.blocks = packBlocks(b, matrix.value.getLoc(), w, k, n);
    return result;
  }
  if (conv)
    return refuse(winograd ? "Winograd's algorithm has fewer products" : "windows leave out blocks of 16 output channels where most are 0");
  if (!halves && rows && *rows > kDirectRows)
    return refuse("many rows read it");
  if (sparsity.count >= INT32_MAX - kPanel)
    return refuse("it has too many other values");
  auto bits = halves ? toHalves(w, format) : std::vector<uint16_t>();
  if (!bits)
    return refuse("a weight does not fit " + format.name);
  int64_t bytes = halves ? 2 : 4;
  noteSparse(function, user, llvm::formatv("{0}: stored without them, {1} bytes less", found, dense * bytes - sparseBytes(k, n, sparsity.count, bytes)).str());
  if (halves)
    noteLowered(function, user, "weights in " + format.name);
  Type element = format.name == "bf16" ? Type(b.getBF16Type()) : halves ? Type(b.getF16Type()) : Type(b.getF32Type());
  result.panels = packSparse(b, matrix.value.getLoc(), w, *bits, k, n, element);
  return result;
}

/// The constant that most of a weight comes from.
static ConstantOp largestConstant(mlir::Value weight) {
  ConstantOp largest;
  llvm::SetVector<Operation *> ops;
  ops.insert(weight.getDefiningOp());
  for (size_t i = 0; i < ops.size(); ++i) {
    auto constant = dyn_cast<ConstantOp>(ops[i]);
    if (!constant)
      for (mlir::Value operand : ops[i]->getOperands())
        ops.insert(operand.getDefiningOp());
    else if (!largest || tensorOf(constant).getNumElements() > tensorOf(largest).getNumElements())
      largest = constant;
  }
  return largest;
}

/// Whether it is worth a look at all of them: of some thousand elements of a matrix with two of four zeros half are 0, whatever is looked at.
static bool mayHaveZeros(ConstantOp constant) {
  auto value = constant ? valueOf(constant.getValue()) : FailureOr<HostValue>(failure());
  if (failed(value))
    return false;
  int64_t size = value->size(), count = std::min<int64_t>(size, 4096), zeros = 0;
  for (int64_t i = 0; i < count; ++i) {
    double x;
    // Anywhere in the i-th stretch, so that no period of the zeros is met.
    int64_t stretch = size / count;
    load(*value, i * stretch + int64_t(uint64_t(i) * 0x9e3779b97f4a7c15u >> 33) % stretch, 1, &x);
    zeros += x == 0;
  }
  return double(zeros) > kLeastZeros * double(count);
}

std::optional<SparseRows> optc::withoutTwoOfFour(OpBuilder &b, func::FuncOp function, Matrix matrix, ContractOp user) {
  auto rows = dimsOf(user.getLhs())[0].constant();
  ConstantOp source = largestConstant(matrix.value);
  if (tensorOf(matrix.value).getNumElements() < kMinCompressed || !isWeight(matrix.value) || !mayHaveZeros(source))
    return std::nullopt;
  auto value = evaluateAs(matrix, matrix.value, {});
  if (failed(value))
    return std::nullopt;
  int64_t k = value->dims[0], n = value->dims[1];
  ArrayRef<float> w(value->as<float>(), size_t(k * n));
  Sparsity sparsity = sparsityOf(w, k, n);
  double zeros = 1 - double(sparsity.count) / double(k * n);
  if (zeros < kLeastZeros)
    return std::nullopt;
  std::string found = llvm::formatv("{0:f1} % zeros{1}", 100 * zeros, sparsity.isTwoOfFour ? ", 2 of 4 along the contracted dim" : "");
  auto refuse = [&](StringRef why) {
    noteSparse(function, user, found + ": stored as dense, " + why.str());
    return std::nullopt;
  };
  if (!sparsity.isTwoOfFour)
    return refuse("a GPU's instructions leave out 2 of 4 only");
  if (rows && *rows <= kGemvRows)
    return refuse("few rows are not multiplied by these instructions");
  if (llvm::any_of(source->getUsers(), [](Operation *o) { return isa<GatherOp>(o); }))
    return refuse("an embedding reads it, too");
  Type element = elementOf(halfUnder(user.getLhs()));
  auto bits = toHalves(w, {element.isBF16() ? "bf16" : "f16"});
  if (!bits)
    return refuse("a weight is not finite");
  auto packed = packSparseRows(b, matrix.value.getLoc(), *bits, k, n, element);
  auto bytes = [](mlir::Value v) { return tensorOf(v).getNumElements() * tensorOf(v).getElementTypeBitWidth() / 8; };
  int64_t saved = 2 * k * n - bytes(packed->values) - bytes(packed->positions);
  if (saved <= 0)
    return refuse("padded to whole instructions it would be larger");
  noteSparse(function, user, llvm::formatv("{0}: the others are stored and multiplied, {1} bytes less", found, saved).str());
  return packed;
}
