//===- Depthwise.cpp - Depthwise convolutions on a device -----------------===//
//
// A thread computes a pixel of the result, as many channels as 16 bytes hold:
//
//   for each tap    if it is inside of the image    sum += x[pixel under the tap, c .. c+4] * w[tap, c .. c+4]
//
// The image may be widened, or padded with a value, as it is read. Sums are f32, or of bytes i32.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Generators.h"
#include "codegen/gpu/ProductEpilogue.h"
#include "codegen/kernel/TensorEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

static ConvOp convolutionOf(KernelOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (auto conv = dyn_cast<ConvOp>(op))
      return flatProduct(conv) ? conv : ConvOp();
  return {};
}

LogicalResult optc::generateDeviceDepthwise(DeviceFunction &f) {
  ConvOp conv = convolutionOf(f.kernel);
  auto reshape = conv ? conv.getW().getDefiningOp<ReshapeOp>() : ReshapeOp();
  auto weights = reshape ? dyn_cast<BlockArgument>(reshape.getX()) : BlockArgument();
  size_t spatial = conv ? tensorOf(conv.getX()).getRank() - 2 : 0;
  if (!weights || spatial < 1 || spatial > 2)
    return failure();
  Value image = conv.getX(), product = flatProduct(conv);
  Type weight = elementOf(weights), sumType = registerType(elementOf(product));
  Dims in = dimsOf(image), kernel = dimsOf(conv.getW()), out = dimsOf(conv.getY()), flat = dimsOf(product);
  auto [strideY, strideX] = onPlane(conv.getStrides(), 1);
  auto [dilationY, dilationX] = onPlane(conv.getDilations(), 1);
  auto [padY, padX] = onPlane(conv.getPadsLow(), 0);
  int64_t kernelY = spatial == 2 ? *kernel[0].constant() : 1, kernelX = *kernel[spatial - 1].constant();
  DimExpr channels = in.back();
  int64_t lanes = dividingLanes(channels, 4);
  Type vector = withLanes(sumType, lanes);

  f.items = flat[0] * flat[1] * DimExpr::ceildiv(channels, lanes);
  f.itemsPerBlock = f.threads;
  TensorEmitter emitter(f);
  Value t = f.named(f.threadInGrid(), "t");
  f.when(f.less(t, f.size(f.items)), [&] {
    Value groups = f.size(DimExpr::ceildiv(channels, lanes)), width = f.size(channels), height = spatial == 2 ? f.size(in[1]) : f.index(1),
          columns = f.size(in[spatial]), outColumns = f.size(out[spatial]), pixels = f.size(flat[1]);
    Value c = f.named(f.mul(f.modulo(t, groups), f.index(lanes)), "c"), rest = f.divide(t, groups);
    Value pixel = f.named(f.modulo(rest, pixels), "pixel"), batch = f.divide(rest, pixels);
    Value top = f.sub(f.mul(f.divide(pixel, outColumns), f.index(strideY)), f.index(padY));
    Value left = f.sub(f.mul(f.modulo(pixel, outColumns), f.index(strideX)), f.index(padX));
    Value zero = f.index(0), start = buildConstant(f.b, f.loc, vector, 0);
    emitter.setAligned(c);
    auto isInside = [&](Value at, Value size) {
      Value notBefore = f.less(f.index(-1), at), before = f.less(at, size);
      return f.b.create<arith::AndIOp>(f.loc, notBefore, before);
    };
    // Bytes of the image are unsigned, those of weights signed.
    auto pixelAt = [&](Value y, Value x) {
      TensorEmitter::Scope scope(emitter);
      LaneIndices index = {{batch, 0}, {x, 0}, {c, lanes > 1}};
      if (spatial == 2)
        index.insert(index.begin() + 1, {y, 0});
      Value value = emitter.at(image, index, lanes);
      return value.getType() == vector ? value : Value(f.b.create<arith::ExtUIOp>(f.loc, vector, value));
    };
    auto weightAt = [&](Value tap) {
      Value value = f.load(f.pointerTo(f.input(weights.getArgNumber()), f.add(f.mul(tap, width), c), weight), weight, lanes);
      return value.getType() == vector ? value : Value(f.b.create<arith::ExtSIOp>(f.loc, vector, value));
    };
    auto multiplyAdd = [&](Value x, Value w, Value sum) -> Value {
      if (isa<FloatType>(sumType))
        return f.b.create<math::FmaOp>(f.loc, x, w, sum);
      return f.b.create<arith::AddIOp>(f.loc, f.b.create<arith::MulIOp>(f.loc, x, w), sum);
    };
    SmallVector<Value> sums = f.loop(zero, f.index(kernelY), f.index(1), start, [&](Value ky, ValueRange outer) {
      Value y = f.add(top, f.mul(ky, f.index(dilationY)));
      return f.loop(zero, f.index(kernelX), f.index(1), outer, [&](Value kx, ValueRange inner) {
        Value x = f.add(left, f.mul(kx, f.index(dilationX)));
        Value inside = f.b.create<arith::AndIOp>(f.loc, isInside(y, height), isInside(x, columns));
        Value next = f.branch(
            inside, vector, [&] { return multiplyAdd(pixelAt(y, x), weightAt(f.add(f.mul(ky, f.index(kernelX)), kx)), inner[0]); },
            [&] { return inner[0]; });
        return SmallVector<Value>{next};
      });
    });
    emitter.define(product, [&](const LaneIndices &, int64_t, Value) { return sums[0]; });
    emitter.storeResults({{batch, 0}, {pixel, 0}, {c, lanes > 1}}, lanes);
  });
  f.finish();
  return success();
}
