//===- Depthwise.cpp - Generator of depthwise convolutions ----------------===//
//
// Channels-last: a vector holds neighbouring channels, so every tap is one multiply-add of a row of
// pixels with a vector of weights.
//
//   for tile in [begin, end)                        one output row of one image
//     for each vector of channels
//       for columns in groups of kColumns           accumulators stay in registers
//         for tap rows inside the image, for tap columns
//           acc[u] += x[row, column(u), c..] * w[tap, c..]
//
// Columns whose taps touch the left or right border take the same path one at a time, with the taps that are
// inside. Weights are [taps, C]. An image of bytes or 16-bit floats is widened as it is read.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Generators.h"
#include "codegen/kernel/ByteDepthwise.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/TensorEmitter.h"

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

class DepthwiseEmitter {
public:
  DepthwiseEmitter(KernelFunction &f, ConvOp conv)
      : f(f), conv(conv), product(flatProduct(conv)), emitter(f), lanes(f.target.lanes(4)) {
    f32 = f.b.getF32Type();
    f.convertsBFloat = true;
    image = cast<BlockArgument>(throughElementwise(conv.getX()));
    Dims x = dimsOf(conv.getX()), y = dimsOf(conv.getY()), w = dimsOf(conv.getW());
    // A 1-D convolution is one row.
    flatRows = x.size() == 3;
    size_t column = x.size() - 2;
    inRows = flatRows ? f.index(1) : f.size(x[1]);
    inColumns = f.size(x[column]);
    outRows = flatRows ? f.index(1) : f.size(y[1]);
    outColumns = f.size(y[column]);
    channels = f.size(x.back());
    kernelRows = flatRows ? 1 : *w[0].constant();
    kernelColumns = *w[column - 1].constant();
    auto pick = [&](ArrayRef<int64_t> list, bool row) { return row ? (flatRows ? 1 : list[0]) : list.back(); };
    strideR = pick(conv.getStrides(), true), strideC = pick(conv.getStrides(), false);
    dilationR = pick(conv.getDilations(), true), dilationC = pick(conv.getDilations(), false);
    padR = flatRows ? 0 : conv.getPadsLow()[0], padC = conv.getPadsLow().back();
  }

  LogicalResult run() {
    // First and last columns whose taps are all inside.
    Value interiorBegin = f.index((padC + strideC - 1) / strideC);
    Value lastStart = f.sub(f.add(inColumns, f.index(padC)), f.index(dilationC * (kernelColumns - 1) + 1));
    Value interiorEnd = f.b.create<arith::FloorDivSIOp>(f.loc, lastStart, f.index(strideC));
    interiorEnd = f.max(f.index(0), f.min(outColumns, f.add(interiorEnd, f.index(1))));
    interiorBegin = f.min(interiorBegin, outColumns);
    interiorEnd = f.max(interiorBegin, interiorEnd);
    f.loop(f.begin, f.end, f.index(1), {}, [&](Value tile, ValueRange) {
      Value row = f.modulo(tile, outRows), batch = f.divide(tile, outRows);
      // Tap rows inside the image.
      Value start = f.sub(f.mul(row, f.index(strideR)), f.index(padR));
      Value tapBegin = f.divide(f.add(f.max(f.index(0), f.sub(f.index(0), start)), f.index(dilationR - 1)), f.index(dilationR));
      Value left = f.max(f.index(0), f.add(f.sub(inRows, start), f.index(dilationR - 1)));
      Value tapEnd = f.min(f.index(kernelRows), f.divide(left, f.index(dilationR)));
      auto block = [&](Value c, Value mask) {
        auto columnsAlone = [&](Value from, Value to) {
          f.loop(from, to, f.index(1), {}, [&](Value column, ValueRange) {
            edge(batch, row, start, tapBegin, tapEnd, column, c, mask);
            return Values{};
          });
        };
        columnsAlone(f.index(0), interiorBegin);
        Value count = f.sub(interiorEnd, interiorBegin);
        Value main = f.add(interiorBegin, f.mul(f.divide(count, f.index(kColumns)), f.index(kColumns)));
        f.loop(interiorBegin, main, f.index(kColumns), {}, [&](Value column, ValueRange) {
          interior(batch, row, start, tapBegin, tapEnd, column, c, mask, kColumns);
          return Values{};
        });
        f.loop(main, interiorEnd, f.index(1), {}, [&](Value column, ValueRange) {
          interior(batch, row, start, tapBegin, tapEnd, column, c, mask, 1);
          return Values{};
        });
        columnsAlone(interiorEnd, outColumns);
      };
      Value whole = f.mul(f.divide(channels, f.index(lanes)), f.index(lanes));
      f.loop(f.index(0), whole, f.index(lanes), {}, [&](Value c, ValueRange) {
        TensorEmitter::Scope scope(emitter);
        block(c, {});
        return Values{};
      });
      auto constant = KernelFunction::constantOf(channels);
      if (!constant || *constant % lanes != 0)
        f.when(f.less(whole, channels), [&] {
          TensorEmitter::Scope scope(emitter);
          block(whole, f.lanesBelow(f.sub(channels, whole), lanes));
        });
      return Values{};
    });
    f.finish();
    return success();
  }

private:
  /// Output columns whose accumulators are in registers together.
  static constexpr int64_t kColumns = 7;

  Value pixel(Value batch, Value inRow, Value inColumn, Value c) {
    Value offset = f.add(f.mul(f.add(f.mul(f.add(f.mul(batch, inRows), inRow), inColumns), inColumn), channels), c);
    return f.pointerTo(f.input(0), offset, elementOf(image));
  }
  static Value throughElementwise(Value x) {
    while (Operation *op = x.getDefiningOp())
      x = op->getOperand(0);
    return x;
  }
  /// A vector of channels of a pixel, through what widens the image.
  Value loadPixel(Value pointer, Value mask) {
    Value x = f.load(pointer, elementOf(image), lanes, mask);
    if (image == conv.getX())
      return x;
    TensorEmitter::Scope scope(emitter);
    emitter.define(image, [x](const LaneIndices &, int64_t, Value) { return x; });
    LaneIndices index(tensorOf(image).getRank(), LaneIndex{f.index(0), 0});
    index.back().stride = 1;
    return emitter.at(conv.getX(), index, lanes, mask);
  }
  Value weight(Value tap, Value c) { return f.pointerTo(f.input(1), f.add(f.mul(tap, channels), c), f32); }

  /// `n` columns from `column` on, all taps inside.
  void interior(Value batch, Value row, Value start, Value tapBegin, Value tapEnd, Value column, Value c, Value mask, int64_t n) {
    Values acc(n, buildConstant(f.b, f.loc, withLanes(f32, lanes), 0));
    Value firstColumn = f.sub(f.mul(column, f.index(strideC)), f.index(padC));
    acc = f.loop(tapBegin, tapEnd, f.index(1), acc, [&](Value tapRow, ValueRange carried) {
      Values next(carried);
      Value inRow = f.add(start, f.mul(tapRow, f.index(dilationR)));
      Value base = pixel(batch, inRow, firstColumn, c), tapBase = f.mul(tapRow, f.index(kernelColumns));
      for (int64_t k = 0; k < kernelColumns; ++k) {
        Value w = f.load(weight(f.add(tapBase, f.index(k)), c), f32, lanes, mask);
        for (int64_t u = 0; u < n; ++u) {
          Value x = loadPixel(f.pointerTo(base, f.mul(channels, f.index(u * strideC + k * dilationC)), elementOf(image)), mask);
          next[u] = f.b.create<vector::FMAOp>(f.loc, x, w, next[u]);
        }
      }
      return next;
    });
    for (int64_t u = 0; u < n; ++u)
      finish(acc[u], batch, row, f.add(column, f.index(u)), c, mask);
  }

  /// One column at the border.
  void edge(Value batch, Value row, Value start, Value tapBegin, Value tapEnd, Value column, Value c, Value mask) {
    Value firstColumn = f.sub(f.mul(column, f.index(strideC)), f.index(padC));
    Value zero = f.index(0), dilation = f.index(dilationC);
    Value begin = f.divide(f.add(f.max(zero, f.sub(zero, firstColumn)), f.index(dilationC - 1)), dilation);
    Value end = f.min(f.index(kernelColumns), f.divide(f.max(zero, f.add(f.sub(inColumns, firstColumn), f.index(dilationC - 1))), dilation));
    Values acc{buildConstant(f.b, f.loc, withLanes(f32, lanes), 0)};
    acc = f.loop(tapBegin, tapEnd, f.index(1), acc, [&](Value tapRow, ValueRange carried) {
      Value inRow = f.add(start, f.mul(tapRow, f.index(dilationR)));
      return f.loop(begin, end, f.index(1), carried, [&](Value k, ValueRange inner) {
        Value w = f.load(weight(f.add(f.mul(tapRow, f.index(kernelColumns)), k), c), f32, lanes, mask);
        Value x = loadPixel(pixel(batch, inRow, f.add(firstColumn, f.mul(k, dilation)), c), mask);
        return Values{f.b.create<vector::FMAOp>(f.loc, x, w, inner[0])};
      });
    });
    finish(acc[0], batch, row, column, c, mask);
  }

  /// The epilogue of one vector.
  void finish(Value sum, Value batch, Value row, Value column, Value c, Value mask) {
    TensorEmitter::Scope scope(emitter);
    LaneIndices index{{batch, 0}, {f.add(f.mul(row, outColumns), column), 0}, {c, 1}};
    emitter.define(product, [sum](const LaneIndices &, int64_t, Value) { return sum; });
    emitter.storeResults(index, lanes, mask);
  }

  KernelFunction &f;
  ConvOp conv;
  BlockArgument image;
  Value product;
  TensorEmitter emitter;
  int64_t lanes;
  Type f32;
  bool flatRows;
  Value inRows, inColumns, outRows, outColumns, channels;
  int64_t kernelRows, kernelColumns, strideR, strideC, dilationR, dilationC, padR, padC;
};

} // namespace

LogicalResult optc::generateDepthwise(KernelFunction &f) {
  if (auto bytes = readByteDepthwise(f.kernel))
    return generateByteDepthwise(f, *bytes);
  for (Operation &op : f.kernel.getBody().front())
    if (auto conv = dyn_cast<ConvOp>(op))
      if (flatProduct(conv))
        return DepthwiseEmitter(f, conv).run();
  return f.kernel.emitError("holds no convolution");
}
