//===- SparsePanels.cpp - Weights without their zeros ---------------------===//

#include "codegen/kernel/SparsePanels.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/PackedWeights.h"

using namespace mlir;
using namespace optc;

static int64_t panelsOf(int64_t n) { return (n + kPanel - 1) / kPanel; }

Sparsity optc::sparsityOf(ArrayRef<float> w, int64_t k, int64_t n) {
  Sparsity s;
  std::vector<uint8_t> inFour(n);
  for (int64_t i = 0; i < k; ++i) {
    if (i % 4 == 0)
      std::fill(inFour.begin(), inFour.end(), 0);
    for (int64_t j = 0; j < n; ++j)
      if (w[i * n + j] != 0) {
        ++s.count;
        s.isTwoOfFour &= ++inFour[j] <= 2;
      }
  }
  return s;
}

int64_t optc::sparseBytes(int64_t k, int64_t n, int64_t count, int64_t valueBytes) {
  return (count + kPanel) * valueBytes + panelsOf(n) * (2 * k + 4) + 4;
}

SparsePanels optc::packSparse(OpBuilder &b, Location loc, ArrayRef<float> w, ArrayRef<uint16_t> bits, int64_t k, int64_t n, Type element) {
  std::vector<float> values;
  std::vector<uint16_t> halves, masks;
  std::vector<int32_t> starts;
  for (int64_t p = 0; p < panelsOf(n); ++p) {
    starts.push_back(int32_t(std::max(values.size(), halves.size())));
    for (int64_t i = 0; i < k; ++i) {
      uint16_t mask = 0;
      for (int64_t j = p * kPanel; j < std::min(n, (p + 1) * kPanel); ++j) {
        if (w[i * n + j] == 0)
          continue;
        mask |= uint16_t(1 << (j % kPanel));
        if (bits.empty())
          values.push_back(w[i * n + j]);
        else
          halves.push_back(bits[i * n + j]);
      }
      masks.push_back(mask);
    }
  }
  starts.push_back(int32_t(std::max(values.size(), halves.size())));
  values.resize(values.size() + kPanel);
  halves.resize(halves.size() + kPanel);
  SparsePanels out;
  out.k = k;
  out.n = n;
  out.values = bits.empty() ? packedConstant(b, loc, values, {int64_t(values.size())}, element) : packedConstant(b, loc, halves, {int64_t(halves.size())}, element);
  out.masks = packedConstant(b, loc, masks, {panelsOf(n), k}, b.getI16Type());
  out.starts = packedConstant(b, loc, starts, {panelsOf(n) + 1}, b.getI32Type());
  return out;
}

Value optc::unpackSparse(OpBuilder &b, Location loc, const SparsePanels &s) {
  Value x = unpackMasked(b, loc, s);
  if (!elementOf(x).isF32())
    x = b.create<CastOp>(loc, tensorType(dimsOf(x), b.getF32Type()), x);
  return unpackPanels(b, loc, x, s.k, s.n);
}

std::optional<SparsePanels> optc::readSparse(Value matrix) {
  if (tensorOf(matrix).getRank() != 2 || !tensorOf(matrix).hasStaticShape() || !elementOf(matrix).isF32())
    return std::nullopt;
  int64_t k = *dimsOf(matrix)[0].constant(), n = *dimsOf(matrix)[1].constant();
  Value x = matrix;
  if (Value sliced = through<SliceOp>(x))
    x = sliced;
  x = through<TransposeOp>(through<ReshapeOp>(x));
  if (Value narrow = through<CastOp>(x))
    x = narrow;
  auto masked = readMasked(x);
  bool ok = masked && elementOf(masked->masks).isInteger(kPanel) && dimsOf(masked->masks)[1] == DimExpr(k) && dimsOf(masked->masks)[0] == DimExpr(panelsOf(n));
  return ok ? std::optional(SparsePanels{*masked, k, n}) : std::nullopt;
}
