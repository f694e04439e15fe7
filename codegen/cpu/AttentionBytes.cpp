//===- AttentionBytes.cpp - Attention on codes of 8 bits ------------------===//

#include "codegen/cpu/AttentionBytes.h"
#include "codegen/cpu/AttentionEmitter.h"
#include "codegen/cpu/AttentionTiles.h"
#include "codegen/cpu/ByteTile.h"
#include "codegen/cpu/FloatBuilder.h"
#include "codegen/cpu/Interleave.h"
#include "codegen/cpu/RegisterTile.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/Contraction.h"
#include "runtime/Artefact.h"
#include <cmath>

using namespace mlir;
using namespace optc;

namespace {

/// Keys whose codes lie together, and whose exponentials take turns.
constexpr int64_t kGroup = 4;

class ByteAttention : public AttentionEmitter {
public:
  ByteAttention(KernelFunction &f, const AttentionKernel &a)
      : AttentionEmitter(f, a), q((*a.codes)[0]), k((*a.codes)[1]), v((*a.codes)[2]), depth(*a.depth.constant()), width(*a.width.constant()),
        paddedKeys(f.size(a.paddedKeys())), i8(f.b.getI8Type()), i16(f.b.getI16Type()), i32(f.b.getI32Type()),
        words(VectorType::get({lanes}, i32)), amx(lanes == kPanel && panels == 2 && f.use(OPTC_CPU_AMX)), keyTile(f, f.index(depth), false),
        valueTile(f, paddedKeys, false) {
    keyTile.rowsSigned = !k.isUnsigned;
    valueTile.rowsSigned = true;
    // Queries have the other sign than keys, values are signed as probabilities are not.
    queryZero = q.zero + (q.isUnsigned == k.isUnsigned ? (q.isUnsigned ? -128 : 128) : 0);
    valueZero = v.zero - (v.isUnsigned ? 128 : 0);
  }

private:
  bool widens() const { return !amx && keyTile.takesWideRows(); }
  Value region(ByteRegion part) { return f.pointerTo(f.scratch, f.size(byteOffset(a, part)), i8); }
  Value constant(Type type, double x) { return buildConstant(f.b, f.loc, type, x); }
  Value signBits(Type type) { return constant(type, double(int32_t(0x80808080))); }

  /// Rows [t][panels][16] of words, at a vector's lanes.
  Value wordAt(Value base, Value row, int64_t n) {
    Value line = f.add(f.mul(row, f.index(panels)), f.index(n / vectorsPerPanel));
    return f.pointerTo(base, f.add(f.mul(line, f.index(kPanel)), f.index(n % vectorsPerPanel * lanes)), i32);
  }
  Value maskAt(Value t, int64_t n) override {
    Value line = f.add(f.mul(f.size(a.keys), f.index(n / vectorsPerPanel)), t);
    return f.pointerTo(region(ByteRegion::mask), f.add(f.mul(line, f.index(kPanel)), f.index(n % vectorsPerPanel * lanes)), f32);
  }

  //===--------------------------------------------------------------------===//
  // What queries share
  //===--------------------------------------------------------------------===//

  void fill(Value target, Type element, int64_t count, int64_t value) {
    f.loop(f.index(0), f.index(count), f.index(4), {}, [&](Value i, ValueRange) {
      for (int64_t n = 0; n < 4; ++n)
        f.store(constant(element, double(value)), f.pointerTo(f.pointerTo(target, i, element), f.index(n), element), element);
      return Values{};
    });
  }

  void prepare() override {
    // Bytes are stored by their bits.
    auto bits = [](int64_t code) { return int64_t(int8_t(code)); };
    if (k.zero != 0)
      fill(region(ByteRegion::row), widens() ? i16 : i8, depth, widens() ? k.zero : bits(k.zero));
    if (queryZero != 0)
      fill(region(ByteRegion::panel), i8, depth * kPanel, bits(queryZero));
  }

  void prepareTile(Value batch, Value group) override {
    keyRows = rowOf(a.k, argument(a.k), batch, group, f.index(0));
    keyStride = f.size(a.k.strides[2]);
    valueRows = region(ByteRegion::values);
    packValues(rowOf(a.v, argument(a.v), batch, group, f.index(0)), f.size(a.v.strides[2]));
    if (widens()) {
      widen(keyRows, keyStride, f.size(a.keys), f.index(depth), depth % kPanel == 0 ? kPanel : kGroup, k.isUnsigned, region(ByteRegion::wideKeys));
      widen(valueRows, paddedKeys, f.index(width), paddedKeys, kPanel, false, region(ByteRegion::wideValues));
      keyRows = region(ByteRegion::wideKeys), keyStride = f.index(depth);
      valueRows = region(ByteRegion::wideValues);
    }
    if (queryZero != 0)
      multiplyKeys(f.size(a.keys), known(a.keys), region(ByteRegion::panel), 1, region(ByteRegion::keyTerms));
  }
  void release() override {
    if (amx)
      AmxTile(f, f.index(64), 64, false).release();
  }

  /// Rows of bytes, `step` of which are moved at a time, as rows of i16 that lie one after the other.
  void widen(Value rows, Value stride, Value count, Value columns, int64_t step, bool isUnsigned, Value target) {
    Type wide = VectorType::get({step}, i16);
    f.loop(f.index(0), count, f.index(1), {}, [&](Value r, ValueRange) {
      f.loop(f.index(0), columns, f.index(step), {}, [&](Value c, ValueRange) {
        Value x = f.load(f.pointerTo(rows, f.add(f.mul(r, stride), c), i8), i8, step);
        x = isUnsigned ? Value(f.b.create<arith::ExtUIOp>(f.loc, wide, x)) : Value(f.b.create<arith::ExtSIOp>(f.loc, wide, x));
        f.store(x, f.pointerTo(target, f.add(f.mul(r, columns), c), i16), i16);
        return Values{};
      });
      return Values{};
    });
  }

  /// values[e][t] of the rows of v, signed, zeros up to a whole step. Squares of `lanes` columns by as many groups of four keys.
  void packValues(Value rows, Value stride) {
    Value keys = f.size(a.keys), target = region(ByteRegion::values);
    Type bytes = VectorType::get({lanes}, i8), pairs = VectorType::get({lanes}, i16), floats = VectorType::get({lanes}, f32);
    Value zero = constant(bytes, 0), flip = v.isUnsigned ? constant(bytes, -128) : Value();
    auto square = [&](Value t, bool whole) {
      f.loop(f.index(0), f.index(width), f.index(lanes), {}, [&](Value e, ValueRange) {
        auto row = [&](int64_t i) {
          Value at = f.add(t, f.index(i));
          auto load = [&]() -> Value {
            Value x = f.load(f.pointerTo(rows, f.add(f.mul(at, stride), e), i8), i8, lanes);
            return flip ? Value(f.b.create<arith::XOrIOp>(f.loc, x, flip)) : x;
          };
          return whole ? load() : f.branch(f.less(at, keys), bytes, load, [&] { return zero; });
        };
        Values groups;
        for (int64_t i = 0; i < lanes * kGroup; i += kGroup) {
          Value low = f.b.create<vector::BitCastOp>(f.loc, pairs, inTurns(f, row(i), row(i + 1)));
          Value high = f.b.create<vector::BitCastOp>(f.loc, pairs, inTurns(f, row(i + 2), row(i + 3)));
          groups.push_back(f.b.create<vector::BitCastOp>(f.loc, floats, inTurns(f, low, high)));
        }
        groups = transposeSquare(f, groups);
        for (int64_t i = 0; i < lanes; ++i)
          f.store(groups[i], f.pointerTo(target, f.add(f.mul(f.add(e, f.index(i)), paddedKeys), t), i8), f32);
        return Values{};
      });
    };
    Value step = f.index(lanes * kGroup), main = f.mul(f.divide(keys, step), step);
    f.loop(f.index(0), main, step, {}, [&](Value t, ValueRange) {
      square(t, true);
      return Values{};
    });
    f.loop(main, paddedKeys, step, {}, [&](Value t, ValueRange) {
      square(t, false);
      return Values{};
    });
  }

  //===--------------------------------------------------------------------===//
  // Products
  //===--------------------------------------------------------------------===//

  /// target[t][count][16] = rows of the first `keys` keys times `count` panels from `base` on.
  void multiplyKeys(Value keys, ArrayRef<int64_t> counts, Value base, int64_t count, Value target) {
    if (!amx)
      return forRowTiles(f, f.index(0), keys, counts, keyTile.maxRows(count), [&](Value t, int64_t height) {
        Type element = widens() ? i16 : i8;
        Values rows;
        for (int64_t r = 0; r < height; ++r)
          rows.push_back(f.pointerTo(keyRows, f.mul(f.add(t, f.index(r)), keyStride), element));
        Values sums = keyTile.product(rows, base, count);
        for (auto [i, sum] : llvm::enumerate(sums)) {
          int64_t perRow = count * vectorsPerPanel, n = i % perRow;
          Value line = f.add(f.mul(f.add(t, f.index(i / perRow)), f.index(count)), f.index(n / vectorsPerPanel));
          f.store(sum, f.pointerTo(target, f.add(f.mul(line, f.index(kPanel)), f.index(n % vectorsPerPanel * lanes)), i32), i32);
        }
      });
    AmxTile tile(f, f.index(depth), byteStep(depth), /*bfloat=*/false);
    tile.rowsSigned = keyTile.rowsSigned;
    // There may be no keys, but no tiles without rows. The last tile overlaps the one before it.
    Value tileRows = f.index(AmxTile::kRows), height = f.max(f.index(1), f.min(tileRows, keys)), last = f.sub(keys, height);
    tile.configure(region(ByteRegion::shapes), height);
    Value tileCount = f.divide(f.add(keys, f.index(AmxTile::kRows - 1)), tileRows);
    auto at = [&](Value n) {
      Value t = f.min(f.mul(n, tileRows), last);
      return std::pair(f.pointerTo(keyRows, f.mul(t, keyStride), i8), f.pointerTo(target, f.mul(t, f.index(count * kPanel)), i32));
    };
    productByTiles(f, tile, tileCount, count, at, keyStride, base, [&](auto step) { tile.alongRow(step); });
  }

  /// sums[e][panels][16] of the keys up to `end`, whole steps.
  void multiplyValues(Value end) {
    Value base = region(ByteRegion::probabilities), target = region(ByteRegion::sums);
    if (!amx) {
      valueTile.length = end;
      return forRowTiles(f, f.index(0), f.index(width), {width}, valueTile.maxRows(panels), [&](Value e, int64_t height) {
        Values rows;
        for (int64_t r = 0; r < height; ++r)
          rows.push_back(f.pointerTo(valueRows, f.mul(f.add(e, f.index(r)), paddedKeys), widens() ? i16 : i8));
        for (auto [i, sum] : llvm::enumerate(valueTile.product(rows, base, panels)))
          f.store(sum, wordAt(target, f.add(e, f.index(i / vectors)), i % vectors), i32);
      });
    }
    AmxTile tile(f, paddedKeys, kAttentionByteKeys, /*bfloat=*/false);
    tile.rowsSigned = true;
    tile.configure(region(ByteRegion::shapes), f.index(AmxTile::kRows));
    auto at = [&](Value n) {
      Value e = f.mul(n, f.index(AmxTile::kRows));
      return std::pair(f.pointerTo(valueRows, f.mul(e, paddedKeys), i8), f.pointerTo(target, f.mul(e, f.index(panels * kPanel)), i32));
    };
    productByTiles(f, tile, f.index(width / kPanel), panels, at, paddedKeys, base, [&](auto step) {
      f.loop(f.index(0), end, f.index(kAttentionByteKeys), {}, [&](Value t, ValueRange) {
        step(t, t);
        return Values{};
      });
    });
  }

  //===--------------------------------------------------------------------===//
  // Queries
  //===--------------------------------------------------------------------===//

  void emitQueries(Value batch, Value head, Value first) override {
    packQueries(batch, head, first);
    Value keys = keysFor(first);
    prepareMask(batch, head, first, keys);
    multiplyKeys(keys, op.getCausal() ? SmallVector<int64_t>() : known(a.keys), region(ByteRegion::queries), panels, region(ByteRegion::scores));
    Value step = f.index(kAttentionByteKeys), end = f.mul(f.divide(f.add(keys, f.index(kAttentionByteKeys - 1)), step), step);
    Values sums = emitProbabilities(keys, end, largestScores(keys));
    multiplyValues(end);
    emitResult(batch, head, first, sums);
  }

  /// Words of four codes are moved as f32.
  void packQueries(Value batch, Value head, Value first) {
    Value stride = f.divide(f.size(a.q.strides[2]), f.index(kGroup)), flip = signBits(words);
    for (int64_t p = 0; p < panels; ++p) {
      Value row = rowOf(a.q, argument(a.q), batch, head, f.add(first, f.index(p * kPanel)));
      Value panel = f.pointerTo(region(ByteRegion::queries), f.index(p * depth * kPanel), i8);
      packTransposed(f, row, stride, rowsOf(first, p), f.index(depth / kGroup), panel);
      if (q.isUnsigned == k.isUnsigned)
        f.loop(f.index(0), f.index(depth / kGroup * kPanel), f.index(lanes), {}, [&](Value i, ValueRange) {
          Value at = f.pointerTo(panel, i, i32);
          f.store(f.b.create<arith::XOrIOp>(f.loc, f.load(at, i32, lanes), flip), at, i32);
          return Values{};
        });
    }
    // zk * sum_d (q - zq)
    queryTerms.clear();
    if (k.zero == 0 || op.getSoftcap().convertToDouble() <= 0)
      return;
    queryTerms = keyTile.product({region(ByteRegion::row)}, region(ByteRegion::queries), panels);
    for (Value &term : queryTerms)
      term = f.b.create<arith::SubIOp>(f.loc, term, constant(words, double(depth * k.zero * queryZero)));
  }

  /// The sum of key t without what q's zero point adds to it, and where it counts, without what k's does: that is the same for all keys
  /// of a query, and softmax does not see it.
  Value wholeScore(Value t, int64_t n) {
    Value s = f.load(wordAt(region(ByteRegion::scores), t, n), i32, lanes);
    if (queryZero != 0)
      s = f.b.create<arith::SubIOp>(f.loc, s, f.load(f.pointerTo(region(ByteRegion::keyTerms), f.mul(t, f.index(kPanel)), i32), i32, lanes));
    return queryTerms.empty() ? s : Value(f.b.create<arith::SubIOp>(f.loc, s, queryTerms[n]));
  }
  Value real(Value whole) { return f.b.create<arith::SIToFPOp>(f.loc, VectorType::get({lanes}, f32), whole); }
  double scale() { return q.scale * k.scale * op.getScale().convertToDouble(); }
  bool finishesScores() { return a.mask || op.getCausal() || op.getSoftcap().convertToDouble() > 0; }
  /// In units of scale() where nothing follows: as whole numbers in f32.
  Value scoreOf(Value t, int64_t n, Value offset) {
    Value s = real(wholeScore(t, n));
    return finishesScores() ? finished(math().mul(s, vector(scale())), t, n, offset) : s;
  }
  FloatBuilder math() { return {f.b, f.loc, withLanes(f32, lanes)}; }

  /// Of each query; NaN is left out.
  Values largestScores(Value keys) {
    bool whole = !finishesScores();
    Value least = whole ? constant(words, double(std::numeric_limits<int32_t>::min())) : vector(-3.4028234663852886e38);
    auto larger = [&](Value x, Value s) -> Value {
      return whole ? Value(f.b.create<arith::MaxSIOp>(f.loc, x, s)) : math().select(arith::CmpFPredicate::OGT, s, x, s, x);
    };
    auto over = [&](Value begin, Value end, int64_t unroll, Values carried) {
      return f.loop(begin, end, f.index(unroll), carried, [&](Value t, ValueRange before) {
        Values next(before);
        for (int64_t r = 0; r < unroll; ++r) {
          Value at = f.add(t, f.index(r)), offset = whole ? Value() : keyOffset(at);
          for (int64_t n = 0; n < vectors; ++n)
            next[n] = larger(next[n], whole ? wholeScore(at, n) : scoreOf(at, n, offset));
        }
        return next;
      });
    };
    Value main = f.mul(f.divide(keys, f.index(kGroup)), f.index(kGroup));
    Values largest = over(main, keys, 1, over(f.index(0), main, kGroup, Values(vectors, least)));
    for (Value &x : largest)
      x = whole ? real(x) : x;
    return largest;
  }

  /// 1.5 * 2^23: the whole number that is nearest lands in the low bits.
  static constexpr double kRounding = 12582912.0;

  /// 255 exp(x) for x <= 0, rounded and in the low bits: 2^t with t = x / ln 2 + log2 255. What is below 2^-100 has the code 0 as well.
  Value code(Value t) {
    FloatBuilder m = math();
    t = m.select(arith::CmpFPredicate::OLT, t, vector(-100), vector(-100), t); // NaN is not less
    // The low bits are a biased exponent.
    Value magic = vector(kRounding + 127), n = m.add(t, magic), rest = m.sub(t, m.sub(n, magic));
    // 2^rest, |rest| <= 1/2: Taylor's coefficients, moved to the least error.
    Value p = m.polynomial(rest, {1.5403530393381609e-4, 1.3333558146428443e-3, 9.6181291076284772e-3, 5.5504108664821580e-2, 2.4022650695910072e-1,
                                  6.9314718055994531e-1, 1.0});
    return m.fma(p, m.fromBits(m.shl(m.bits(n), m.integer(23))), vector(kRounding));
  }

  /// Codes of all keys, 0 up to `end`; their sums, whole numbers in f32 (NaN where a score is).
  Values emitProbabilities(Value keys, Value end, const Values &largest) {
    FloatBuilder m = math();
    bool finishes = finishesScores();
    double unit = (finishes ? 1 : scale()) / M_LN2;
    Value low = constant(words, 255), magic = vector(kRounding), zero = vector(0);
    // Masks may be as low as a float gets: less the largest first.
    Values shifts;
    Value top = vector(std::log2(double(kProbabilityCodes)));
    for (Value x : largest)
      shifts.push_back(finishes ? top : m.fma(x, vector(-unit), top));
    auto group = [&](Value t, Values sums, bool whole) {
      Values offsets, times, codes(kGroup * vectors), next(sums);
      for (int64_t r = 0; r < kGroup; ++r) {
        Value at = f.add(t, f.index(r));
        times.push_back(whole ? at : f.min(at, f.sub(keys, f.index(1))));
        offsets.push_back(keyOffset(times.back()));
      }
      interleave(f, kGroup * vectors, [&](int64_t i) {
        int64_t r = i / vectors, n = i % vectors;
        Value x = scoreOf(times[r], n, offsets[r]);
        x = code(m.fma(finishes ? m.sub(x, largest[n]) : x, vector(unit), shifts[n]));
        if (!whole)
          x = m.select(f.less(f.add(t, f.index(r)), keys), x, magic);
        codes[i] = m.bits(x);
        next[n] = m.add(next[n], m.sub(x, magic));
      });
      for (int64_t n = 0; n < vectors; ++n) {
        Value word;
        for (int64_t r = 0; r < kGroup; ++r) {
          Value x = codes[r * vectors + n];
          if (r + 1 < kGroup)
            x = m.iand(x, low);
          if (r > 0)
            x = m.shl(x, constant(words, double(8 * r)));
          word = word ? m.ior(word, x) : x;
        }
        f.store(word, probabilitiesAt(t, n), i32);
      }
      return next;
    };
    Value main = f.mul(f.divide(keys, f.index(kGroup)), f.index(kGroup));
    auto over = [&](Value begin, Value to, bool whole, Values sums) {
      return f.loop(begin, to, f.index(kGroup), sums, [&](Value t, ValueRange before) { return group(t, Values(before), whole); });
    };
    Values sums = over(main, keys, false, over(f.index(0), main, true, Values(vectors, zero)));
    Value rest = f.mul(f.divide(f.add(keys, f.index(kGroup - 1)), f.index(kGroup)), f.index(kGroup));
    f.loop(rest, end, f.index(kGroup), {}, [&](Value t, ValueRange) {
      for (int64_t n = 0; n < vectors; ++n)
        f.store(constant(words, 0), probabilitiesAt(t, n), i32);
      return Values{};
    });
    return sums;
  }
  Value probabilitiesAt(Value t, int64_t n) {
    Value panel = f.mul(f.mul(paddedKeys, f.index(kPanel)), f.index(n / vectorsPerPanel));
    Value word = f.add(f.mul(t, f.index(kPanel)), f.index(n % vectorsPerPanel * lanes * kGroup));
    return f.pointerTo(region(ByteRegion::probabilities), f.add(panel, word), i8);
  }

  void emitResult(Value batch, Value head, Value first, const Values &sums) {
    Values factors, offsets;
    for (Value sum : sums) {
      // A row without keys gives 0.
      Value none = f.b.create<arith::CmpFOp>(f.loc, arith::CmpFPredicate::OEQ, sum, vector(0));
      Value factor = f.b.create<arith::DivFOp>(f.loc, vector(v.scale), sum);
      factors.push_back(f.b.create<arith::SelectOp>(f.loc, none, vector(0), factor));
      offsets.push_back(f.b.create<arith::SelectOp>(f.loc, none, vector(0), vector(-double(valueZero) * v.scale)));
    }
    auto resultAt = [&](Value e, int64_t n) {
      Value row = f.add(f.mul(f.index(width), f.index(n / vectorsPerPanel)), e);
      return f.pointerTo(region(ByteRegion::results), f.add(f.mul(row, f.index(kPanel)), f.index(n % vectorsPerPanel * lanes)), f32);
    };
    f.loop(f.index(0), f.index(width), f.index(1), {}, [&](Value e, ValueRange) {
      for (int64_t n = 0; n < vectors; ++n) {
        Value y = f.load(wordAt(region(ByteRegion::sums), e, n), i32, lanes);
        y = f.b.create<arith::SIToFPOp>(f.loc, VectorType::get({lanes}, f32), y);
        y = f.b.create<arith::MulFOp>(f.loc, y, factors[n]);
        f.store(f.b.create<arith::AddFOp>(f.loc, y, offsets[n]), resultAt(e, n), f32);
      }
      return Values{};
    });
    storeResult(batch, head, first, [&](int64_t p) { return resultAt(f.index(0), p * vectorsPerPanel); });
  }

  AttentionCodes q, k, v;
  int64_t depth, width;
  Value paddedKeys;
  Type i8, i16, i32, words;
  bool amx;
  ByteTile keyTile, valueTile;
  int64_t queryZero = 0, valueZero = 0;
  Value keyRows, keyStride, valueRows; // of the tile of work
  Values queryTerms;                   // of the queries that are emitted
};

} // namespace

void optc::emitByteAttention(KernelFunction &f, const AttentionKernel &a) { ByteAttention(f, a).run(); }
