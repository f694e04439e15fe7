//===- BlockPanels.cpp - Weights without blocks of zeros ------------------===//

#include "codegen/kernel/BlockPanels.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/PackedWeights.h"

using namespace mlir;
using namespace optc;

static int64_t panelsOf(int64_t n) { return (n + kPanel - 1) / kPanel; }

static ArrayRef<float> blockOf(ArrayRef<float> w, int64_t n, int64_t panel, int64_t i) {
  return w.slice(i * n + panel * kPanel, std::min(kPanel, n - panel * kPanel));
}
static bool isZero(ArrayRef<float> block) {
  return llvm::all_of(block, [](float x) { return x == 0; });
}

int64_t optc::blockCount(ArrayRef<float> w, int64_t k, int64_t n) {
  int64_t most = 1;
  for (int64_t p = 0; p < panelsOf(n); ++p) {
    int64_t count = 0;
    for (int64_t i = 0; i < k; ++i)
      count += !isZero(blockOf(w, n, p, i));
    most = std::max(most, count);
  }
  return most;
}

BlockPanels optc::packBlocks(OpBuilder &b, Location loc, ArrayRef<float> w, int64_t k, int64_t n) {
  int64_t count = blockCount(w, k, n);
  std::vector<float> blocks;
  std::vector<int32_t> rows;
  for (int64_t p = 0; p < panelsOf(n); ++p) {
    int64_t zeros = count;
    for (int64_t i = 0; i < k; ++i)
      zeros -= !isZero(blockOf(w, n, p, i));
    for (int64_t i = 0; i < k; ++i) {
      ArrayRef<float> block = blockOf(w, n, p, i);
      if (isZero(block) && zeros-- <= 0)
        continue;
      rows.push_back(int32_t(p * k + i));
      blocks.insert(blocks.end(), block.begin(), block.end());
      blocks.resize(rows.size() * kPanel);
    }
  }
  BlockPanels out;
  out.k = k;
  out.n = n;
  out.blocks = packedConstant(b, loc, blocks, {panelsOf(n), count, kPanel}, b.getF32Type());
  out.rows = packedConstant(b, loc, rows, {panelsOf(n), count}, b.getI32Type());
  return out;
}

Value optc::unpackBlocks(OpBuilder &b, Location loc, const BlockPanels &s) {
  DimExpr panels = dimsOf(s.rows)[0], all = panels * dimsOf(s.rows)[1];
  Type f32 = b.getF32Type();
  auto reshape = [&](Value x, Dims dims) { return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x); };
  Value zero = b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get({}, f32), 0.0f));
  Value zeros = b.create<BroadcastOp>(loc, tensorType({panels * DimExpr(s.k), kPanel}, f32), zero);
  Value x = b.create<ScatterNDOp>(loc, zeros, reshape(s.rows, {all, 1}), reshape(s.blocks, {all, kPanel}), "none");
  return unpackPanels(b, loc, reshape(x, {panels, s.k, kPanel}), s.k, s.n);
}

std::optional<BlockPanels> optc::readBlocks(Value matrix) {
  auto type = tensorOf(matrix);
  if (type.getRank() < 2 || !type.hasStaticShape() || !type.getElementType().isF32() || type.getNumElements() == 0)
    return std::nullopt;
  BlockPanels s;
  s.n = type.getShape().back();
  s.k = type.getNumElements() / s.n;
  // A filter is a reshape of the matrix, which may be one with the last step of unpacking.
  Value x = type.getRank() == 2 ? matrix : through<ReshapeOp>(matrix);
  if (Value whole = through<SliceOp>(x))
    x = whole;
  if (Value flat = through<ReshapeOp>(x))
    x = flat;
  x = through<ReshapeOp>(through<TransposeOp>(x));
  auto scatter = x ? x.getDefiningOp<ScatterNDOp>() : ScatterNDOp();
  if (!scatter)
    return std::nullopt;
  // One block a panel needs no reshape.
  s.rows = through<ReshapeOp>(scatter.getIndices());
  if (!s.rows)
    s.rows = scatter.getIndices();
  s.blocks = through<ReshapeOp>(scatter.getUpdates());
  bool ok = s.rows && s.blocks && tensorOf(s.rows).getRank() == 2 && tensorOf(s.blocks).getRank() == 3 && elementOf(s.rows).isInteger(32) &&
            dimsOf(s.blocks)[2] == DimExpr(kPanel) && dimsOf(s.rows)[0] == DimExpr(panelsOf(s.n));
  return ok ? std::optional(s) : std::nullopt;
}
