//===- ByteDepthwise.cpp - Depthwise convolutions of codes ----------------===//

#include "codegen/kernel/ByteDepthwise.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

/// Bytes of the widest vector register.
static constexpr int64_t kVector = 64;

bool optc::isByteDepthwise(ConvOp conv) {
  Dims x = dimsOf(conv.getX()), w = dimsOf(conv.getW());
  return conv.getLayout() == "nhwc" && x.size() == 4 && conv.getGroups() > 1 && w[2] == DimExpr(1) && x.back() == DimExpr(conv.getGroups()) &&
         w.back() == x.back() && elementOf(conv.getX()).isUnsignedInteger(8) && elementOf(conv.getW()).isSignlessInteger(8);
}

std::optional<ByteDepthwise> optc::readByteDepthwise(KernelOp kernel) {
  for (Operation &op : kernel.getBody().front()) {
    auto conv = dyn_cast<ConvOp>(op);
    if (!conv || !isByteDepthwise(conv) || !flatProduct(conv))
      continue;
    ByteDepthwise d;
    d.conv = conv;
    d.product = flatProduct(conv);
    Value x = conv.getX();
    d.padRow = conv.getPadsLow()[0], d.pad = conv.getPadsLow()[1];
    if (auto pad = x.getDefiningOp<PadOp>()) {
      auto low = pad.getLow().constants();
      auto value = pad.getValue() ? pad.getValue().getDefiningOp<ConstantOp>() : ConstantOp();
      if (!low || !value)
        return std::nullopt;
      d.padRow += (*low)[1], d.pad += (*low)[2];
      d.padValue = value.getValue().getSplatValue<APInt>().getZExtValue();
      x = pad.getX();
    }
    d.image = dyn_cast<BlockArgument>(x);
    if (!d.image)
      return std::nullopt;
    Dims in = dimsOf(x), w = dimsOf(conv.getW()), out = dimsOf(conv.getY());
    d.inRows = in[1], d.inColumns = in[2], d.channels = in[3];
    d.outRows = out[1], d.outColumns = out[2];
    d.kernelRows = *w[0].constant(), d.kernelColumns = *w[1].constant();
    d.strideRow = conv.getStrides()[0], d.stride = conv.getStrides()[1];
    d.dilationRow = conv.getDilations()[0], d.dilation = conv.getDilations()[1];
    return d;
  }
  return std::nullopt;
}

DimExpr ByteDepthwise::sumBytes() const { return outColumns * DimExpr(sharedRows() * kVector); }
DimExpr ByteDepthwise::paddingBytes() const { return (DimExpr::ceildiv(inColumns * channels, kVector) + DimExpr(1)) * DimExpr(kVector); }

KernelSchedule optc::scheduleByteDepthwise(const ByteDepthwise &d) {
  KernelSchedule schedule;
  ConvOp conv = d.conv;
  Dims y = dimsOf(conv.getY());
  schedule.tiles = y[0] * d.rowBlocks();
  schedule.scratchBytes = d.sumBytes() + d.paddingBytes();
  schedule.flops = DimExpr(2 * d.kernelRows * d.kernelColumns) * numElements(y);
  return schedule;
}

Value optc::packTaps(OpBuilder &b, ConvOp conv, Value weights) {
  Dims w = dimsOf(weights);
  Type element = elementOf(weights);
  Location loc = weights.getLoc();
  int64_t rows = *w[0].constant(), words = (rows + ByteDepthwise::kWord - 1) / ByteDepthwise::kWord;
  Value x = b.create<ReshapeOp>(loc, tensorType({w[0], w[1], w[3]}, element), weights);
  if (words * ByteDepthwise::kWord != rows)
    x = b.create<PadOp>(loc, tensorType({DimExpr(words * ByteDepthwise::kWord), w[1], w[3]}, element), x, Value(),
                        DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0, 0}), "constant");
  x = b.create<ReshapeOp>(loc, tensorType({DimExpr(words), DimExpr(ByteDepthwise::kWord), w[1], w[3]}, element), x);
  return b.create<TransposeOp>(loc, x, ArrayRef<int64_t>{0, 2, 3, 1});
}

Value optc::unpackTaps(OpBuilder &b, ConvOp conv, Value packed) {
  Dims w = dimsOf(conv.getW());
  Type element = elementOf(packed);
  Location loc = conv.getLoc();
  Value x = b.create<TransposeOp>(loc, packed, ArrayRef<int64_t>{0, 3, 1, 2});
  DimExpr rows = dimsOf(x)[0] * DimExpr(ByteDepthwise::kWord);
  x = b.create<ReshapeOp>(loc, tensorType({rows, w[1], w[3]}, element), x);
  if (rows != w[0])
    x = b.create<SliceOp>(loc, tensorType({w[0], w[1], w[3]}, element), x, DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0, 0}),
                          DimsAttr::get(b.getContext(), ArrayRef<int64_t>{1, 1, 1}));
  return b.create<ReshapeOp>(loc, tensorType(w, element), x);
}
