//===- Winograd.cpp - 3x3 convolutions by F(4x4, 3x3) ---------------------===//

#include "codegen/kernel/Winograd.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

const float optc::kWinogradG[18] = {1.0f / 4,  0,          0,         -1.0f / 6, -1.0f / 6, -1.0f / 6, -1.0f / 6, 1.0f / 6, -1.0f / 6,
                                    1.0f / 24, 1.0f / 12, 1.0f / 6, 1.0f / 24, -1.0f / 12, 1.0f / 6, 0,        0,        1};
const float optc::kWinogradP[18] = {4, 0, 0, 0, 0, 0, 0, -3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1};

bool optc::isWinograd(ConvOp conv) { return conv.getLayout() == "nhwc" && elementOf(conv.getX()).isF32() && fitsWinograd(conv); }

bool optc::fitsWinograd(ConvOp conv) {
  auto all = [](ArrayRef<int64_t> list, int64_t v) { return llvm::all_of(list, [&](int64_t x) { return x == v; }); };
  auto x = tensorOf(conv.getX()), w = tensorOf(conv.getW()), y = tensorOf(conv.getY());
  if (conv.getGroups() != 1 || x.getRank() != 4 || !x.hasStaticShape() || !w.hasStaticShape() || !y.hasStaticShape() ||
      !all(conv.getStrides(), 1) || !all(conv.getDilations(), 1))
    return false;
  // [kh, kw, in, out] and [n, h, w, c], or [out, in, kh, kw] and [n, c, h, w].
  bool last = conv.getLayout() == "nhwc";
  int64_t taps = last ? 0 : 2, channel = last ? 3 : 1, row = last ? 1 : 2;
  if (w.getDimSize(taps) != 3 || w.getDimSize(taps + 1) != 3)
    return false;
  // On small planes the transformed weights, four times as large, cost more than the products saved.
  return x.getDimSize(channel) % kPanel == 0 && y.getDimSize(channel) % kPanel == 0 && y.getDimSize(row) * y.getDimSize(row + 1) >= 144;
}

std::optional<WinogradKernel> optc::readWinograd(KernelOp kernel) {
  for (Operation &op : kernel.getBody().front()) {
    auto conv = dyn_cast<ConvOp>(op);
    if (!conv || !isWinograd(conv))
      continue;
    WinogradKernel k;
    k.conv = conv;
    k.product = flatProduct(conv);
    k.x = dyn_cast<BlockArgument>(conv.getX());
    // w = contract(P, contract(P, planes)): through to the packed planes.
    Value w = conv.getW();
    while (Operation *def = w.getDefiningOp()) {
      if (!isa<ContractOp, ReshapeOp, TransposeOp>(def))
        return std::nullopt;
      w = isa<ContractOp>(def) ? def->getOperand(1) : def->getOperand(0);
    }
    k.planes = dyn_cast<BlockArgument>(w);
    auto x = tensorOf(conv.getX()).getShape(), y = tensorOf(conv.getY()).getShape();
    k.images = x[0], k.height = x[1], k.width = x[2], k.channels = x[3];
    k.outHeight = y[1], k.outWidth = y[2], k.outChannels = y[3];
    k.padTop = conv.getPadsLow()[0], k.padLeft = conv.getPadsLow()[1];
    if (k.product && k.x && k.planes)
      return k;
  }
  return std::nullopt;
}

int64_t WinogradKernel::channelGroups() const {
  int64_t panels = outChannels / kPanel;
  return blocks() * images < 4 && panels % 4 == 0 ? 2 : 1;
}

KernelSchedule optc::scheduleWinograd(KernelOp kernel) {
  KernelSchedule schedule;
  auto k = readWinograd(kernel);
  if (!k)
    return schedule;
  schedule.tiles = k->images * k->blocks() * k->channelGroups();
  schedule.scratchBytes = 4 * (k->inputFloats() + k->productFloats() + k->outputFloats() + k->zeroFloats() + k->pointerFloats());
  // Of the convolution, not of the algorithm.
  schedule.flops = DimExpr(2 * 9) * DimExpr(k->images * k->outHeight * k->outWidth) * DimExpr(k->channels * k->outChannels);
  return schedule;
}
