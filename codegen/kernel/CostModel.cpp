//===- CostModel.cpp - What a product takes in floats and in 8 bits -------===//

#include "codegen/kernel/CostModel.h"
#include "codegen/kernel/Attention.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/Winograd.h"

using namespace mlir;
using namespace optc;

/// Measured on one core of a Sapphire Rapids, each level by code compiled for it.
static constexpr MachineModel kMachines[] = {
    // name         float winograd byte window   depthwise      result      gather  weights              quantize, from, range score
    {"sse",         27,   95,  45,   45,   25,  25,  0.25, 0.15, 0.15, 0.29, 0.150, 0.120, 0.50, 0.35, 0.30, 4.50, 2.40},
    {"avx2",        87,   220, 112,  112,  62,  54,  0.10, 0.12, 0.12, 0.28, 0.110, 0.080, 0.20, 0.14, 0.15, 1.40, 1.60},
    {"avx2-vnni",   87,   220, 283,  315,  62,  75,  0.10, 0.06, 0.06, 0.28, 0.085, 0.080, 0.20, 0.14, 0.15, 1.40, 1.30},
    {"avx512",      158,  420, 152,  157,  115, 80,  0.03, 0.08, 0.07, 0.27, 0.100, 0.075, 0.06, 0.04, 0.08, 0.75, 1.40},
    {"avx512-vnni", 158,  420, 560,  610,  115, 150, 0.03, 0.10, 0.06, 0.27, 0.070, 0.075, 0.06, 0.04, 0.08, 0.75, 0.75},
    {"amx",         158,  420, 1230, 2300, 115, 150, 0.03, 0.10, 0.01, 0.27, 0.072, 0.075, 0.06, 0.04, 0.08, 0.75, 0.50},
};

ArrayRef<MachineModel> optc::machineModels() { return kMachines; }

const MachineModel *optc::machineModel(StringRef name) {
  for (const MachineModel &machine : kMachines)
    if (machine.name == name)
      return &machine;
  return nullptr;
}

double MachineModel::traffic(double bytes) const {
  // Bytes in a nanosecond: what fits a private cache beside the rest of a layer, what barely does, and memory.
  constexpr double kNear = 60, kFar = 25, kMemory = 12;
  return bytes / (bytes <= 512 * 1024 ? kNear : bytes <= 2048 * 1024 ? kFar : kMemory);
}

double optc::sizeOf(const DimExpr &dim) {
  auto size = dim.evaluate([](StringRef) { return std::optional<int64_t>(kAssumedSize); });
  return double(std::max<int64_t>(1, size.value_or(kAssumedSize)));
}

double optc::elementsOf(Value tensor) {
  double count = 1;
  for (const DimExpr &dim : dimsOf(tensor))
    count *= sizeOf(dim);
  return count;
}

bool optc::groupsGain(ConvOp conv) {
  // Each has slices of its own; a few products do not fill a panel's loop.
  constexpr int64_t kMostGroups = 64;
  constexpr double kLeastProducts = 16;
  bool last = conv.getLayout() == "nhwc";
  Dims w = dimsOf(conv.getW());
  double channels = sizeOf(last ? w[w.size() - 2] : w[1]), products = elementsOf(conv.getW()) / sizeOf(last ? w.back() : w.front());
  return conv.getGroups() > 1 && conv.getGroups() <= kMostGroups && channels > 1 && products >= kLeastProducts;
}

static ProductSize convSize(ConvOp conv) {
  ProductSize size;
  bool last = conv.getLayout() == "nhwc";
  Dims w = dimsOf(conv.getW()), y = dimsOf(conv.getY());
  size.constantRhs = true;
  size.batch = sizeOf(y.front());
  size.n = sizeOf(last ? y.back() : y[1]);
  size.m = elementsOf(conv.getY()) / (size.batch * size.n);
  // Filters are [taps..., in, out] or [out, in, taps...].
  size.k = elementsOf(conv.getW()) / sizeOf(last ? w.back() : w.front());
  double channels = sizeOf(last ? w[w.size() - 2] : w[1]);
  size.taps = size.k / channels;
  double groups = double(conv.getGroups());
  bool isDepthwise = groups > 1 && channels == 1 && size.n == groups;
  size.kind = isDepthwise ? ProductSize::Kind::depthwise : groups == 1 || groupsGain(conv) ? ProductSize::Kind::conv : ProductSize::Kind::grouped;
  if (!isDepthwise) {
    size.batch *= groups;
    size.n /= groups;
  }
  size.winograd = fitsWinograd(conv);
  size.widened = isDepthwise && y.size() == 3;
  return size;
}

ProductSize optc::productSize(Operation *op, bool constantRhs) {
  if (auto conv = dyn_cast<ConvOp>(op))
    return convSize(conv);
  auto contract = cast<ContractOp>(op);
  ProductSize size;
  size.constantRhs = constantRhs;
  auto product = [](Value v, ArrayRef<int64_t> axes) {
    double count = 1;
    for (int64_t axis : axes)
      count *= sizeOf(dimsOf(v)[axis]);
    return count;
  };
  size.batch = product(contract.getLhs(), contract.getLhsBatch());
  size.k = product(contract.getLhs(), contract.getLhsContract());
  size.m = elementsOf(contract.getLhs()) / (size.batch * size.k);
  size.n = elementsOf(contract.getRhs()) / (size.batch * size.k);
  return size;
}

bool optc::weightsStayCached(ArrayRef<ProductSize> model) {
  constexpr double kCache = 2048 * 1024;
  double bytes = 0;
  for (const ProductSize &s : model)
    bytes += s.constantRhs ? 4 * s.k * s.n : 0;
  return bytes <= kCache;
}

static double roundUp(double x, double step) { return std::ceil(x / step) * step; }

double optc::productCost(const MachineModel &machine, const ProductSize &s, ProductForm form) {
  bool bytes = form == ProductForm::bytes;
  double results = s.results() * (bytes ? machine.byteResult : machine.floatResult);
  if (s.kind == ProductSize::Kind::depthwise) {
    constexpr double kWidening = 1.5;
    double rate = !bytes ? machine.depthwiseOps : s.widened ? machine.depthwiseOps / kWidening : machine.depthwiseByteOps;
    return s.operations() / rate + results;
  }
  // No kernel: a library step, or what other passes make of it; codes have to become floats first.
  if (s.kind == ProductSize::Kind::grouped)
    return s.operations() + (bytes ? s.batch * s.m * s.k * machine.dequantize : 0);
  double n = roundUp(s.n, kPanel), k = bytes ? roundUp(s.k, 4) : s.k;
  bool windows = s.taps > 1;
  double rate = !bytes ? s.winograd ? machine.winogradOps : machine.floatOps : windows ? machine.byteWindowOps : machine.byteOps;
  double compute = 2 * s.batch * s.m * n * k / rate;
  // A window's pixels are brought together: of bytes always, of floats where a pixel has few channels. Then it takes longer.
  constexpr double kFewChannels = 8, kDearer = 5, kFloatGather = 0.35;
  bool few = s.k / s.taps < kFewChannels;
  if (windows)
    compute += s.batch * s.m * k * (bytes ? machine.gather * (few ? kDearer : 1) : few ? kFloatGather : 0);
  // Rows that do not end with a group of four are copied for each block of columns.
  constexpr double kOddRow = 10, kBlock = 8 * kPanel;
  if (bytes && s.kind == ProductSize::Kind::matmul && k != s.k)
    compute += s.batch * s.m * s.k * std::ceil(s.n / kBlock) * kOddRow * machine.gather;
  // Zero points of two activations: sums over rows and columns, in passes of their own, and what multiplies them.
  if (bytes && !s.constantRhs)
    results += s.batch * (s.m + s.n) * s.k * 3 * machine.range;
  constexpr double kCached = 0.25; // of the time that memory takes
  double each = bytes ? machine.byteWeight : form == ProductForm::codedWeights ? machine.codeWeight : machine.floatWeight;
  each *= s.cachedWeights ? kCached : 1;
  double weights = s.k * s.n * each * (s.constantRhs ? 1 : 0);
  // For more rows than dequantise in registers, weights are unpacked first. Where floats take little longer to read than to multiply,
  // they may as well come from a cache: codes then gain nothing.
  if (form == ProductForm::codedWeights && s.batch * s.m > kDirectRows) {
    double floats = s.k * s.n * machine.floatWeight * (s.cachedWeights ? kCached : 1);
    weights = floats < 2 * compute ? floats : weights;
    compute += s.k * s.n * machine.dequantize;
  }
  // Memory is read while there is something to compute, but not all of the time.
  return std::max(compute, weights) + 0.4 * std::min(compute, weights) + results;
}

double optc::attentionCost(const MachineModel &machine, AttentionOp op, ProductForm form) {
  bool bytes = form == ProductForm::bytes;
  Dims q = dimsOf(op.getQ()), v = dimsOf(op.getV());
  // Codes are packed, k's and v's for some queries each.
  constexpr double kPacking = 90;
  double length = sizeOf(q[2]), keys = sizeOf(v[2]), queries = sizeOf(q[0]) * sizeOf(q[1]) * length;
  // A block of queries sees the keys up to its last one.
  if (op.getCausal())
    keys = std::clamp(keys - (length - std::min<double>(length, kAttentionQueries)) / 2, 1.0, keys);
  double scores = queries * keys, products = 2 * scores * (sizeOf(q[3]) + sizeOf(v[3]));
  return products / (bytes ? machine.byteOps : machine.floatOps) +
         (bytes ? scores * machine.byteScore + queries * kPacking : scores * machine.floatScore);
}
