//===- StoredWeights.cpp - What a model itself has in few bits ------------===//

#include "passes/StoredWeights.h"
#include "codegen/kernel/ScalarBody.h"
#include "ir/eval/Weight.h"
#include "runtime/reference/Blocks.h"
#include <numeric>

using namespace mlir;
using namespace optc;

Matrix optc::untransposed(Matrix matrix) {
  while (auto transpose = matrix.value.getDefiningOp<TransposeOp>()) {
    if (transpose.getPermutation() != ArrayRef<int64_t>{1, 0})
      break;
    matrix = {transpose.getX(), !matrix.turned};
  }
  return matrix;
}

FailureOr<HostValue> optc::evaluateAs(Matrix matrix, mlir::Value source, ArrayRef<Operation *> movement) {
  SmallVector<Operation *> temporary;
  OpBuilder builder(source.getContext());
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
static std::optional<BlockCodes> readCodes(const HostValue &codes, const HostValue &scale, const HostValue *zero) {
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
  if (llvm::all_of(out.zeros, [](int8_t z) { return z == 0; }))
    out.zeros.clear();
  return out;
}

/// A matrix [k, n] as it is stored: one of the three.
struct StoredMatrix {
  std::optional<BlockCodes> codes;
  // Floats of 8 bits, a scale for each `block` k's.
  std::vector<uint8_t> float8;
  std::vector<float> scales;
  int64_t block = 0;
  // Floats of 16 bits.
  std::vector<uint16_t> halves;
  int64_t k = 0, n = 0;
  Type element;
  Location loc;
};

/// Floats of 8 bits with a scale each, all [k, n]; false where scales do not come in blocks or there is a NaN.
static bool readFloat8(FailureOr<HostValue> codes, std::optional<FailureOr<HostValue>> scale, StoredMatrix &out) {
  if (failed(codes) || (scale && failed(*scale)))
    return false;
  out.k = codes->dims[0], out.n = codes->dims[1];
  ArrayRef<uint8_t> bits(codes->as<uint8_t>(), size_t(out.k * out.n));
  uint8_t largest = isa<Float8E5M2Type>(out.element) ? 0x7c : 0x7e;
  std::vector<float> all(out.k * out.n, 1.0f);
  if (scale) {
    std::vector<double> s(out.k * out.n);
    load(**scale, 0, out.k * out.n, s.data());
    llvm::copy(s, all.begin());
  }
  // A scale is multiplied by 256.
  auto fits = [](float s) { return std::abs(s) < 0x1p118f; };
  if (!llvm::all_of(bits, [&](uint8_t b) { return (b & 127) <= largest; }) || !llvm::all_of(all, fits))
    return false;
  int64_t step = stepOf<float>(all, out.n);
  if (step % 8 != 0)
    return false;
  out.block = step == 0 ? out.k : step;
  for (int64_t i = 0; i < out.k; i += out.block)
    out.scales.insert(out.scales.end(), all.begin() + i * out.n, all.begin() + (i + 1) * out.n);
  out.float8 = bits.vec();
  return true;
}

bool optc::isInFewBits(mlir::Value value) {
  while (isa_and_nonnull<TransposeOp, ReshapeOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return isa_and_nonnull<DequantizeOp, CastOp>(value.getDefiningOp());
}

/// What the model itself has in few bits.
static std::optional<StoredMatrix> readStored(Matrix matrix) {
  SmallVector<Operation *> movement;
  mlir::Value source = matrix.value;
  while (source.getDefiningOp() && isa<TransposeOp, ReshapeOp>(source.getDefiningOp())) {
    movement.push_back(source.getDefiningOp());
    source = movement.back()->getOperand(0);
  }
  auto as = [&](mlir::Value v) { return evaluateAs(matrix, v, movement); };
  StoredMatrix out{.loc = source.getLoc()};
  if (auto cast = source.getDefiningOp<CastOp>()) {
    out.element = elementOf(cast.getX());
    if (isFloat8(out.element))
      return readFloat8(as(cast.getX()), {}, out) ? std::optional(out) : std::nullopt;
    if (!out.element.isF16() && !out.element.isBF16())
      return std::nullopt;
    auto bits = as(cast.getX());
    if (failed(bits))
      return std::nullopt;
    out.k = bits->dims[0], out.n = bits->dims[1];
    out.halves = ArrayRef(bits->as<uint16_t>(), size_t(bits->size())).vec();
    return out;
  }
  auto dequantize = source.getDefiningOp<DequantizeOp>();
  if (!dequantize)
    return std::nullopt;
  out.element = elementOf(dequantize.getX());
  if (isFloat8(out.element) && (!dequantize.getZeroPoint() || isZeros(dequantize.getZeroPoint())))
    return readFloat8(as(dequantize.getX()), as(dequantize.getScale()), out) ? std::optional(out) : std::nullopt;
  if (!isa<IntegerType>(out.element) || out.element.getIntOrFloatBitWidth() > 8)
    return std::nullopt;
  auto codes = as(dequantize.getX()), scale = as(dequantize.getScale());
  auto zero = dequantize.getZeroPoint() ? as(dequantize.getZeroPoint()) : FailureOr<HostValue>(HostValue());
  if (failed(codes) || failed(scale) || failed(zero))
    return std::nullopt;
  out.codes = readCodes(*codes, *scale, dequantize.getZeroPoint() ? &*zero : nullptr);
  return out.codes ? std::optional(out) : std::nullopt;
}

std::optional<CompressedPanels> optc::keptPanels(OpBuilder &b, Matrix matrix) {
  auto stored = readStored(matrix);
  if (!stored)
    return std::nullopt;
  if (stored->codes)
    return packCodes(b, stored->loc, *stored->codes);
  if (!stored->halves.empty())
    return packHalves(b, stored->loc, stored->halves, stored->k, stored->n, stored->element);
  return packFloat8(b, stored->loc, stored->float8, stored->k, stored->n, stored->element, stored->scales, stored->block);
}

std::optional<CompressedRows> optc::keptRows(OpBuilder &b, Matrix matrix) {
  auto stored = readStored(matrix);
  if (!stored)
    return std::nullopt;
  if (stored->codes)
    return packRows(b, stored->loc, *stored->codes);
  if (!stored->halves.empty())
    return packRows(b, stored->loc, stored->halves, stored->k, stored->n, stored->element);
  // Of a row there is one scale.
  if (stored->block != stored->k)
    return std::nullopt;
  return packRows(b, stored->loc, stored->float8, stored->scales, stored->k, stored->n, stored->element);
}
