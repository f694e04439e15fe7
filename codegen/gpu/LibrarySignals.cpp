//===- LibrarySignals.cpp - Transforms, determinants, random numbers ------===//
//
// A block for each line or matrix, or a thread for a few elements: tile/dft.cuh, tile/determinant.cuh, tile/random.cuh, tile/mel.cuh.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/LibraryCall.h"
#include "codegen/kernel/LibraryKernel.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace optc;

/// Blocks that take `items` in turn, each of which needs so many bytes: enough for every multiprocessor, as far as memory goes.
static DimExpr blocksInTurn(const DimExpr &items, const DimExpr &bytes) {
  constexpr int64_t kMostBlocks = 512, kMostBytes = 64 << 20;
  DimExpr room = DimExpr::max(DimExpr::floordiv(kMostBytes, bytes), 1);
  return DimExpr::min(items, DimExpr::min(room, kMostBlocks));
}

void LibraryCall::emit(DftOp op) {
  int64_t axis = op.getAxis();
  Dims x = dimsOf(op.getX()), y = dimsOf(op.getY());
  DimExpr length = dftLength(op), points = length * DimExpr(4); // a power of two is less than twice the other number
  if (auto n = length.constant())
    points = DimExpr(int64_t(llvm::isPowerOf2_64(uint64_t(*n)) ? *n : llvm::PowerOf2Ceil(uint64_t(2 * *n - 1))));
  DimExpr outer = numElements(ArrayRef(x).take_front(axis)), inner = numElements(ArrayRef(x).slice(axis + 1).drop_back());
  constexpr int64_t kArrays = 3, kComplexBytes = 16;
  DimExpr bytes = points * DimExpr(kArrays * kComplexBytes);
  f.library = {"sort", "sampling", "dft"};
  f.threads = 256;
  f.items = blocksInTurn(outer * inner, bytes);
  f.useWorkspace(f.items * bytes);
  call("Dft",
       {typeText(elementOf(op.getX())), libraryText(*x.back().constant()), libraryText(*y.back().constant()), libraryText(op.getInverse()),
        libraryText(op.getOnesided())},
       {outer, x[axis], inner, length, y[axis]}, {operand(0), result(0), "workspace"});
}

void LibraryCall::emit(DetOp op) {
  Dims x = dimsOf(op.getX());
  DimExpr n = x.back(), count = numElements(dimsOf(op.getY())), bytes = n * n * DimExpr(8);
  f.library = {"sort", "sampling", "determinant"};
  f.threads = 256;
  f.items = blocksInTurn(count, bytes);
  f.useWorkspace(f.items * bytes);
  call("Determinant", {typeText(elementOf(op.getX()))}, {count, n}, {operand(0), result(0), "workspace"});
}

void LibraryCall::emit(RandomOp op) {
  DimExpr n = numElements(dimsOf(op.getY()));
  useThreads(DimExpr::ceildiv(n, 4), "sampling");
  f.library.push_back("random");
  std::string seed = cudaConstant(f.b.getI64IntegerAttr(int64_t(op.getSeed())), f.b.getI64Type(), true).text;
  call("Random", {typeText(elementOf(op.getY())), libraryText(op.getDistribution() == "normal")}, {n},
       {result(0), seed, number(op.getLow().convertToDouble()), number(op.getHigh().convertToDouble())});
}

void LibraryCall::emit(MelWeightMatrixOp op) {
  constexpr int64_t kRows = 16; // MelWeightMatrix's
  Dims y = dimsOf(op.getY());
  useThreads(DimExpr::max(y[1] * DimExpr::ceildiv(y[0], kRows), 1), "sampling");
  f.library.push_back("mel");
  call("MelWeightMatrix", {typeText(elementOf(op.getY())), typeText(elementOf(op.getRate())), typeText(elementOf(op.getLower()))},
       {y[0], y[1], op.getLength().dims()[0]}, {operand(0), operand(1), operand(2), result(0), "error"});
}
