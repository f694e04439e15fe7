//===- Library.cpp - Kernels that call a function of the library ----------===//
//
// Each is one call, of sizes and pointers, and a launch for each of the function's steps:
//
//   TopK<float, 1024, true, true>::run({1, s0, 1, 50}, x0, y0, y1, error, workspace, launch)
//
// tile/*.cuh say what the functions compute, and how they are launched.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Generators.h"
#include "codegen/gpu/LibraryCall.h"
#include "codegen/kernel/LibraryKernel.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace optc;

/// Bytes of an array that others follow.
static DimExpr aligned(const DimExpr &bytes) { return DimExpr::ceildiv(bytes, 16) * DimExpr(16); }

/// 1 where n is larger than a constant, else 0.
static DimExpr isAbove(const DimExpr &n, int64_t bound) { return DimExpr::min(DimExpr::floordiv(n, bound + 1), 1); }

/// Launches of a sort: of the tiles, then for each doubling of the runs.
static DimExpr sortRounds(const DimExpr &n, int64_t tile) {
  DimExpr rounds = 1;
  for (int64_t width = tile; width < int64_t(1) << 31; width *= 2)
    rounds = rounds + isAbove(n, width);
  return rounds;
}

/// As large as a block's memory allows; smaller for short rows.
static int64_t sortTile(const DimExpr &n) {
  constexpr int64_t kSmallest = 64, kLargest = 1024;
  auto known = n.constant();
  return known ? std::clamp<int64_t>(llvm::PowerOf2Ceil(std::max<int64_t>(*known, 1)), kSmallest, kLargest)
               : kLargest;
}

/// Bytes of a key of an element.
static int64_t keyBytes(Type element) {
  return element.isF16() || element.isBF16() ? 4 : element.getIntOrFloatBitWidth() / 8;
}

/// Twice keys and positions.
static DimExpr sortWorkspace(const DimExpr &all, int64_t bytes) {
  return DimExpr(2) * (aligned(all * DimExpr(bytes)) + aligned(all * DimExpr(4)));
}

//===----------------------------------------------------------------------===//
// Scans and sorts
//===----------------------------------------------------------------------===//

void LibraryCall::emit(CumulativeOp op) {
  AroundDim rows(op.getX(), op.getAxis());
  // A block has enough to do with a row, unless it is short.
  constexpr int64_t kShortest = 64;
  bool isRow = rows.inner == DimExpr(1) && rows.n.constant().value_or(kShortest) >= kShortest;
  int64_t part = isRow ? 2048 : 128;
  DimExpr parts = DimExpr::ceildiv(rows.n, part);
  f.library = {"scan"};
  f.threads = 256;
  f.items = rows.count() * parts;
  f.itemsPerBlock = isRow ? 1 : f.threads;
  f.useWorkspace(rows.count() * parts * DimExpr(8));
  f.repeat(DimExpr(1) + DimExpr(2) * isAbove(rows.n, part));
  call(isRow ? "ScanRows" : "ScanColumns",
       {typeText(elementOf(op.getX())), libraryText(op.getKind() == "prod"), libraryText(op.getExclusive()),
        libraryText(op.getReverse())},
       {rows.outer, rows.n, rows.inner}, {operand(0), result(0), "workspace", "launch"});
}

void LibraryCall::emit(TopKOp op) {
  AroundDim rows(op.getX(), op.getAxis());
  Type element = elementOf(op.getX());
  int64_t tile = sortTile(rows.n);
  f.library = {"sort"};
  f.threads = tile / 2;
  f.items = rows.count() * DimExpr::max(DimExpr::ceildiv(rows.n, tile), 1);
  f.useWorkspace(sortWorkspace(rows.count() * rows.n, keyBytes(element)));
  f.repeat(sortRounds(rows.n, tile));
  call("TopK", {typeText(element), libraryText(tile), libraryText(op.getLargest()), libraryText(op.getSorted())},
       {rows.outer, rows.n, rows.inner, dimsOf(op.getValues())[op.getAxis()]},
       {operand(0), result(0), result(1), "error", "workspace", "launch"});
}

void LibraryCall::emit(NonZeroOp op) {
  Dims dims = dimsOf(op.getX());
  f.library = {"scan", "nonzero"};
  f.threads = 256;
  f.items = numElements(dims);
  f.itemsPerBlock = 2048;
  f.useWorkspace(f.blocks() * DimExpr(8));
  f.countResults(2);
  f.repeat(3);
  call("NonZero", {typeText(elementOf(op.getX())), libraryText(int64_t(dims.size()))}, dims,
       {operand(0), result(0), "workspace", "count", "launch"});
}

void LibraryCall::emit(NmsOp op) {
  Dims scores = dimsOf(op.getScores());
  Type element = elementOf(op.getScores());
  DimExpr rows = scores[0] * scores[1], n = scores[2];
  int64_t tile = sortTile(n);
  f.library = {"scan", "sort", "nms"};
  f.threads = tile / 2;
  f.items = rows * DimExpr::ceildiv(n, tile);
  f.useWorkspace(sortWorkspace(rows * n, keyBytes(element)) + rows * DimExpr(16));
  DimExpr rounds = sortRounds(n, tile);
  f.countResults(rounds + 2);
  f.repeat(rounds + 3);
  auto typeOf = [&](Value v, const char *otherwise) { return v ? typeText(elementOf(v)) : otherwise; };
  call("Nms",
       {typeText(elementOf(op.getBoxes())), typeText(element), typeOf(op.getMaxPerClass(), "i64"),
        typeOf(op.getIouThreshold(), "float"), typeOf(op.getScoreThreshold(), "float"), libraryText(tile),
        libraryText(op.getCenterBox())},
       scores,
       {operand(0), operand(1), optional(op.getMaxPerClass()), optional(op.getIouThreshold()),
        optional(op.getScoreThreshold()), result(0), "workspace", "count", "launch"});
}

void LibraryCall::emit(UniqueOp op) {
  DimExpr all = numElements(dimsOf(op.getX())), outer = 1, n = all, inner = 1;
  if (auto axis = sliceAxis(op)) {
    AroundDim slices(op.getX(), *axis);
    outer = slices.outer, n = slices.n, inner = slices.inner;
  }
  bool isOfSlices = outer != DimExpr(1) || inner != DimExpr(1);
  Type element = elementOf(op.getX());
  int64_t tile = sortTile(n);
  DimExpr tiles = DimExpr::ceildiv(n, tile);
  f.library = {"scan", "sort", "unique"};
  f.threads = tile / 2;
  f.items = isOfSlices ? DimExpr::max(tiles, DimExpr::ceildiv(all, f.threads * kItems)) : tiles;
  if (isOfSlices)
    f.blocksPerMultiprocessor = 2; // left to itself the compiler wants one more, and spills registers
  f.useWorkspace(sortWorkspace(n, keyBytes(element)) + DimExpr(3) * aligned(n * DimExpr(4)) + DimExpr(16) * tiles);
  DimExpr rounds = sortRounds(n, tile);
  f.countResults(rounds + 2);
  f.repeat(rounds + (isOfSlices ? 6 : 5));
  call("Unique", {typeText(element), libraryText(tile), libraryText(op.getSorted()), libraryText(isOfSlices)}, {outer, n, inner},
       {operand(0), result(0), result(1), result(2), result(3), "workspace", "count", "launch"});
}

//===----------------------------------------------------------------------===//
// Gathers and scatters
//===----------------------------------------------------------------------===//

void LibraryCall::emit(GatherElementsOp op) {
  Dims sizes = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  int64_t rank = int64_t(sizes.size());
  sizes.append(indices.begin(), indices.end());
  useThreads(numElements(indices), "scatter");
  call("GatherElements",
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getIndices())), libraryText(rank),
        libraryText(int64_t(op.getAxis()))},
       sizes, {operand(0), operand(1), result(0), "error"});
}

void LibraryCall::emit(GatherNDOp op) {
  Dims x = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  int64_t batch = op.getBatchDims(), depth = *indices.back().constant();
  indices.pop_back();
  ArrayRef<DimExpr> dims(x);
  SmallVector<DimExpr> sizes{numElements(dims.take_front(batch)),
                             numElements(ArrayRef(indices).drop_front(batch)),
                             numElements(dims.drop_front(batch + depth))};
  llvm::append_range(sizes, dims.slice(batch, depth));
  useThreads(numElements(dimsOf(op.getY())), "scatter");
  call("GatherTuples", {typeText(elementOf(op.getX())), typeText(elementOf(op.getIndices())), libraryText(depth)},
       sizes, {operand(0), operand(1), result(0), "error"});
}

void LibraryCall::emit(MaxUnpoolOp op) {
  DimExpr all = numElements(dimsOf(op.getY())), updates = numElements(dimsOf(op.getX()));
  emitLastUpdates({typeText(elementOf(op.getX())), typeText(elementOf(op.getIndices())), "FlatPlaces"},
                  {all, updates, 1, all},
                  {"nullptr", operand(1), operand(0), result(0), "error", "workspace", "launch"});
}

void LibraryCall::emit(ScatterElementsOp op) {
  Dims sizes = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  std::string places =
      "ElementPlaces<" + libraryText(int64_t(sizes.size())) + ", " + libraryText(int64_t(op.getAxis())) + ">";
  sizes.append(indices.begin(), indices.end());
  emitScatter(places, sizes, op.getReduction(), numElements(indices), 1);
}

void LibraryCall::emit(ScatterNDOp op) {
  Dims x = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  int64_t depth = *indices.back().constant();
  indices.pop_back();
  emitScatter("TuplePlaces<" + libraryText(depth) + ">", ArrayRef(x).take_front(depth), op.getReduction(),
              numElements(indices), numElements(ArrayRef(x).drop_front(depth)));
}

void LibraryCall::emitLastUpdates(ArrayRef<std::string> parameters, ArrayRef<DimExpr> sizes,
                                  ArrayRef<std::string> arguments) {
  f.library = {"sort", "scatter"};
  f.threads = 256;
  f.items = DimExpr::max(sizes[0], sizes[1] * sizes[2]);
  f.itemsPerBlock = f.threads * kItems;
  f.useWorkspace(sizes[0] * DimExpr(8));
  f.repeat(3);
  call("Scatter", parameters, sizes, arguments);
}

void LibraryCall::emitScatter(const std::string &places, ArrayRef<DimExpr> placeSizes, StringRef reduction,
                              const DimExpr &updates, const DimExpr &length) {
  DimExpr all = numElements(dimsOf(f.kernel.getOperand(0)));
  SmallVector<DimExpr> sizes{all, updates, length};
  sizes.append(placeSizes.begin(), placeSizes.end());
  std::vector<std::string> parameters{typeText(elementOf(f.kernel.getOperand(0))),
                                      typeText(elementOf(f.kernel.getOperand(1))), places};
  std::vector<std::string> arguments{operand(0), operand(1),  operand(2), result(0),
                                     "error",    "workspace", "launch"};
  if (reduction == "none")
    return emitLastUpdates(parameters, sizes, arguments);
  f.library = {"sort", "scatter"};
  int64_t tile = sortTile(updates);
  f.threads = tile / 2;
  f.items = DimExpr::max(DimExpr::ceildiv(updates, tile),
                         DimExpr::ceildiv(DimExpr::max(all, updates * length), f.threads * kItems));
  f.useWorkspace(aligned(updates * DimExpr(12)) + sortWorkspace(updates, 8));
  f.repeat(sortRounds(updates, tile) + 2);
  parameters.push_back(reduction == "add"   ? "kAdd"
                       : reduction == "mul" ? "kMul"
                       : reduction == "min" ? "kMin"
                                            : "kMax");
  parameters.push_back(libraryText(tile));
  call("ScatterCombined", parameters, sizes, arguments);
}

LogicalResult LibraryCall::run() {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<CumulativeOp, TopKOp, NonZeroOp, NmsOp, UniqueOp, GatherElementsOp, GatherNDOp, MaxUnpoolOp,
            ScatterElementsOp, ScatterNDOp, GridSampleOp, ResizeOp, RoiAlignOp, MaxRoiPoolOp, MaxPoolIndicesOp,
            ReverseSequenceOp, LrnOp, ConvOp, ConvTransposeOp, DeformConvOp, Col2ImOp, DftOp, DetOp, RandomOp, MelWeightMatrixOp>([&](auto o) {
        emit(o);
        return success();
      })
      .Default(failure());
}

LogicalResult optc::generateDeviceLibrary(DeviceFunction &f) {
  if (!hasLibraryKernel(&f.kernel.getBody().front().front()))
    return failure();
  return LibraryCall(f).run();
}
