//===- InferTypesWindow.cpp - Result types of contractions and windows ----===//

#include "ir/InferTypes.h"

using namespace mlir;
using namespace optc;

/// What products of an element type are summed in.
static Type sumType(Type element) { return element.isInteger(8) ? IntegerType::get(element.getContext(), 32) : element; }

OPTC_INFER(ContractOp) {
  Dims lhs = dimsOf(op.getLhs()), rhs = dimsOf(op.getRhs()), out;
  SmallVector<bool> usedL(lhs.size()), usedR(rhs.size());
  if (op.getLhsBatch().size() != op.getRhsBatch().size() ||
      op.getLhsContract().size() != op.getRhsContract().size())
    return emitOptionalError(location, "the operands' batch and contracted dims must pair up");
  auto pair = [&](ArrayRef<int64_t> ls, ArrayRef<int64_t> rs, bool keep) -> LogicalResult {
    for (auto [l, r] : llvm::zip(ls, rs)) {
      if (l < 0 || l >= int64_t(lhs.size()) || r < 0 || r >= int64_t(rhs.size()) || usedL[l] || usedR[r])
        return emitOptionalError(location, "a dim is out of range or named twice");
      if (!dimsMayMatch(lhs[l], rhs[r]))
        return emitOptionalError(location, "dim ", l, " of the left operand is ", lhs[l].str(), ", dim ", r,
                                 " of the right one is ", rhs[r].str());
      usedL[l] = usedR[r] = true;
      if (keep)
        out.push_back(lhs[l].isConstant() ? lhs[l] : rhs[r].isConstant() ? rhs[r] : lhs[l]);
    }
    return success();
  };
  if (failed(pair(op.getLhsBatch(), op.getRhsBatch(), true)) ||
      failed(pair(op.getLhsContract(), op.getRhsContract(), false)))
    return failure();
  for (size_t i = 0; i < lhs.size(); ++i)
    if (!usedL[i])
      out.push_back(lhs[i]);
  for (size_t i = 0; i < rhs.size(); ++i)
    if (!usedR[i])
      out.push_back(rhs[i]);
  Type element = elementOf(op.getLhs());
  if (!element.isInteger(8) && element != elementOf(op.getRhs()))
    return emitOptionalError(location, "operands differ in element type");
  types.push_back(tensorType(out, sumType(element)));
  return success();
}

/// Positions of the channel and of the first spatial dim.
static std::pair<int64_t, int64_t> dataDims(StringRef layout, size_t rank) {
  return layout == "nhwc" ? std::pair<int64_t, int64_t>(rank - 1, 1) : std::pair<int64_t, int64_t>(1, 2);
}

/// Checks that window attributes have one entry a spatial dim and sane values.
static LogicalResult checkWindow(std::optional<Location> location, size_t spatial, ArrayRef<int64_t> strides,
                                 ArrayRef<int64_t> dilations, ArrayRef<int64_t> low, ArrayRef<int64_t> high) {
  for (ArrayRef<int64_t> list : {strides, dilations, low, high})
    if (list.size() != spatial)
      return emitOptionalError(location, "expected ", spatial, " strides, dilations and pads, got ", list.size());
  for (ArrayRef<int64_t> list : {strides, dilations})
    for (int64_t v : list)
      if (v < 1 || v > INT32_MAX)
        return emitOptionalError(location, "strides and dilations must be at least 1");
  for (ArrayRef<int64_t> list : {low, high})
    for (int64_t v : list)
      if (v < -INT32_MAX || v > INT32_MAX)
        return emitOptionalError(location, "padding is out of range");
  return success();
}

OPTC_INFER(ConvOp) {
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW());
  if (x.size() < 3 || x.size() != w.size())
    return emitOptionalError(location, "input and weights must have the same rank, 3 or more");
  size_t spatial = x.size() - 2;
  if (failed(checkWindow(location, spatial, op.getStrides(), op.getDilations(), op.getPadsLow(), op.getPadsHigh())))
    return failure();
  bool nhwc = op.getLayout() == "nhwc";
  auto [channel, first] = dataDims(op.getLayout(), x.size());
  DimExpr outputs = nhwc ? w.back() : w[0], inputs = nhwc ? w[spatial] : w[1];
  if (op.getGroups() < 1 || !dimsMayMatch(x[channel], inputs * DimExpr(op.getGroups())))
    return emitOptionalError(location, "input has ", x[channel].str(), " channels, weights expect ",
                             inputs.str(), " in each of ", op.getGroups(), " groups");
  if (auto c = outputs.constant(); c && *c % op.getGroups() != 0)
    return emitOptionalError(location, "output channels are not divisible by the groups");
  Dims out = x;
  out[channel] = outputs;
  for (size_t i = 0; i < spatial; ++i) {
    DimExpr kernel = w[nhwc ? i : i + 2];
    if (!kernel.isConstant())
      return emitOptionalError(location, "the kernel's size must be known");
    out[first + i] = windowSize(x[first + i], *kernel.constant(), op.getStrides()[i], op.getDilations()[i],
                                op.getPadsLow()[i], op.getPadsHigh()[i], false);
    if (auto c = out[first + i].constant(); c && *c < 1 && x[first + i] != DimExpr(0))
      return emitOptionalError(location, "the kernel is larger than the padded input");
  }
  types.push_back(tensorType(out, sumType(elementOf(op.getX()))));
  return success();
}

OPTC_INFER(ConvTransposeOp) {
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW());
  if (x.size() < 3 || x.size() != w.size())
    return emitOptionalError(location, "input and weights must have the same rank, 3 or more");
  size_t spatial = x.size() - 2;
  if (failed(checkWindow(location, spatial, op.getStrides(), op.getDilations(), op.getPadsLow(), op.getPadsHigh())) ||
      op.getOutputPadding().size() != spatial)
    return emitOptionalError(location, "expected ", spatial, " strides, dilations, pads and output_padding");
  bool nhwc = op.getLayout() == "nhwc";
  auto [channel, first] = dataDims(op.getLayout(), x.size());
  DimExpr inputs = nhwc ? w[spatial] : w[0], outputs = nhwc ? w.back() : w[1];
  if (op.getGroups() < 1 || !dimsMayMatch(x[channel], inputs))
    return emitOptionalError(location, "input has ", x[channel].str(), " channels, weights expect ", inputs.str());
  Dims out = x;
  out[channel] = outputs * DimExpr(op.getGroups());
  for (size_t i = 0; i < spatial; ++i)
    out[first + i] = (x[first + i] - DimExpr(1)) * DimExpr(op.getStrides()[i]) +
                     (w[nhwc ? i : i + 2] - DimExpr(1)) * DimExpr(op.getDilations()[i]) +
                     DimExpr(op.getOutputPadding()[i] + 1 - op.getPadsLow()[i] - op.getPadsHigh()[i]);
  types.push_back(tensorType(out, elementOf(op.getX())));
  return success();
}

template <typename Adaptor>
static FailureOr<Dims> poolDims(Adaptor op, StringRef layout, std::optional<Location> location) {
  Dims x = dimsOf(op.getX());
  if (x.size() < 3)
    return emitOptionalError(location, "expected rank 3 or more");
  size_t spatial = x.size() - 2;
  if (op.getWindow().size() != spatial ||
      failed(checkWindow(location, spatial, op.getStrides(), op.getDilations(), op.getPadsLow(), op.getPadsHigh())))
    return emitOptionalError(location, "window attributes do not fit the input's rank");
  int64_t first = dataDims(layout, x.size()).second;
  for (size_t i = 0; i < spatial; ++i) {
    if (op.getWindow()[i] < 1 || op.getWindow()[i] > INT32_MAX)
      return emitOptionalError(location, "the window must be at least 1");
    DimExpr &d = x[first + i];
    bool isEmpty = d == DimExpr(0);
    d = windowSize(d, op.getWindow()[i], op.getStrides()[i], op.getDilations()[i], op.getPadsLow()[i],
                   op.getPadsHigh()[i], op.getCeil());
    if (auto c = d.constant(); c && *c < 1 && !isEmpty)
      return emitOptionalError(location, "the window is larger than the padded input");
  }
  return x;
}

OPTC_INFER(PoolOp) {
  auto dims = poolDims(op, op.getLayout(), location);
  if (failed(dims))
    return failure();
  types.push_back(tensorType(*dims, elementOf(op.getX())));
  return success();
}

OPTC_INFER(MaxPoolIndicesOp) {
  auto dims = poolDims(op, "nchw", location);
  if (failed(dims))
    return failure();
  types.push_back(tensorType(*dims, elementOf(op.getX())));
  types.push_back(tensorType(*dims, IntegerType::get(op.getX().getContext(), 64)));
  return success();
}

template <typename Adaptor>
static LogicalResult inferRoi(Adaptor op, std::optional<Location> location, SmallVectorImpl<Type> &types) {
  Dims x = dimsOf(op.getX()), rois = dimsOf(op.getRois());
  if (x.size() != 4 || rois.size() != 2 || op.getHeight() < 1 || op.getWidth() < 1)
    return emitOptionalError(location, "expected x of rank 4, rois of rank 2 and a positive output size");
  types.push_back(tensorType({rois[0], x[1], op.getHeight(), op.getWidth()}, elementOf(op.getX())));
  return success();
}
OPTC_INFER(RoiAlignOp) { return inferRoi(op, location, types); }
OPTC_INFER(MaxRoiPoolOp) { return inferRoi(op, location, types); }
