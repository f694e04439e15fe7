//===- ByteDepthwise.cpp - Generator of depthwise convolutions of codes ---===//
//
// Channels-last: a vector holds neighbouring channels, a 32-bit lane the pixels of several rows of one column of the image, which
// one instruction multiplies with a column of taps and sums exactly:
//
//   for tile in [begin, end)                        rows of the result that read the same words (codegen/kernel/ByteDepthwise.h)
//     for each vector of channels
//       for columns in groups                       sums stay in registers
//         for each pixel under the group's windows
//           words = pixels of 4 rows of the image   2 rows of 16 bits where the target has no dot product of bytes
//           sums[row, column(u)] += words . weights[row, tap]      for all rows and columns that read it
//       y = epilogue(sums)                          through scratch: its code is there once
//
// Rows outside of the image are a row of padding in scratch, columns outside are a constant word.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/ByteDepthwise.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/Interleave.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/TensorEmitter.h"
#include <numeric>

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

class ByteDepthwiseEmitter {
public:
  ByteDepthwiseEmitter(KernelFunction &f, const ByteDepthwise &d)
      : f(f), d(d), emitter(f), lanes(f.target.lanes(4)), i8(f.b.getI8Type()), i32(f.b.getI32Type()), channels(f.size(d.channels)),
        inColumns(f.size(d.inColumns)), outColumns(f.size(d.outColumns)), outRows(f.size(d.outRows)) {
    uint64_t feature = f.target.byteDot();
    hasDot = feature && f.use(feature);
    rowsOfWord = hasDot ? ByteDepthwise::kWord : ByteDepthwise::kWord / 2;
    columnsOfGroup = std::clamp<int64_t>(int64_t(f.target.vectorRegisters) * 5 / 8 / d.sharedRows(), 1, 8);
  }

  LogicalResult run() {
    padding = f.pointerTo(f.scratch, f.size(d.sumBytes()), i8);
    Value blocks = f.size(d.rowBlocks());
    f.loop(f.begin, f.end, f.index(1), {}, [&](Value t, ValueRange) {
      batch = f.divide(t, blocks);
      row = f.mul(f.modulo(t, blocks), f.index(d.sharedRows()));
      findRows();
      Value whole = f.mul(f.divide(channels, f.index(lanes)), f.index(lanes));
      f.loop(f.index(0), whole, f.index(lanes), {}, [&](Value c, ValueRange) {
        vectorOfChannels(c, {});
        return Values{};
      });
      auto constant = KernelFunction::constantOf(channels);
      if (!constant || *constant % lanes != 0)
        f.when(f.less(whole, channels), [&] { vectorOfChannels(whole, f.lanesBelow(f.sub(channels, whole), lanes)); });
      return Values{};
    });
    f.finish();
    return success();
  }

private:
  enum class Place { inside, outside, unknown };

  /// Pointers to the first pixels of the rows of the image under the tile.
  void findRows() {
    Value inRows = f.size(d.inRows), start = f.sub(f.mul(row, f.index(d.strideRow)), f.index(d.padRow));
    Value end = f.add(start, f.index((d.imageRows() - 1) * d.dilationRow));
    Value before = f.less(start, f.index(0)), after = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, end, inRows);
    f.when(f.b.create<arith::OrIOp>(f.loc, before, after), [&] { fillPadding(); });
    Value image = f.input(d.image.getArgNumber());
    rows.clear();
    for (int64_t r = 0; r < d.imageRows(); ++r) {
      Value at = f.add(start, f.index(r * d.dilationRow));
      Value there = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, at, inRows);
      Value offset = f.mul(f.mul(f.add(f.mul(batch, inRows), at), inColumns), channels);
      rows.push_back(f.b.create<arith::SelectOp>(f.loc, there, f.pointerTo(image, offset, i8), padding));
    }
  }
  void fillPadding() {
    int64_t bytes = f.target.vectorBytes;
    Value value = buildConstant(f.b, f.loc, VectorType::get({bytes}, i8), double(int8_t(d.padValue)));
    f.loop(f.index(0), f.mul(inColumns, channels), f.index(bytes), {}, [&](Value at, ValueRange) {
      f.store(value, f.pointerTo(padding, at, i8), i8);
      return Values{};
    });
  }

  //===--------------------------------------------------------------------===//
  // Words
  //===--------------------------------------------------------------------===//

  int64_t wordCount() const { return (d.imageRows() + rowsOfWord - 1) / rowsOfWord; }
  /// True where a row of the result reads rows of the image in the word.
  bool reads(int64_t resultRow, int64_t word) const {
    int64_t first = resultRow * d.strideRow, begin = word * rowsOfWord;
    return begin < first + d.kernelRows && first < begin + rowsOfWord;
  }
  Value shuffle(Value x, Value y, ArrayRef<int64_t> mask) { return f.b.create<vector::ShuffleOp>(f.loc, x, y, mask); }
  Value concat(Value x, Value y) {
    SmallVector<int64_t> all(cast<VectorType>(x.getType()).getNumElements() * 2);
    std::iota(all.begin(), all.end(), 0);
    return shuffle(x, y, all);
  }
  Value cast(Value x, Type element, int64_t count) { return f.b.create<vector::BitCastOp>(f.loc, VectorType::get({count}, element), x); }
  Value widened(Value bytes, bool isSigned) {
    Type type = VectorType::get({2 * lanes}, f.b.getI16Type());
    return isSigned ? Value(f.b.create<arith::ExtSIOp>(f.loc, type, bytes)) : Value(f.b.create<arith::ExtUIOp>(f.loc, type, bytes));
  }

  /// The word of rows of one pixel, for each channel.
  Value wordOf(int64_t word, Value offset, Value mask) {
    Values pixels;
    for (int64_t r = word * rowsOfWord; r < (word + 1) * rowsOfWord; ++r)
      pixels.push_back(r < int64_t(rows.size()) ? f.load(f.pointerTo(rows[r], offset, i8), i8, lanes, mask)
                                                : Value(buildConstant(f.b, f.loc, VectorType::get({lanes}, i8), 0)));
    if (!hasDot)
      return widened(inTurns(f, pixels[0], pixels[1]), false);
    SmallVector<int64_t> mask1, mask2;
    // Four channels of a row are 32 bits: first these to where their channels are, then the bytes within each 128.
    int64_t parts = lanes / 4;
    for (int64_t part = 0; part < parts; ++part)
      for (int64_t r = 0; r < 4; ++r) {
        mask1.push_back(r * parts + part);
        for (int64_t i = 0; i < 4; ++i)
          mask2.push_back(16 * part + 4 * i + r);
      }
    Value four = cast(concat(concat(pixels[0], pixels[1]), concat(pixels[2], pixels[3])), i32, lanes);
    Value bytes = cast(shuffle(four, four, mask1), i8, 4 * lanes);
    return cast(shuffle(bytes, bytes, mask2), i32, lanes);
  }
  Value paddingWord() {
    if (hasDot)
      return buildConstant(f.b, f.loc, VectorType::get({lanes}, i32), double(int32_t(d.padValue * 0x01010101u)));
    return buildConstant(f.b, f.loc, VectorType::get({2 * lanes}, f.b.getI16Type()), double(d.padValue));
  }

  /// weights[tap][row of the result][word] of a vector of channels.
  void loadWeights(Value c, Value mask) {
    int64_t words = d.words();
    weights.assign(d.kernelColumns, SmallVector<Values>(d.sharedRows(), Values(wordCount())));
    auto amount = [&](int64_t bits) { return buildConstant(f.b, f.loc, VectorType::get({lanes}, i32), double(bits)); };
    for (int64_t k = 0; k < d.kernelColumns; ++k) {
      Values taps;
      for (int64_t q = 0; q < words; ++q) {
        Value offset = f.add(f.mul(f.index(q * d.kernelColumns + k), channels), c);
        taps.push_back(f.load(f.pointerTo(f.input(1), offset, i32), i32, lanes, mask));
      }
      for (int64_t r = 0; r < d.sharedRows(); ++r) {
        // Moved down by the rows between the two results.
        int64_t bytes = r * d.strideRow, whole = bytes / 4, bits = bytes % 4 * 8;
        for (int64_t q = 0; q < words; ++q) {
          Value moved = amount(0);
          if (q >= whole)
            moved = bits ? Value(f.b.create<arith::ShLIOp>(f.loc, taps[q - whole], amount(bits))) : taps[q - whole];
          if (bits && q > whole)
            moved = f.b.create<arith::OrIOp>(f.loc, moved, f.b.create<arith::ShRUIOp>(f.loc, taps[q - whole - 1], amount(32 - bits)));
          if (hasDot) {
            if (q < wordCount())
              weights[k][r][q] = moved;
            continue;
          }
          for (int64_t half = 0; half < 2 && 2 * q + half < wordCount(); ++half) {
            SmallVector<int64_t> mask1;
            for (int64_t lane = 0; lane < lanes; ++lane)
              mask1.append({4 * lane + 2 * half, 4 * lane + 2 * half + 1});
            Value bytes = cast(moved, i8, 4 * lanes);
            weights[k][r][2 * q + half] = widened(shuffle(bytes, bytes, mask1), true);
          }
        }
      }
    }
  }

  Value multiplyAdd(Value sum, Value word, Value weight) {
    auto call = [&](StringRef intrinsic, ValueRange operands) {
      return f.b.create<LLVM::CallIntrinsicOp>(f.loc, VectorType::get({lanes}, i32), intrinsic, operands).getResults();
    };
    if (hasDot)
      return call(lanes == 16 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256", {sum, word, weight});
    StringRef pairs = lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512" : lanes == 8 ? "llvm.x86.avx2.pmadd.wd" : "llvm.x86.sse2.pmadd.wd";
    return f.b.create<arith::AddIOp>(f.loc, sum, call(pairs, {word, weight}));
  }

  //===--------------------------------------------------------------------===//
  // Columns
  //===--------------------------------------------------------------------===//

  void vectorOfChannels(Value c, Value mask) {
    TensorEmitter::Scope scope(emitter);
    loadWeights(c, mask);
    auto in = KernelFunction::constantOf(inColumns), out = KernelFunction::constantOf(outColumns);
    if (in && out)
      knownColumns(*in, *out, c, mask);
    else
      anyColumns(c, mask);
    finish(c, mask);
  }

  int64_t lastTap() const { return d.dilation * (d.kernelColumns - 1); }

  /// Groups whose pixels are all inside are one loop; the others are written out.
  void knownColumns(int64_t in, int64_t out, Value c, Value mask) {
    int64_t n = columnsOfGroup;
    auto isInside = [&](int64_t column) { return column + n <= out && column * d.stride >= d.pad && (column + n - 1) * d.stride - d.pad + lastTap() < in; };
    for (int64_t column = 0; column < out;) {
      int64_t end = column;
      while (isInside(end))
        end += n;
      if (end > column) {
        f.loop(f.index(column), f.index(end), f.index(n), {}, [&](Value first, ValueRange) {
          group(first, n, [](int64_t) { return Place::inside; }, c, mask);
          return Values{};
        });
        column = end;
        continue;
      }
      int64_t count = std::min(n, out - column), pixel = column * d.stride - d.pad;
      group(f.index(column), count, [&](int64_t j) { return pixel + j >= 0 && pixel + j < in ? Place::inside : Place::outside; }, c, mask);
      column += count;
    }
  }

  void anyColumns(Value c, Value mask) {
    Value n = f.index(columnsOfGroup), one = f.index(1);
    Value begin = f.min(f.index((d.pad + d.stride - 1) / d.stride), outColumns);
    Value lastStart = f.sub(f.add(inColumns, f.index(d.pad)), f.index(lastTap() + 1));
    Value end = f.add(f.b.create<arith::FloorDivSIOp>(f.loc, lastStart, f.index(d.stride)), one);
    end = f.max(begin, f.min(outColumns, end));
    Value whole = f.add(begin, f.mul(f.divide(f.sub(end, begin), n), n));
    auto each = [&](Value from, Value to, int64_t count, Place place) {
      f.loop(from, to, f.index(count), {}, [&](Value column, ValueRange) {
        group(column, count, [place](int64_t) { return place; }, c, mask);
        return Values{};
      });
    };
    each(f.index(0), begin, 1, Place::unknown);
    each(begin, whole, columnsOfGroup, Place::inside);
    each(whole, end, 1, Place::inside);
    each(end, outColumns, 1, Place::unknown);
  }

  /// Sums of `n` columns into scratch. `placeOf`: where the pixel lies that is so many after the first.
  void group(Value column, int64_t n, llvm::function_ref<Place(int64_t)> placeOf, Value c, Value mask) {
    int64_t shared = d.sharedRows();
    Values sums(n * shared, buildConstant(f.b, f.loc, VectorType::get({lanes}, i32), 0));
    Value first = f.sub(f.mul(column, f.index(d.stride)), f.index(d.pad));
    for (int64_t j = 0; j <= (n - 1) * d.stride + lastTap(); ++j) {
      SmallVector<std::pair<int64_t, int64_t>> readers; // columns and the taps with which they read the pixel
      for (int64_t u = 0; u < n; ++u)
        if (int64_t tap = j - u * d.stride; tap >= 0 && tap <= lastTap() && tap % d.dilation == 0)
          readers.push_back({u, tap / d.dilation});
      Place place = placeOf(j);
      if (readers.empty() || (place == Place::outside && d.padValue == 0))
        continue;
      Values words = wordsOf(f.add(first, f.index(j)), place, c, mask);
      for (auto [u, tap] : readers)
        for (int64_t r = 0; r < shared; ++r)
          for (int64_t w = 0; w < wordCount(); ++w)
            if (reads(r, w))
              sums[r * n + u] = multiplyAdd(sums[r * n + u], words[w], weights[tap][r][w]);
    }
    for (int64_t r = 0; r < shared; ++r)
      for (int64_t u = 0; u < n; ++u)
        f.store(sums[r * n + u], sumAt(f.index(r), f.add(column, f.index(u))), i32);
  }
  Values wordsOf(Value pixel, Place place, Value c, Value mask) {
    Value there;
    if (place == Place::unknown) {
      there = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, pixel, inColumns);
      pixel = f.b.create<arith::SelectOp>(f.loc, there, pixel, f.index(0));
    }
    Values words;
    for (int64_t w = 0; w < wordCount(); ++w) {
      Value word = place == Place::outside ? paddingWord() : wordOf(w, f.add(f.mul(pixel, channels), c), mask);
      words.push_back(there ? Value(f.b.create<arith::SelectOp>(f.loc, there, word, paddingWord())) : word);
    }
    return words;
  }

  //===--------------------------------------------------------------------===//
  // Results
  //===--------------------------------------------------------------------===//

  Value sumAt(Value r, Value column) {
    return f.pointerTo(f.scratch, f.mul(f.add(f.mul(r, outColumns), column), f.index(lanes)), i32);
  }

  void finish(Value c, Value mask) {
    f.loop(f.index(0), f.min(f.index(d.sharedRows()), f.sub(outRows, row)), f.index(1), {}, [&](Value r, ValueRange) {
      Value begin = f.index(0);
      for (int64_t count = kInterleavedChains; count > 0; count /= 2) {
        Value whole = f.mul(f.divide(outColumns, f.index(count)), f.index(count));
        f.loop(begin, whole, f.index(count), {}, [&](Value first, ValueRange) {
          TensorEmitter::Scope scope(emitter);
          interleave(f, count, [&](int64_t i) { store(r, f.add(first, f.index(i)), c, mask); });
          return Values{};
        });
        begin = whole;
      }
      return Values{};
    });
  }
  void store(Value r, Value column, Value c, Value mask) {
    Value sum = f.load(sumAt(r, column), i32, lanes);
    LaneIndices index{{batch, 0}, {f.add(f.mul(f.add(row, r), outColumns), column), 0}, {c, 1}};
    emitter.define(d.product, [sum](const LaneIndices &, int64_t, Value) { return sum; });
    emitter.storeResults(index, lanes, mask);
  }

  KernelFunction &f;
  const ByteDepthwise &d;
  TensorEmitter emitter;
  int64_t lanes;
  Type i8, i32;
  Value channels, inColumns, outColumns, outRows, padding;
  bool hasDot;
  int64_t rowsOfWord, columnsOfGroup;
  Value batch, row; // of the tile: its image, its first row of the result
  Values rows;
  SmallVector<SmallVector<Values>> weights;
};

} // namespace

LogicalResult optc::generateByteDepthwise(KernelFunction &f, const ByteDepthwise &d) { return ByteDepthwiseEmitter(f, d).run(); }
