//===- CompressWeights.cpp - Weights in fewer bits ------------------------===//
//
//   contract %x, (dequantize %codes, %scale, %zero)   =>  contract %x, (unpack of panels of 8 or 4 bits)
//   contract %x, (cast %w : bf16 to f32)              =>  contract %x, (unpack of panels of bf16)
//   contract %x, %w : f32, format given               =>  the same of w rounded to the format
//   contract %x, %w : f32, many zeros     =>  contract %x, (unpack of the other values)
//   contract, conv %x, %w : i8, many zeros => the same of (unpack of the other codes)
//   conv %x, %w : f32, many zeros         =>  conv %x, (unpack of the blocks of 16 output channels that are not 0)
//   contract %x, (dequantize or cast), on a GPU  =>  contract %x, (unpack of rows, one for each column) {optc.unpacks_rhs}
//   contract %x, (cast %w : bf16), two of four zeros, on a GPU  =>  contract %x, (cast (unpack of the others)) {optc.two_of_four}
//   gather %table, %i : in few bits, or also a weight =>  kernel "loops" (%i, panels, or rows) { unpack; gather }
//
// A product with few rows runs at the speed at which its weights come from memory, and an artefact is as large as its
// weights. A table that is a product's weight, too (tied embeddings), is there once. Unpacking is spelled out in ordinary
// ops (codegen/kernel/CompressedPanels.h), which kernels take in and read back.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/CompressedPanels.h"
#include "codegen/kernel/CompressedRows.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/PackedWeights.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "passes/KernelFormation.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "passes/QuantizedTensors.h"
#include "passes/WeightZeros.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace optc {
#define GEN_PASS_DEF_COMPRESSWEIGHTS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// How matrices of a format are packed.
template <typename Result> struct Packer {
  Result (*codes)(OpBuilder &, Location, const BlockCodes &);
  Result (*float8)(OpBuilder &, Location, ArrayRef<uint8_t>, const std::vector<float> &, int64_t, int64_t, Type);
  Result (*halves)(OpBuilder &, Location, ArrayRef<uint16_t>, int64_t, int64_t, Type);
};
constexpr Packer<CompressedPanels> kPanelPacker{packCodes,
                                                [](OpBuilder &b, Location loc, ArrayRef<uint8_t> bits, const std::vector<float> &scales, int64_t k, int64_t n,
                                                   Type element) { return packFloat8(b, loc, bits, k, n, element, scales, k); },
                                                packHalves};
constexpr Packer<CompressedRows> kRowPacker{packRows, packRows, packRows};

class Compressor {
public:
  Compressor(func::FuncOp function, WeightFormat format, CodeSpreading spreading, bool gpu)
      : function(function), format(std::move(format)), spreading(spreading), gpu(gpu), b(function) {
    b.setInsertionPointToStart(&function.getBody().front());
  }

  void run() {
    SmallVector<ContractOp> products;
    SmallVector<ConvOp> convolutions;
    SmallVector<GatherOp> gathers;
    function.walk([&](Operation *op) {
      if (isa<KernelOp>(op->getParentOp()))
        return;
      if (auto product = dyn_cast<ContractOp>(op))
        products.push_back(product);
      else if (auto conv = dyn_cast<ConvOp>(op))
        convolutions.push_back(conv);
      else if (auto gather = dyn_cast<GatherOp>(op))
        gathers.push_back(gather);
    });
    // Some may have been part of a weight that is gone by then.
    auto over = [&](auto &ops) {
      for (auto op : ops)
        if (!erased.contains(op))
          compress(op);
    };
    over(products);
    if (!gpu)
      over(convolutions);
    over(gathers);
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
  void compress(ConvOp op);
  void compress(GatherOp op);
  void compressBytes(ConvOp op);
  void compressBytes(ContractOp op);
  /// Of a GPU's product of 16-bit floats, where two of four are zeros.
  void leaveOutZeros(ContractOp op);
  using Key = std::pair<void *, bool>;
  static Key keyOf(Matrix matrix) { return {matrix.value.getAsOpaquePointer(), matrix.turned}; }
  /// In f32, though a format was asked for; the report has it.
  bool isKept(Operation *op);
  std::optional<CompressedPanels> panelsOf(Matrix matrix, Operation *user) { return packedOnce(done, untransposed(matrix), user, keptPanels, kPanelPacker); }
  /// A row for each column, for a GPU.
  std::optional<CompressedRows> rowsOf(Matrix matrix, Operation *user) { return packedOnce(doneRows, untransposed(matrix), user, keptRows, kRowPacker); }
  /// What the model itself has in few bits, else the format that was asked for, of each matrix once.
  template <typename Result>
  std::optional<Result> packedOnce(std::map<Key, std::optional<Result>> &done, Matrix matrix, Operation *user, std::optional<Result> (*kept)(OpBuilder &, Matrix),
                                   Packer<Result> pack);
  template <typename Result> std::optional<Result> lowered(Matrix matrix, Operation *user, Packer<Result> pack);
  /// withoutZeros, of each matrix once.
  SparseWeights sparseOf(Matrix matrix, ContractOp user);
  /// For the report: `size` weights share a scale (0: there are none).
  void note(Operation *user, int64_t size, double decibels);
  void eraseDead(Operation *op);

  func::FuncOp function;
  WeightFormat format;
  CodeSpreading spreading;
  bool gpu;
  OpBuilder b;
  llvm::DenseMap<Operation *, bool> known;
  llvm::DenseSet<Operation *> erased;
  /// By the untransposed value and whether that is [n, k].
  std::map<Key, std::optional<CompressedPanels>> done;
  std::map<Key, SparseWeights> doneSparse;
  /// Those of products of bf16, and of products that are kept in f32.
  std::set<Key> inBFloat, keptTables;
  std::map<Key, std::optional<CompressedRows>> doneRows;
  /// Of products of many rows, and of few.
  std::map<Key, std::optional<SparseRows>> doneFours[2];
};

/// f32 rounded to the format that was asked for, as `pack` packs it.
template <typename Result> std::optional<Result> Compressor::lowered(Matrix matrix, Operation *user, Packer<Result> pack) {
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
    return pack.codes(b, loc, *codes);
  }
  if (format.name == "f8") {
    auto codes = toFloat8(w, k, n);
    if (!codes)
      return refuse("a weight is not finite");
    note(user, k, signalToNoise(w, *codes));
    return pack.float8(b, loc, codes->bits, codes->scales, k, n, Float8E4M3FNType::get(b.getContext()));
  }
  auto bits = toHalves(w, format);
  if (!bits)
    return refuse("a weight does not fit " + format.name);
  note(user, 0, 0);
  return pack.halves(b, loc, *bits, k, n, format.name == "bf16" ? Type(b.getBF16Type()) : b.getF16Type());
}

SparseWeights Compressor::sparseOf(Matrix matrix, ContractOp user) {
  auto [it, isNew] = doneSparse.try_emplace(keyOf(matrix));
  if (isNew)
    it->second = withoutZeros(b, function, matrix, user, format);
  return it->second;
}

void Compressor::note(Operation *user, int64_t size, double decibels) {
  std::string text = "weights in " + format.name;
  if (size)
    text += llvm::formatv(", a scale for each {0}, signal over noise {1:f1} dB", size, decibels);
  noteLowered(function, user, text);
}

bool Compressor::isKept(Operation *op) {
  auto why = op->getAttrOfType<StringAttr>(kKeepFloat);
  if (why && !format.name.empty())
    noteKept(function, op, why);
  return bool(why);
}

template <typename Result>
std::optional<Result> Compressor::packedOnce(std::map<Key, std::optional<Result>> &done, Matrix matrix, Operation *user,
                                             std::optional<Result> (*kept)(OpBuilder &, Matrix), Packer<Result> pack) {
  auto [it, isNew] = done.try_emplace(keyOf(matrix));
  if (!isNew)
    return it->second;
  if (tensorOf(matrix.value).getDimSize(matrix.turned ? 1 : 0) < kMinCompressedK)
    return std::nullopt;
  it->second = kept(b, matrix);
  if (!it->second && !format.name.empty() && tensorOf(matrix.value).getNumElements() >= kMinCompressed)
    it->second = lowered(matrix, user, pack);
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
      for (bool turned : {false, true}) {
        Key key{result.getAsOpaquePointer(), turned};
        done.erase(key), doneSparse.erase(key), doneRows.erase(key), doneFours[0].erase(key), doneFours[1].erase(key);
      }
    erased.insert(next);
    next->erase();
  }
}

void Compressor::compressBytes(ConvOp op) {
  mlir::Value w = op.getW();
  OpBuilder builder(op);
  mlir::Value panels = packFilter(builder, op, w);
  if (auto codes = withoutZeroCodes(b, function, w, panels, op, spreading))
    op.getWMutable().assign(unpackFilter(builder, op, unpackSparseCodes(builder, w.getLoc(), *codes)));
  eraseDead(panels.getDefiningOp());
}

void Compressor::compressBytes(ContractOp op) {
  mlir::Value rhs = op.getRhs(), matrix = rhs;
  if (!op.getLhsBatch().empty() || tensorOf(rhs).getRank() != 2 || op.getRhsContract().size() != 1)
    return;
  OpBuilder builder(op);
  if (op.getRhsContract().front() == 1)
    matrix = builder.create<TransposeOp>(rhs.getLoc(), rhs, ArrayRef<int64_t>{1, 0});
  Dims dims = dimsOf(matrix);
  mlir::Value panels = packPanels(builder, matrix);
  if (auto codes = withoutZeroCodes(b, function, rhs, panels, op, spreading)) {
    mlir::Value unpacked = unpackPanels(builder, rhs.getLoc(), unpackSparseCodes(builder, rhs.getLoc(), *codes), *dims[0].constant(), *dims[1].constant());
    auto product = builder.create<ContractOp>(op.getLoc(), op.getLhs(), unpacked, op.getLhsBatch(), op.getRhsBatch(), op.getLhsContract(), ArrayRef<int64_t>{0});
    op.replaceAllUsesWith(product.getY());
    eraseDead(op);
  }
  eraseDead(panels.getDefiningOp());
}

/// Blocks of zeros alone: other formats are those of matrices.
void Compressor::compress(ConvOp op) {
  mlir::Value w = op.getW();
  if (op.getLayout() != "nhwc" || op.getGroups() != 1 || !isWeight(w) || isBFloatProduct(op))
    return;
  if (elementOf(w).isSignlessInteger(8))
    return compressBytes(op);
  if (!elementOf(w).isF32())
    return;
  OpBuilder builder(op);
  Dims dims = dimsOf(w);
  auto matrix = builder.create<ReshapeOp>(w.getLoc(), tensorType({numElements(ArrayRef<DimExpr>(dims).drop_back()), dims.back()}, elementOf(w)), w);
  if (auto blocks = withoutZeros(b, function, {matrix, false}, op, format).blocks)
    op.getWMutable().assign(builder.create<ReshapeOp>(w.getLoc(), w.getType(), unpackBlocks(builder, w.getLoc(), *blocks)));
  matrix.erase();
}

void Compressor::leaveOutZeros(ContractOp op) {
  mlir::Value rhs = op.getRhs();
  if (!halfUnder(op.getLhs()))
    return;
  Matrix matrix = untransposed({rhs, op.getRhsContract().front() == 1});
  auto count = dimsOf(op.getLhs())[0].constant();
  auto [it, isNew] = doneFours[count && *count <= kGemvRows].try_emplace(keyOf(matrix));
  if (isNew)
    it->second = withoutTwoOfFour(b, function, matrix, op);
  if (!it->second)
    return;
  OpBuilder builder(op);
  mlir::Value rows = unpackSparseRows(builder, rhs.getLoc(), *it->second);
  rows = builder.create<CastOp>(rhs.getLoc(), tensorType(dimsOf(rows), elementOf(rhs)), rows);
  auto product = builder.create<ContractOp>(op.getLoc(), op.getLhs(), rows, ArrayRef<int64_t>{}, ArrayRef<int64_t>{}, op.getLhsContract(), ArrayRef<int64_t>{1});
  product->setAttr(kTwoOfFour, builder.getUnitAttr());
  op.replaceAllUsesWith(product.getY());
  eraseDead(op);
}

void Compressor::compress(ContractOp op) {
  mlir::Value rhs = op.getRhs();
  if (elementOf(rhs).isSignlessInteger(8) && isWeight(rhs) && !gpu)
    return compressBytes(op);
  if (!op.getLhsBatch().empty() || tensorOf(rhs).getRank() != 2 || tensorOf(op.getLhs()).getRank() != 2 || !elementOf(rhs).isF32() ||
      op.getRhsContract().size() != 1 || !isKnown(rhs) || isKnown(op.getLhs()))
    return;
  // A GPU's kernels take small floats as they are; what is unpacked for them is rounded.
  const bool unpacksInBFloat = op->hasAttr(kUnpacksInBFloat);
  if (gpu && smallFloatUnder(op.getLhs()) && !unpacksInBFloat)
    return leaveOutZeros(op);
  OpBuilder builder(op);
  auto rounded = [&](mlir::Value x) -> mlir::Value {
    if (!unpacksInBFloat)
      return x;
    mlir::Value bits = builder.create<CastOp>(x.getLoc(), tensorType(dimsOf(x), builder.getBF16Type()), x);
    return builder.create<CastOp>(x.getLoc(), x.getType(), bits);
  };
  if (isBFloatProduct(op)) {
    // Kernels pack its weights themselves; a table that is one is there once.
    if (auto half = through<CastOp>(rhs); mlir::Value source = half ? through<CastOp>(half) : mlir::Value()) {
      Matrix matrix = untransposed({source, op.getRhsContract().front() == 1});
      sparseOf(matrix, op);
      inBFloat.insert(keyOf(matrix));
    }
    return;
  }
  auto replace = [&](mlir::Value unpacked) {
    auto product = builder.create<ContractOp>(op.getLoc(), op.getLhs(), rounded(unpacked), ArrayRef<int64_t>{}, ArrayRef<int64_t>{}, op.getLhsContract(),
                                              ArrayRef<int64_t>{gpu ? 1 : 0});
    if (gpu)
      product->setAttr(kUnpacksRhs, builder.getUnitAttr());
    op.replaceAllUsesWith(product.getY());
    eraseDead(op);
  };
  Matrix matrix = untransposed({rhs, op.getRhsContract().front() == 1});
  bool keep = isKept(op);
  if (gpu) {
    if (auto rows = keep ? keptRows(b, matrix) : rowsOf(matrix, op))
      return replace(unpackRows(builder, rhs.getLoc(), *rows));
  } else {
    SparseWeights sparse = sparseOf(matrix, op);
    if (sparse.blocks)
      return replace(unpackBlocks(builder, rhs.getLoc(), *sparse.blocks));
    if (sparse.panels)
      return replace(unpackSparse(builder, rhs.getLoc(), *sparse.panels));
    if (keep)
      keptTables.insert(keyOf(matrix));
    if (auto panels = keep ? keptPanels(b, matrix) : panelsOf(matrix, op))
      return replace(unpackCompressed(builder, rhs.getLoc(), *panels));
  }
  if (isWeight(rhs)) {
    op.getRhsMutable().assign(rounded(rhs));
    return;
  }
  // Known, but too large to be a weight expression: scales that do not come in blocks.
  llvm::DenseMap<mlir::Value, HostValue> cache;
  if (auto value = evaluateWeight(rhs, cache); succeeded(value)) {
    op.getRhsMutable().assign(rounded(b.create<ConstantOp>(rhs.getLoc(), elementsOf(*value, cast<RankedTensorType>(rhs.getType())))));
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
  bool isBFloat = inBFloat.count(keyOf(matrix));
  bool keep = isKept(op);
  bool isShared = !gpu && (isBFloat || (keep ? keptTables.count(keyOf(matrix)) : done.count(keyOf(matrix))));
  auto panels = isBFloat || gpu ? std::nullopt : isShared && !keep ? panelsOf(matrix, op) : keptPanels(b, matrix);
  // Nothing but rows of it is read, or a GPU's product has the same rows.
  std::optional<CompressedRows> ownRows;
  if (gpu) {
    ownRows = keep ? keptRows(b, matrix) : rowsOf(matrix, op);
  } else if (!isShared && !panels && !format.name.empty() && !keep) {
    auto [it, isNew] = doneRows.try_emplace(keyOf(matrix));
    if (isNew)
      it->second = lowered(matrix, op, kRowPacker);
    ownRows = it->second;
  }
  if (!panels && !ownRows && !(isShared && isWeight(table)))
    return;
  OpBuilder builder(op);
  Location loc = table.getLoc();
  mlir::Value packed;
  if (!panels && !ownRows) {
    mlir::Value columns = builder.create<TransposeOp>(loc, table, ArrayRef<int64_t>{1, 0});
    packed = packPanels(builder, isBFloat ? builder.create<CastOp>(loc, tensorType(dimsOf(columns), builder.getBF16Type()), columns) : columns);
  }
  Operation *before = op->getPrevNode();
  auto dims = tensorOf(table).getShape();
  mlir::Value rows;
  if (ownRows) {
    rows = unpackRows(builder, loc, *ownRows);
  } else {
    mlir::Value columns = panels ? unpackCompressed(builder, loc, *panels) : unpackPanels(builder, loc, packed, dims[1], dims[0]);
    if (isBFloat)
      columns = builder.create<CastOp>(loc, tensorType(dimsOf(columns), builder.getF32Type()), columns);
    rows = builder.create<TransposeOp>(loc, columns, ArrayRef<int64_t>{1, 0});
  }
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
    Compressor(getOperation(), wanted, {spreadsMasks, spreadsTwoOfFour}, gpu).run();
  }
};
} // namespace
