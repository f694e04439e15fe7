//===- Winograd.cpp - Generator of 3x3 convolutions by F(4x4, 3x3) --------===//
//
//   for tile of work -> (image, block of up to 28 output tiles, group of output channels)
//     V[xi][tile][c] = B^T d B          each input tile of 6x6 pixels, zeros outside the image
//     for each two panels of output channels
//       M[xi] = V[xi] x U[xi]           36 small matrix products
//       y = epilogue(A^T M A)           each output tile of 4x4 pixels, clipped to the image
//
// See codegen/kernel/Winograd.h for the source and the transformed weights.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Winograd.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/RegisterTile.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/TensorEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

class WinogradEmitter {
public:
  WinogradEmitter(KernelFunction &f, const WinogradKernel &k)
      : f(f), k(k), emitter(f), registers(f, k.channels, kWinogradPlanes * k.channels * kPanel), lanes(registers.lanes) {
    f32 = f.b.getF32Type();
  }

  void run() {
    Value zero = vector(0);
    f.loop(f.index(0), f.index(k.zeroFloats()), f.index(lanes), {}, [&](Value i, ValueRange) {
      f.store(zero, f.pointerTo(zeroBase(), i, f32), f32);
      return Values{};
    });
    f.loop(f.begin, f.end, f.index(1), {}, [&](Value work, ValueRange) {
      Value group = f.modulo(work, f.index(k.channelGroups())), rest = f.divide(work, f.index(k.channelGroups()));
      Value block = f.modulo(rest, f.index(k.blocks())), image = f.divide(rest, f.index(k.blocks()));
      Value first = f.divide(f.mul(f.index(k.tiles()), block), f.index(k.blocks()));
      Value end = f.divide(f.mul(f.index(k.tiles()), f.add(block, f.index(1))), f.index(k.blocks()));
      Value count = f.sub(end, first);
      f.loop(f.index(0), count, f.index(1), {}, [&](Value tile, ValueRange) {
        transformInput(image, f.add(first, tile), tile);
        return Values{};
      });
      int64_t panels = k.outChannels / kPanel / k.channelGroups(), pairs = panels / 2;
      Value base = f.mul(group, f.index(panels));
      f.loop(f.index(0), f.index(pairs), f.index(1), {}, [&](Value pair, ValueRange) {
        columns(image, first, count, f.add(base, f.mul(pair, f.index(2))), 2);
        return Values{};
      });
      if (panels % 2)
        columns(image, first, count, f.add(base, f.index(panels - 1)), 1);
      return Values{};
    });
    f.finish();
  }

private:
  Value vector(double v) { return buildConstant(f.b, f.loc, withLanes(f32, lanes), v); }
  Value scratchAt(int64_t floats) { return f.pointerTo(f.scratch, f.index(floats), f32); }
  Value inputBase() { return f.scratch; }
  Value productBase() { return scratchAt(k.inputFloats()); }
  Value outputBase() { return scratchAt(k.inputFloats() + k.productFloats()); }
  Value zeroBase() { return scratchAt(k.inputFloats() + k.productFloats() + k.outputFloats()); }
  Value pointerBase() { return scratchAt(k.inputFloats() + k.productFloats() + k.outputFloats() + k.zeroFloats()); }

  /// sum of coefficient * value, smallest number of operations for coefficients of 0, 1 and -1.
  Value combine(std::initializer_list<std::pair<double, Value>> terms) {
    Value sum;
    for (auto [c, v] : terms) {
      if (!sum)
        sum = c == 1 ? v : c == -1 ? Value(f.b.create<arith::NegFOp>(f.loc, v)) : Value(f.b.create<arith::MulFOp>(f.loc, v, vector(c)));
      else if (c == 1)
        sum = f.b.create<arith::AddFOp>(f.loc, sum, v);
      else if (c == -1)
        sum = f.b.create<arith::SubFOp>(f.loc, sum, v);
      else
        sum = f.b.create<vector::FMAOp>(f.loc, v, vector(c), sum);
    }
    return sum;
  }

  /// B^T d for one column (or row) of six.
  Values transformB(const Values &d) {
    Value a = combine({{1, d[4]}, {-4, d[2]}}), b = combine({{1, d[3]}, {-4, d[1]}});
    Value c = combine({{1, d[4]}, {-1, d[2]}}), e = combine({{2, d[3]}, {-2, d[1]}});
    return {combine({{4, d[0]}, {-5, d[2]}, {1, d[4]}}), combine({{1, a}, {1, b}}), combine({{1, a}, {-1, b}}),
            combine({{1, c}, {1, e}}),                   combine({{1, c}, {-1, e}}), combine({{4, d[1]}, {-5, d[3]}, {1, d[5]}})};
  }
  /// A^T m for one column (or row) of six: four.
  Values transformA(const Values &m) {
    Value s = combine({{1, m[1]}, {1, m[2]}}), d = combine({{1, m[1]}, {-1, m[2]}});
    Value t = combine({{1, m[3]}, {1, m[4]}}), e = combine({{1, m[3]}, {-1, m[4]}});
    return {combine({{1, m[0]}, {1, s}, {1, t}}), combine({{1, d}, {2, e}}), combine({{1, s}, {4, t}}), combine({{1, d}, {8, e}, {1, m[5]}})};
  }

  /// V[xi][slot] of one input tile, for all channels.
  void transformInput(Value image, Value tile, Value slot) {
    Value row = f.divide(tile, f.index(k.tileColumns())), column = f.modulo(tile, f.index(k.tileColumns()));
    Value y = f.sub(f.mul(row, f.index(kWinogradOut)), f.index(k.padTop));
    Value x = f.sub(f.mul(column, f.index(kWinogradOut)), f.index(k.padLeft));
    Value source = f.input(k.x.getArgNumber());
    Type i64 = f.b.getI64Type(), pointer = LLVM::LLVMPointerType::get(f.b.getContext());
    // Where each of the 36 pixels lies: in the image or in the row of zeros.
    f.loop(f.index(0), f.index(kWinogradTile), f.index(1), {}, [&](Value i, ValueRange) {
      Value py = f.add(y, i);
      Value rowInside = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, py, f.index(k.height));
      Value line = f.mul(f.add(f.mul(image, f.index(k.height)), py), f.index(k.width));
      for (int64_t j = 0; j < kWinogradTile; ++j) {
        Value px = f.add(x, f.index(j));
        Value inside = f.b.create<arith::AndIOp>(
            f.loc, rowInside, f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, px, f.index(k.width)));
        Value pixel = f.pointerTo(source, f.mul(f.add(line, px), f.index(k.channels)), f32);
        pixel = f.b.create<arith::SelectOp>(f.loc, inside, pixel, zeroBase());
        Value at = f.pointerTo(pointerBase(), f.add(f.mul(i, f.index(kWinogradTile)), f.index(j)), i64);
        f.b.create<LLVM::StoreOp>(f.loc, pixel, at, 8);
      }
      return Values{};
    });
    Value target = f.pointerTo(inputBase(), f.mul(slot, f.index(k.rowStride())), f32);
    f.loop(f.index(0), f.index(k.channels), f.index(lanes), {}, [&](Value c, ValueRange) {
      SmallVector<Values> half; // columns transformed: half[j][xi]
      for (int64_t j = 0; j < kWinogradTile; ++j) {
        Values d;
        for (int64_t i = 0; i < kWinogradTile; ++i) {
          Value pixel = f.b.create<LLVM::LoadOp>(f.loc, pointer, f.pointerTo(pointerBase(), f.index(i * kWinogradTile + j), i64), 8);
          d.push_back(f.load(f.pointerTo(pixel, c, f32), f32, lanes));
        }
        half.push_back(transformB(d));
      }
      for (int64_t xi = 0; xi < kWinogradTile; ++xi) {
        Values row;
        for (int64_t j = 0; j < kWinogradTile; ++j)
          row.push_back(half[j][xi]);
        Values v = transformB(row);
        for (int64_t nu = 0; nu < kWinogradTile; ++nu) {
          int64_t plane = (nu * kWinogradTile + xi) * kWinogradBlock * k.rowStride();
          f.store(v[nu], f.pointerTo(target, f.add(c, f.index(plane)), f32), f32);
        }
      }
      return Values{};
    });
  }

  /// The block's products and outputs for some panels of output channels.
  void columns(Value image, Value first, Value count, Value panel, int64_t panels) {
    int64_t vectors = panels * registers.vectorsPerPanel, width = vectors * lanes, limit = registers.maxRows(panels);
    std::set<int64_t> heights;
    for (int64_t size : {k.tiles() / k.blocks(), (k.tiles() + k.blocks() - 1) / k.blocks()})
      heights.merge(evenHeights(size, limit));
    Value groups = f.divide(f.add(count, f.index(limit - 1)), f.index(limit));
    Value weights = f.pointerTo(f.input(k.planes.getArgNumber()), f.mul(panel, f.index(kWinogradPlanes * k.channels * kPanel)), f32);
    f.loop(f.index(0), f.index(kWinogradPlanes), f.index(1), {}, [&](Value plane, ValueRange) {
      Value v = f.pointerTo(inputBase(), f.mul(plane, f.index(kWinogradBlock * k.rowStride())), f32);
      Value m = f.pointerTo(productBase(), f.mul(plane, f.index(kWinogradBlock * width)), f32);
      Value u = f.pointerTo(weights, f.mul(plane, f.index(k.channels * kPanel)), f32);
      // Weights that few tiles share come at the memory's speed: the next plane's are asked for, a part by each group.
      int64_t parts = (k.tiles() / k.blocks() + limit - 1) / limit;
      bool prefetch = k.blocks() * k.images <= 4;
      registers.prefetchLines = (RegisterTile::kUnroll + parts - 1) / parts;
      f.loop(f.index(0), groups, f.index(1), {}, [&](Value g, ValueRange) {
        if (prefetch) {
          Value part = f.mul(g, f.index(registers.prefetchLines * (k.channels / RegisterTile::kUnroll) * kPanel));
          registers.prefetch = f.pointerTo(u, f.add(part, f.index(k.channels * kPanel)), f32);
        }
        Value from = f.divide(f.mul(count, g), groups), to = f.divide(f.mul(count, f.add(g, f.index(1))), groups);
        forHeight(f, f.sub(to, from), heights, [&](int64_t height) {
          Values rows;
          for (int64_t r = 0; r < height; ++r)
            rows.push_back(f.pointerTo(v, f.mul(f.add(from, f.index(r)), f.index(k.rowStride())), f32));
          Values acc = registers.sum(registers.zeros(panels, height), rows, u, panels, height);
          Value out = f.pointerTo(m, f.mul(from, f.index(width)), f32);
          for (int64_t i = 0; i < height * vectors; ++i)
            f.store(acc[i], f.pointerTo(out, f.index(i * lanes), f32), f32);
        });
        return Values{};
      });
      return Values{};
    });
    f.loop(f.index(0), count, f.index(1), {}, [&](Value slot, ValueRange) {
      f.loop(f.index(0), f.index(vectors), f.index(1), {}, [&](Value v, ValueRange) {
        Value column = f.add(f.mul(panel, f.index(kPanel)), f.mul(v, f.index(lanes)));
        Value source = f.pointerTo(productBase(), f.add(f.mul(slot, f.index(width)), f.mul(v, f.index(lanes))), f32);
        transformOutput(image, f.add(first, slot), column, source, kWinogradBlock * width);
        return Values{};
      });
      return Values{};
    });
  }

  /// One output tile of one vector of channels.
  void transformOutput(Value image, Value tile, Value column, Value source, int64_t planeStride) {
    SmallVector<Values> half; // half[nu][i]
    for (int64_t nu = 0; nu < kWinogradTile; ++nu) {
      Values m;
      for (int64_t xi = 0; xi < kWinogradTile; ++xi)
        m.push_back(f.load(f.pointerTo(source, f.index((nu * kWinogradTile + xi) * planeStride), f32), f32, lanes));
      half.push_back(transformA(m));
    }
    for (int64_t i = 0; i < kWinogradOut; ++i) {
      Values row;
      for (int64_t nu = 0; nu < kWinogradTile; ++nu)
        row.push_back(half[nu][i]);
      Values y = transformA(row);
      for (int64_t j = 0; j < kWinogradOut; ++j)
        f.store(y[j], f.pointerTo(outputBase(), f.index((i * kWinogradOut + j) * lanes), f32), f32);
    }
    // The tile stays in L1; the epilogue's code is there once, and pixels beyond the image are left out.
    Value top = f.mul(f.divide(tile, f.index(k.tileColumns())), f.index(kWinogradOut));
    Value left = f.mul(f.modulo(tile, f.index(k.tileColumns())), f.index(kWinogradOut));
    Value rows = f.min(f.index(kWinogradOut), f.sub(f.index(k.outHeight), top));
    Value columns = f.min(f.index(kWinogradOut), f.sub(f.index(k.outWidth), left));
    f.loop(f.index(0), rows, f.index(1), {}, [&](Value i, ValueRange) {
      f.loop(f.index(0), columns, f.index(1), {}, [&](Value j, ValueRange) {
        TensorEmitter::Scope scope(emitter);
        Value sum = f.load(f.pointerTo(outputBase(), f.mul(f.add(f.mul(i, f.index(kWinogradOut)), j), f.index(lanes)), f32), f32, lanes);
        emitter.define(k.product, [sum](const LaneIndices &, int64_t, Value) { return sum; });
        Value pixel = f.add(f.mul(f.add(top, i), f.index(k.outWidth)), f.add(left, j));
        LaneIndices index{{image, 0}, {pixel, 0}, {column, 1}};
        emitter.storeResults(index, lanes);
        return Values{};
      });
      return Values{};
    });
  }

  KernelFunction &f;
  const WinogradKernel &k;
  TensorEmitter emitter;
  RegisterTile registers;
  int64_t lanes;
  Type f32;
};

} // namespace

LogicalResult optc::generateWinograd(KernelFunction &f) {
  auto k = readWinograd(f.kernel);
  if (!k)
    return f.kernel.emitError("not in the form of a Winograd convolution");
  WinogradEmitter(f, *k).run();
  return success();
}
