//===- PackedWeights.cpp - The right operand as panels --------------------===//

#include "codegen/kernel/PackedWeights.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

/// k's that lie together in a panel.
static int64_t groupOf(Type element) { return element.isInteger(8) ? 4 : element.isBF16() ? 2 : 1; }

Value optc::packPanels(OpBuilder &b, Value matrix) {
  Dims dims = dimsOf(matrix);
  Location loc = matrix.getLoc();
  Type element = elementOf(matrix);
  int64_t k = *dims[0].constant(), n = *dims[1].constant(), group = groupOf(element), bytes = 4 / group;
  int64_t rows = group == 1 ? k : paddedBytes(k * bytes) / bytes, panels = (n + kPanel - 1) / kPanel;
  if (rows != k || panels * kPanel != n)
    matrix = b.create<PadOp>(loc, tensorType({rows, panels * kPanel}, element), matrix, Value(),
                             DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0}), "constant");
  if (group == 1) {
    matrix = b.create<ReshapeOp>(loc, tensorType({rows, panels, kPanel}, element), matrix);
    return b.create<TransposeOp>(loc, matrix, ArrayRef<int64_t>{1, 0, 2});
  }
  matrix = b.create<ReshapeOp>(loc, tensorType({rows / group, group, panels, kPanel}, element), matrix);
  return b.create<TransposeOp>(loc, matrix, ArrayRef<int64_t>{2, 0, 3, 1});
}

Value optc::unpackPanels(OpBuilder &b, Location loc, Value panels, int64_t k, int64_t n) {
  Dims dims = dimsOf(panels);
  Type element = elementOf(panels);
  bool grouped = dims.size() == 4;
  DimExpr rows = grouped ? dims[1] * dims[3] : dims[1], columns = dims[0] * DimExpr(kPanel);
  Value x = b.create<TransposeOp>(loc, panels, grouped ? ArrayRef<int64_t>{1, 3, 0, 2} : ArrayRef<int64_t>{1, 0, 2});
  x = b.create<ReshapeOp>(loc, tensorType({rows, columns}, element), x);
  if (rows == DimExpr(k) && columns == DimExpr(n))
    return x;
  return b.create<SliceOp>(loc, tensorType({k, n}, element), x, DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0}),
                           DimsAttr::get(b.getContext(), ArrayRef<int64_t>{1, 1}));
}

Value optc::packColumns(OpBuilder &b, Value matrix) {
  Dims dims = dimsOf(matrix);
  Location loc = matrix.getLoc();
  Type element = elementOf(matrix);
  int64_t k = *dims[0].constant(), n = *dims[1].constant(), perPiece = 128 / element.getIntOrFloatBitWidth();
  int64_t padded = (k + perPiece - 1) / perPiece * perPiece;
  Value rows = b.create<TransposeOp>(loc, matrix, ArrayRef<int64_t>{1, 0});
  if (padded == k)
    return rows;
  return b.create<PadOp>(loc, tensorType({n, padded}, element), rows, Value(), DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0}), "constant");
}

Value optc::unpackColumns(OpBuilder &b, Location loc, Value rows, int64_t k) {
  Dims dims = dimsOf(rows);
  if (dims[1] != DimExpr(k))
    rows = b.create<SliceOp>(loc, tensorType({dims[0], DimExpr(k)}, elementOf(rows)), rows, DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0}),
                             DimsAttr::get(b.getContext(), ArrayRef<int64_t>{1, 1}));
  return b.create<TransposeOp>(loc, rows, ArrayRef<int64_t>{1, 0});
}

/// The weights as [rows of the window, a row's taps and channels, O]: what a row takes in the panels, and is.
namespace {
struct FilterRows {
  int64_t rows, length, run, columns;
};
} // namespace
static FilterRows rowsOf(ConvOp conv, Type element) {
  Dims w = dimsOf(conv.getW());
  FilterRows r{1, *w[w.size() - 3].constant() * *w[w.size() - 2].constant(), 0, *w.back().constant()};
  for (size_t i = 0; i + 3 < w.size(); ++i)
    r.rows *= *w[i].constant();
  int64_t group = groupOf(element);
  r.run = group == 1 ? r.length : runBytes(conv) * group / 4;
  return r;
}

Value optc::packFilter(OpBuilder &b, ConvOp conv, Value weights) {
  Type element = elementOf(weights);
  FilterRows r = rowsOf(conv, element);
  Location loc = weights.getLoc();
  if (r.run != r.length) {
    weights = b.create<ReshapeOp>(loc, tensorType({r.rows, r.length, r.columns}, element), weights);
    weights = b.create<PadOp>(loc, tensorType({r.rows, r.run, r.columns}, element), weights, Value(),
                              DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0, 0}), "constant");
  }
  return packPanels(b, b.create<ReshapeOp>(loc, tensorType({r.rows * r.run, r.columns}, element), weights));
}

Value optc::unpackFilter(OpBuilder &b, ConvOp conv, Value panels) {
  Type element = elementOf(panels);
  FilterRows r = rowsOf(conv, element);
  Location loc = conv.getLoc();
  Value x = unpackPanels(b, loc, panels, r.rows * r.run, r.columns);
  if (r.run != r.length) {
    x = b.create<ReshapeOp>(loc, tensorType({r.rows, r.run, r.columns}, element), x);
    x = b.create<SliceOp>(loc, tensorType({r.rows, r.length, r.columns}, element), x, DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0, 0}),
                          DimsAttr::get(b.getContext(), ArrayRef<int64_t>{1, 1, 1}));
  }
  return b.create<ReshapeOp>(loc, tensorType(dimsOf(conv.getW()), element), x);
}
