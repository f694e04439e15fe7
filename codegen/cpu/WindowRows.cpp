//===- WindowRows.cpp - Convolutions as rows of a matrix ------------------===//

#include "codegen/cpu/WindowRows.h"

using namespace mlir;
using namespace optc;
using Values = SmallVector<Value>;

WindowRows::WindowRows(KernelFunction &f, const ContractionKernel &c, Type target) : f(f), c(c), element(c.bfloat ? f.b.getI8Type() : elementOf(c.lhs)), target(target) {
  conv = dyn_cast<ConvOp>(c.root);
  if (!conv)
    return;
  image = dimsOf(c.lhs);
  if (c.narrow)
    image.back() = image.back() * DimExpr(narrowBytes(conv.getX()));
  kernel = dimsOf(conv.getW());
  result = dimsOf(conv.getY());
}

/// The image's index along spatial dim `d` of the first tap of output pixel `row` (flattened over the spatial dims).
Value WindowRows::startOf(Value row, size_t d) {
  DimExpr inner(1);
  for (size_t i = d + 1; i + 2 < result.size(); ++i)
    inner = inner * result[i + 1];
  Value o = f.divide(row, f.size(inner));
  o = d == 0 ? o : f.modulo(o, f.size(result[d + 1]));
  return f.sub(f.mul(o, f.index(conv.getStrides()[d])), f.index(c.padsLow[d]));
}

void WindowRows::forEachTap(Value batch, Value row, Visit visit) { forEachTap(batch, row, image.size() - 2, visit); }

/// Over the first `depth` spatial dims; `offset` is in elements where those are all.
void WindowRows::forEachTap(Value batch, Value row, size_t depth, Visit visit) {
  Values start;
  for (size_t d = 0; d < depth; ++d)
    start.push_back(startOf(row, d));
  // Nest over the kernel's dims; `inside` and `offset` are complete for the dims so far.
  std::function<void(size_t, Value, Value, Value)> nest = [&](size_t d, Value tap, Value inside, Value offset) {
    if (d == depth)
      return visit(tap, inside, depth + 2 == image.size() ? f.mul(offset, f.size(image.back())) : offset);
    Value size = f.size(image[d + 1]), count = f.size(kernel[d]);
    auto one = [&](Value k) {
      Value i = f.add(start[d], f.mul(k, f.index(conv.getDilations()[d])));
      Value ok = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, i, size);
      ok = inside ? Value(f.b.create<arith::AndIOp>(f.loc, inside, ok)) : ok;
      nest(d + 1, f.add(f.mul(tap, count), k), ok, f.add(f.mul(offset, size), i));
    };
    if (*kernel[d].constant() == 1)
      return one(f.index(0));
    f.loop(f.index(0), count, f.index(1), {}, [&](Value k, ValueRange) {
      one(k);
      return Values{};
    });
  };
  nest(0, f.index(0), {}, batch);
}

/// The taps of the innermost kernel dim lie side by side in the image as they do in the row: where all of them are inside,
/// they are copied together.
void WindowRows::gather(Value batch, Value row, Value height, Value rows, Value stride) {
  size_t spatial = image.size() - 2;
  int64_t channels = *image.back().constant(), window = *kernel[spatial - 1].constant();
  bool isRun = conv.getDilations()[spatial - 1] == 1;
  Value source = f.input(c.lhs.getArgNumber()), step = f.index(channels);
  f.loop(f.index(0), height, f.index(1), {}, [&](Value r, ValueRange) {
    Value to = f.pointerTo(rows, f.mul(stride, r), target), pixel = f.add(row, r);
    if (c.bfloat)
      fillTail(to);
    if (!isRun) {
      forEachTap(batch, pixel, [&](Value tap, Value inside, Value offset) {
        pixels(f.pointerTo(to, f.mul(tap, step), target), f.pointerTo(source, offset, element), inside, channels);
      });
      return Values{};
    }
    // `at`: the image's index of the first tap along the innermost dim.
    forEachTap(batch, pixel, spatial - 1, [&](Value line, Value inside, Value start) {
      int64_t bytes = c.narrow ? runBytes(conv) : window * channels;
      Value size = f.size(image[spatial]), first = f.mul(line, f.index(bytes));
      Value at = startOf(pixel, spatial - 1);
      Value whole = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, at, f.index(0));
      whole = f.b.create<arith::AndIOp>(f.loc, whole, f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sle, f.add(at, f.index(window)), size));
      whole = inside ? Value(f.b.create<arith::AndIOp>(f.loc, inside, whole)) : whole;
      Value from = f.pointerTo(source, f.mul(f.add(f.mul(start, size), at), step), element);
      Value run = f.pointerTo(to, first, target);
      auto op = f.b.create<scf::IfOp>(f.loc, whole, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(f.b);
      f.b.setInsertionPoint(op.thenBlock()->getTerminator());
      copy(run, from, window * channels);
      if (c.bfloat && bytes > window * channels)
        fill(f.pointerTo(run, f.index(window * channels), target), bytes - window * channels);
      f.b.setInsertionPoint(op.elseBlock()->getTerminator());
      f.loop(f.index(0), f.index(window), f.index(1), {}, [&](Value k, ValueRange) {
        Value ok = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, f.add(at, k), size);
        ok = inside ? Value(f.b.create<arith::AndIOp>(f.loc, inside, ok)) : ok;
        Value offset = f.mul(k, step);
        pixels(f.pointerTo(run, offset, target), f.pointerTo(from, offset, element), ok, channels);
        return Values{};
      });
      if (c.bfloat && bytes > window * channels)
        fill(f.pointerTo(run, f.index(window * channels), target), bytes - window * channels);
    });
    return Values{};
  });
}

int64_t WindowRows::lines() {
  size_t spatial = image.size() - 2;
  bool isRun = target == element && spatial <= 2 && conv.getDilations()[spatial - 1] == 1;
  return !isRun ? 0 : spatial == 1 ? 1 : *kernel[0].constant();
}

Value WindowRows::linePitch() {
  size_t spatial = image.size() - 2;
  return spatial == 1 ? f.index(0) : f.mul(f.size(image[2] * image[3]), f.index(conv.getDilations()[0]));
}

Value WindowRows::firstTap(Value batch, Value row, int64_t height, Value &inside) {
  size_t spatial = image.size() - 2;
  auto both = [&](Value a, Value b) { return a ? Value(f.b.create<arith::AndIOp>(f.loc, a, b)) : b; };
  Value columns = f.size(result[spatial]), x = f.modulo(row, columns), at = batch;
  inside = f.less(f.add(x, f.index(height - 1)), columns);
  for (size_t d = 0; d < spatial; ++d) {
    bool isLast = d + 1 == spatial;
    Value start = startOf(row, d);
    // The last tap of the last pixel.
    int64_t span = conv.getDilations()[d] * (*kernel[d].constant() - 1) + (isLast ? conv.getStrides()[d] * (height - 1) : 0);
    inside = both(inside, f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, start, f.index(0)));
    inside = both(inside, f.less(f.add(start, f.index(span)), f.size(image[d + 1])));
    at = f.add(f.mul(at, f.size(image[d + 1])), start);
  }
  return f.pointerTo(f.input(c.lhs.getArgNumber()), f.mul(at, f.size(image.back())), element);
}

void WindowRows::padRows(Value x, const ImageWindow &v, Value top, Value count, Value rows) {
  int64_t after = v.padded - v.pad - v.width;
  f.loop(f.index(0), count, f.index(1), {}, [&](Value r, ValueRange) {
    Value to = f.pointerTo(rows, f.mul(r, f.index(v.padded * v.channels)), target), row = f.add(top, r);
    Value inside = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, row, f.index(v.height));
    auto op = f.b.create<scf::IfOp>(f.loc, inside, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPoint(op.thenBlock()->getTerminator());
    if (v.pad > 0)
      fill(to, v.pad * v.channels);
    Value from = f.pointerTo(x, f.mul(row, f.index(v.width * v.channels)), element);
    copy(f.pointerTo(to, f.index(v.pad * v.channels), target), from, v.width * v.channels);
    if (after > 0)
      fill(f.pointerTo(to, f.index((v.pad + v.width) * v.channels), target), after * v.channels);
    f.b.setInsertionPoint(op.elseBlock()->getTerminator());
    fill(to, v.padded * v.channels);
    return Values{};
  });
}

/// Reads nothing where the pixel is outside.
void WindowRows::pixels(Value to, Value from, Value inside, int64_t count) {
  auto op = f.b.create<scf::IfOp>(f.loc, inside, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPoint(op.thenBlock()->getTerminator());
  copy(to, from, count);
  f.b.setInsertionPoint(op.elseBlock()->getTerminator());
  fill(to, count);
}

/// Whole vectors, in a loop where they are many, then halves.
void WindowRows::inVectors(int64_t count, llvm::function_ref<void(Value, int64_t)> body) {
  constexpr int64_t kUnrolled = 8;
  int64_t widest = f.target.lanes(target.getIntOrFloatBitWidth() / 8), done = 0;
  if (count / widest > kUnrolled) {
    done = count / widest * widest;
    f.loop(f.index(0), f.index(done), f.index(widest), {}, [&](Value at, ValueRange) {
      body(at, widest);
      return Values{};
    });
  }
  for (int64_t width = widest; width >= 1; width /= 2)
    for (; done + width <= count; done += width)
      body(f.index(done), width);
}

void WindowRows::move(Value to, Value from, Value at, int64_t width) {
  Value x = f.load(f.pointerTo(from, at, element), element, width);
  if (target != element && target.getIntOrFloatBitWidth() > element.getIntOrFloatBitWidth())
    x = f.b.create<arith::ExtUIOp>(f.loc, withLanes(target, width), x);
  f.store(x, f.pointerTo(to, at, target), target);
}

void WindowRows::copy(Value to, Value from, int64_t count) {
  inVectors(count, [&](Value at, int64_t width) { move(to, from, at, width); });
}

void WindowRows::copy(Value to, Value from, Value count) {
  constexpr int64_t kWidth = 16;
  Value main = f.mul(f.divide(count, f.index(kWidth)), f.index(kWidth));
  auto part = [&](Value begin, Value end, int64_t width) {
    f.loop(begin, end, f.index(width), {}, [&](Value at, ValueRange) {
      move(to, from, at, width);
      return Values{};
    });
  };
  part(f.index(0), main, kWidth);
  part(main, count, 1);
}

void WindowRows::fillTail(Value row) {
  int64_t k = *c.k.constant(), padded = *c.paddedK().constant();
  if (padded > k)
    fill(f.pointerTo(row, f.index(k), target), padded - k);
}

void WindowRows::fill(Value to, int64_t count) {
  Value value = buildConstant(f.b, f.loc, memoryType(target), c.padValue);
  inVectors(count, [&](Value at, int64_t width) { f.store(f.splat(value, width), f.pointerTo(to, at, target), target); });
}
