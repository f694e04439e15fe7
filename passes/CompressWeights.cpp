//===- CompressWeights.cpp - Weights in fewer bits ------------------------===//
//
//   contract %x, (dequantize %codes, %scale, %zero)   =>  contract %x, (unpack of panels of 8 or 4 bits)
//   contract %x, (cast %w : bf16 to f32)              =>  contract %x, (unpack of panels of bf16)
//   contract %x, %w : f32, format given               =>  the same of w rounded to the format
//   contract %x, %w : f32, many zeros     =>  contract %x, (unpack of the other values)
//   gather %table, %i : in few bits, or also a weight =>  kernel "loops" (%i, panels) { unpack; gather }
//
// A product with few rows runs at the speed at which its weights come from memory, and an artefact is as large as its
// weights. A table that is a product's weight, too (tied embeddings), is there once. Unpacking is spelled out in ordinary
// ops (codegen/kernel/CompressedPanels.h), which kernels take in and read back.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/CompressedPanels.h"
#include "codegen/kernel/PackedWeights.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/ScalarBody.h"
#include "codegen/kernel/SparsePanels.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "passes/KernelFormation.h"
#include "passes/Passes.h"
#include "passes/QuantizedTensors.h"
#include "passes/WeightFormats.h"
#include "runtime/reference/Blocks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"
#include <numeric>

namespace optc {
#define GEN_PASS_DEF_COMPRESSWEIGHTS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// A matrix as its user sees it: [k, n], or [n, k] where `turned`.
struct Matrix {
  mlir::Value value;
  bool turned;
};

/// A matrix without its zeros, in one form or none.
struct SparseWeights {
  std::optional<SparsePanels> panels;
  std::optional<BlockPanels> blocks;
};

class Compressor {
public:
  Compressor(func::FuncOp function, WeightFormat format) : function(function), format(std::move(format)), b(function) {
    b.setInsertionPointToStart(&function.getBody().front());
  }

  void run() {
    SmallVector<ContractOp> products;
    SmallVector<GatherOp> gathers;
    function.walk([&](Operation *op) {
      if (isa<KernelOp>(op->getParentOp()))
        return;
      if (auto product = dyn_cast<ContractOp>(op))
        products.push_back(product);
      else if (auto gather = dyn_cast<GatherOp>(op))
        gathers.push_back(gather);
    });
    for (ContractOp op : products)
      compress(op);
    for (GatherOp op : gathers)
      compress(op);
  }

private:
  /// Computed from constants alone, whatever its size.
  bool isKnown(mlir::Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (isa<ConstantOp>(op))
      return true;
    auto [it, isNew] = known.try_emplace(op, false);
    if (isNew) {
      bool all = isPure(op) && op->getNumRegions() == 0 && op->getNumOperands() > 0 && !isa<LibraryOp>(op) &&
                 llvm::all_of(op->getResultTypes(), [](Type t) { return isa<RankedTensorType>(t) && cast<RankedTensorType>(t).hasStaticShape(); }) &&
                 llvm::all_of(op->getOperands(), [&](mlir::Value v) { return isKnown(v); });
      known[op] = all;
      return all;
    }
    return it->second;
  }

  void compress(ContractOp op);
  void compress(GatherOp op);
  static Matrix untransposed(Matrix matrix);
  std::optional<CompressedPanels> panelsOf(Matrix matrix, Operation *user);
  std::optional<CompressedPanels> keptPanels(Matrix matrix);
  std::optional<CompressedPanels> loweredPanels(Matrix matrix, Operation *user);
  std::optional<CompressedPanels> float8Panels(FailureOr<HostValue> codes, Type element, std::optional<FailureOr<HostValue>> scale, Location loc);
  std::optional<BlockCodes> readCodes(const HostValue &codes, const HostValue &scale, const HostValue *zero);

  /// The value of `source` as the matrix has it: through the movement between them, as [k, n].
  FailureOr<HostValue> evaluateAs(Matrix matrix, mlir::Value source, ArrayRef<Operation *> movement);
  SparseWeights withoutZeros(Matrix matrix, ContractOp user);
  /// For the report: `size` weights share a scale (0: there are none).
  void note(Operation *user, int64_t size, double decibels);
  void eraseDead(Operation *op);

  func::FuncOp function;
  WeightFormat format;
  OpBuilder b;
  llvm::DenseMap<Operation *, bool> known;
  /// By the untransposed value and whether that is [n, k].
  std::map<std::pair<void *, bool>, std::optional<CompressedPanels>> done;
  std::map<std::pair<void *, bool>, SparseWeights> doneSparse;
};

FailureOr<HostValue> Compressor::evaluateAs(Matrix matrix, mlir::Value source, ArrayRef<Operation *> movement) {
  SmallVector<Operation *> temporary;
  OpBuilder builder(b);
  builder.setInsertionPointAfterValue(source);
  auto add = [&](auto op) {
    temporary.push_back(op);
    source = op->getResult(0);
  };
  for (Operation *op : llvm::reverse(movement))
    if (auto transpose = dyn_cast<TransposeOp>(op))
      add(builder.create<TransposeOp>(op->getLoc(), source, transpose.getPermutation()));
    else
      add(builder.create<ReshapeOp>(op->getLoc(), tensorType(dimsOf(op->getResult(0)), elementOf(source)), source));
  if (matrix.turned)
    add(builder.create<TransposeOp>(source.getLoc(), source, ArrayRef<int64_t>{1, 0}));
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto value = evaluateWeight(source, cache);
  for (Operation *op : llvm::reverse(temporary))
    op->erase();
  return value;
}

/// The k's from one change of a number along them to the next, at most: 0 where there is none. [k, n].
template <typename T> static int64_t stepOf(ArrayRef<T> values, int64_t n) {
  int64_t step = 0;
  for (int64_t i = n; i < int64_t(values.size()); ++i)
    if (values[i] != values[i - n])
      step = std::gcd(step, i / n);
  return step;
}

/// Integers with a scale and a zero point each, all [k, n], as blocks along k; nullopt where they do not come in blocks.
std::optional<BlockCodes> Compressor::readCodes(const HostValue &codes, const HostValue &scale, const HostValue *zero) {
  BlockCodes out;
  out.k = codes.dims[0];
  out.n = codes.dims[1];
  int64_t count = out.k * out.n;
  std::vector<int64_t> q(count), z(zero ? count : 0);
  std::vector<double> s(count);
  load(codes, 0, count, q.data());
  load(scale, 0, count, s.data());
  if (zero)
    load(*zero, 0, count, z.data());
  // Where a scale or zero point differs from the one before, a block begins.
  int64_t step = std::gcd(stepOf<double>(s, out.n), stepOf<int64_t>(z, out.n));
  if (step % 8 != 0)
    return std::nullopt;
  out.block = step == 0 ? out.k : step;
  // Unsigned codes are moved to where signed ones lie.
  auto within = [](ArrayRef<int64_t> values, int64_t low, int64_t high) {
    return llvm::all_of(values, [&](int64_t v) { return v >= low && v <= high; });
  };
  bool isUnsigned = classOf(codes.type) == Class::u64 || !within(q, -128, 127);
  int64_t shift = !isUnsigned ? 0 : within(q, 0, 15) && within(z, -120, 135) ? 8 : 128;
  if (!within(q, shift - 128, shift + 127) || !within(z, shift - 128, shift + 127))
    return std::nullopt;
  out.codes.resize(count);
  for (int64_t i = 0; i < count; ++i)
    out.codes[i] = int8_t(q[i] - shift);
  for (int64_t first = 0; first < out.k; first += out.block)
    for (int64_t j = 0; j < out.n; ++j) {
      out.scales.push_back(float(s[first * out.n + j]));
      out.zeros.push_back(int8_t((zero ? z[first * out.n + j] : 0) - shift));
    }
  return out;
}

/// True where there is no zero point, or all are 0.
static bool isZero(mlir::Value zeroPoint) {
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto value = zeroPoint ? evaluateWeight(zeroPoint, cache) : FailureOr<HostValue>(HostValue());
  if (failed(value))
    return false;
  std::vector<double> x(zeroPoint ? value->size() : 0);
  load(*value, 0, int64_t(x.size()), x.data());
  return llvm::all_of(x, [](double z) { return z == 0; });
}

/// Floats of 8 bits with a scale each, all [k, n]; nullopt where scales do not come in blocks or there is a NaN.
std::optional<CompressedPanels> Compressor::float8Panels(FailureOr<HostValue> codes, Type element, std::optional<FailureOr<HostValue>> scale, Location loc) {
  if (failed(codes) || (scale && failed(*scale)))
    return std::nullopt;
  int64_t k = codes->dims[0], n = codes->dims[1];
  ArrayRef<uint8_t> bits(codes->as<uint8_t>(), size_t(k * n));
  uint8_t largest = isa<Float8E5M2Type>(element) ? 0x7c : 0x7e;
  std::vector<float> all(k * n, 1.0f), scales;
  if (scale) {
    std::vector<double> s(k * n);
    load(**scale, 0, k * n, s.data());
    llvm::copy(s, all.begin());
  }
  // A scale is multiplied by 256.
  auto fits = [](float s) { return std::abs(s) < 0x1p118f; };
  if (!llvm::all_of(bits, [&](uint8_t b) { return (b & 127) <= largest; }) || !llvm::all_of(all, fits))
    return std::nullopt;
  int64_t step = stepOf<float>(all, n), block = step == 0 ? k : step;
  if (step % 8 != 0)
    return std::nullopt;
  for (int64_t i = 0; i < k; i += block)
    scales.insert(scales.end(), all.begin() + i * n, all.begin() + (i + 1) * n);
  return packFloat8(b, loc, bits, k, n, element, scales, block);
}

/// What the model itself has in few bits.
std::optional<CompressedPanels> Compressor::keptPanels(Matrix matrix) {
  SmallVector<Operation *> movement;
  mlir::Value source = matrix.value;
  while (source.getDefiningOp() && isa<TransposeOp, ReshapeOp>(source.getDefiningOp())) {
    movement.push_back(source.getDefiningOp());
    source = movement.back()->getOperand(0);
  }
  auto as = [&](mlir::Value v) { return evaluateAs(matrix, v, movement); };
  if (auto cast = source.getDefiningOp<CastOp>()) {
    Type element = elementOf(cast.getX());
    if (isFloat8(element))
      return float8Panels(as(cast.getX()), element, {}, cast.getLoc());
    if (!element.isF16() && !element.isBF16())
      return std::nullopt;
    auto bits = as(cast.getX());
    if (failed(bits))
      return std::nullopt;
    return packHalves(b, cast.getLoc(), ArrayRef(bits->as<uint16_t>(), size_t(bits->size())), bits->dims[0], bits->dims[1], element);
  }
  auto dequantize = source.getDefiningOp<DequantizeOp>();
  if (dequantize && isFloat8(elementOf(dequantize.getX())) && isZero(dequantize.getZeroPoint()))
    return float8Panels(as(dequantize.getX()), elementOf(dequantize.getX()), as(dequantize.getScale()), dequantize.getLoc());
  if (!dequantize || !isa<IntegerType>(elementOf(dequantize.getX())) || elementOf(dequantize.getX()).getIntOrFloatBitWidth() > 8)
    return std::nullopt;
  auto codes = as(dequantize.getX()), scale = as(dequantize.getScale());
  auto zero = dequantize.getZeroPoint() ? as(dequantize.getZeroPoint()) : FailureOr<HostValue>(HostValue());
  if (failed(codes) || failed(scale) || failed(zero))
    return std::nullopt;
  auto blocks = readCodes(*codes, *scale, dequantize.getZeroPoint() ? &*zero : nullptr);
  return blocks ? std::optional(packCodes(b, dequantize.getLoc(), *blocks)) : std::nullopt;
}

/// f32 rounded to the format that was asked for.
std::optional<CompressedPanels> Compressor::loweredPanels(Matrix matrix, Operation *user) {
  auto value = evaluateAs(matrix, matrix.value, {});
  if (failed(value))
    return std::nullopt;
  int64_t k = value->dims[0], n = value->dims[1];
  ArrayRef<float> w(value->as<float>(), size_t(k * n));
  Location loc = matrix.value.getLoc();
  auto refuse = [&](const Twine &why) {
    noteKept(function, user, why.str());
    return std::nullopt;
  };
  if (format.isInteger()) {
    auto codes = quantizeBlocks(w, k, n, format.bits(), format.blockSize());
    if (!codes)
      return refuse("a weight is not finite");
    note(user, format.blockSize(), signalToNoise(w, *codes));
    return packCodes(b, loc, *codes);
  }
  if (format.name == "f8") {
    auto codes = toFloat8(w, k, n);
    if (!codes)
      return refuse("a weight is not finite");
    note(user, k, signalToNoise(w, *codes));
    return packFloat8(b, loc, codes->bits, k, n, Float8E4M3FNType::get(b.getContext()), codes->scales, k);
  }
  auto bits = toHalves(w, format);
  if (!bits)
    return refuse("a weight does not fit " + format.name);
  note(user, 0, 0);
  return packHalves(b, loc, *bits, k, n, format.name == "bf16" ? Type(b.getBF16Type()) : b.getF16Type());
}

/// A matrix with many zeros, without them.
SparseWeights Compressor::withoutZeros(Matrix matrix, ContractOp user) {
  // Below that the masks and what unpacking costs are not worth it.
  constexpr double kLeastZeros = 0.3, kMostBlocks = 0.7;
  auto type = tensorOf(matrix.value);
  if (type.getNumElements() < kMinCompressed || !isWeight(matrix.value) || isa<DequantizeOp, CastOp>(matrix.value.getDefiningOp()))
    return SparseWeights();
  auto key = std::pair(matrix.value.getAsOpaquePointer(), matrix.turned);
  if (auto it = doneSparse.find(key); it != doneSparse.end())
    return it->second;
  auto &result = doneSparse[key];
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
  auto rows = dimsOf(user.getLhs())[0].constant();
  bool halves = format.name == "bf16" || format.name == "f16";
  if (user->hasAttr(kKeepFloat) || format.isInteger() || format.name == "f8")
    return refuse(user->hasAttr(kKeepFloat) ? "as it is kept in f32" : "codes of few bits have no masks");
  if (llvm::any_of(matrix.value.getUsers(), [](Operation *o) { return isa<GatherOp>(o); }))
    return refuse("an embedding reads it, too");
  // What is not multiplied gains with any number of rows.
  int64_t listed = dense / k * count / kPanel * int64_t(17 * sizeof(float));
  if (!halves && double(count) <= kMostBlocks * double(k) && double(listed) < 1.2 * double(masked)) {
    noteSparse(function, user, llvm::formatv("{0}: at most {1} of {2} blocks of 16 columns are not 0 and stored, {3} bytes less", found, count, k,
                                             4 * dense - listed).str());
    result.blocks = packBlocks(b, matrix.value.getLoc(), w, k, n);
    return result;
  }
  if (!halves && rows && *rows > kDirectRows)
    return refuse("many rows read it");
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

void Compressor::note(Operation *user, int64_t size, double decibels) {
  std::string text = "weights in " + format.name;
  if (size)
    text += llvm::formatv(", a scale for each {0}, signal over noise {1:f1} dB", size, decibels);
  noteLowered(function, user, text);
}

/// A transposed table is the same table.
Matrix Compressor::untransposed(Matrix matrix) {
  while (auto transpose = matrix.value.getDefiningOp<TransposeOp>()) {
    if (transpose.getPermutation() != ArrayRef<int64_t>{1, 0})
      break;
    matrix = {transpose.getX(), !matrix.turned};
  }
  return matrix;
}

std::optional<CompressedPanels> Compressor::panelsOf(Matrix matrix, Operation *user) {
  matrix = untransposed(matrix);
  auto [it, isNew] = done.try_emplace({matrix.value.getAsOpaquePointer(), matrix.turned});
  if (!isNew)
    return it->second;
  if (tensorOf(matrix.value).getDimSize(matrix.turned ? 1 : 0) < kMinCompressedK)
    return std::nullopt;
  it->second = keptPanels(matrix);
  if (!it->second && !format.name.empty() && tensorOf(matrix.value).getNumElements() >= kMinCompressed)
    it->second = loweredPanels(matrix, user);
  return it->second;
}

/// Ops that nothing uses any more: what grows beyond a weight's size would become steps. What was remembered of them goes with
/// them, as their memory may be another op's next.
void Compressor::eraseDead(Operation *op) {
  llvm::SmallSetVector<Operation *, 16> left;
  left.insert(op);
  while (!left.empty()) {
    Operation *next = left.pop_back_val();
    if (!next || isa<ConstantOp>(next) || !isOpTriviallyDead(next))
      continue;
    for (mlir::Value v : next->getOperands())
      left.insert(v.getDefiningOp());
    known.erase(next);
    for (mlir::Value result : next->getResults())
      for (bool turned : {false, true})
        done.erase({result.getAsOpaquePointer(), turned}), doneSparse.erase({result.getAsOpaquePointer(), turned});
    next->erase();
  }
}

void Compressor::compress(ContractOp op) {
  mlir::Value rhs = op.getRhs();
  if (!op.getLhsBatch().empty() || tensorOf(rhs).getRank() != 2 || tensorOf(op.getLhs()).getRank() != 2 || !elementOf(rhs).isF32() ||
      op.getRhsContract().size() != 1 || !isKnown(rhs) || isKnown(op.getLhs()))
    return;
  OpBuilder builder(op);
  auto replace = [&](mlir::Value unpacked) {
    auto product = builder.create<ContractOp>(op.getLoc(), op.getLhs(), unpacked, ArrayRef<int64_t>{}, ArrayRef<int64_t>{}, op.getLhsContract(),
                                              ArrayRef<int64_t>{0});
    op.replaceAllUsesWith(product.getY());
    eraseDead(op);
  };
  Matrix matrix{rhs, op.getRhsContract().front() == 1};
  auto keep = op->getAttrOfType<StringAttr>(kKeepFloat);
  if (keep && !format.name.empty())
    noteKept(function, op, keep);
  if (SparseWeights sparse = withoutZeros(untransposed(matrix), op); sparse.blocks)
    return replace(unpackBlocks(builder, rhs.getLoc(), *sparse.blocks));
  else if (sparse.panels)
    return replace(unpackSparse(builder, rhs.getLoc(), *sparse.panels));
  if (auto panels = keep ? keptPanels(untransposed(matrix)) : panelsOf(matrix, op))
    return replace(unpackCompressed(builder, rhs.getLoc(), *panels));
  if (isWeight(rhs))
    return;
  // Known, but too large to be a weight expression: scales that do not come in blocks.
  llvm::DenseMap<mlir::Value, HostValue> cache;
  if (auto value = evaluateWeight(rhs, cache); succeeded(value)) {
    op.getRhsMutable().assign(b.create<ConstantOp>(rhs.getLoc(), elementsOf(*value, cast<RankedTensorType>(rhs.getType()))));
    eraseDead(rhs.getDefiningOp());
  }
}

void Compressor::compress(GatherOp op) {
  mlir::Value table = op.getX();
  if (op.getAxis() != 0 || tensorOf(table).getRank() != 2 || !elementOf(table).isF32() || !isKnown(table) || isKnown(op.getY()) ||
      tensorOf(table).getNumElements() < kMinCompressed)
    return;
  // Of f32, but packed for a product: the same panels serve both.
  Matrix matrix = untransposed({table, true});
  bool isShared = done.count({matrix.value.getAsOpaquePointer(), matrix.turned});
  auto panels = panelsOf(matrix, op);
  if (!panels && !(isShared && isWeight(table)))
    return;
  OpBuilder builder(op);
  Location loc = table.getLoc();
  mlir::Value packed;
  if (!panels)
    packed = packPanels(builder, builder.create<TransposeOp>(loc, table, ArrayRef<int64_t>{1, 0}));
  Operation *before = op->getPrevNode();
  auto dims = tensorOf(table).getShape();
  mlir::Value columns = panels ? unpackCompressed(builder, loc, *panels) : unpackPanels(builder, loc, packed, dims[1], dims[0]);
  mlir::Value rows = builder.create<TransposeOp>(loc, columns, ArrayRef<int64_t>{1, 0});
  builder.create<GatherOp>(op.getLoc(), rows, op.getIndices(), 0);
  SmallVector<Operation *> ops;
  for (Operation *i = before ? before->getNextNode() : &op->getBlock()->front(); i != op; i = i->getNextNode())
    if (!isa<ConstantOp>(i))
      ops.push_back(i);
  Operation *gather = ops.back();
  op.replaceAllUsesWith(gather->getResult(0));
  buildKernel(ops, gather->getResult(0), "loops", op, [](OpBuilder &inner, Operation *o, IRMapping &mapping) { inner.clone(*o, mapping); });
  for (Operation *o : llvm::reverse(ops)) {
    known.erase(o);
    o->erase();
  }
  eraseDead(op);
}

struct CompressWeights : optc::impl::CompressWeightsBase<CompressWeights> {
  using CompressWeightsBase::CompressWeightsBase;
  void runOnOperation() override {
    WeightFormat wanted{format, block};
    if (!format.empty() && !wanted.isKnown()) {
      getOperation()->emitError("'") << wanted.name << "' is no format of weights";
      return signalPassFailure();
    }
    if (block != 0 && (block < 16 || block % 8 != 0)) {
      getOperation()->emitError("a block of ") << int64_t(block) << " weights: expected a multiple of 8, at least 16";
      return signalPassFailure();
    }
    Compressor(getOperation(), wanted).run();
  }
};
} // namespace
