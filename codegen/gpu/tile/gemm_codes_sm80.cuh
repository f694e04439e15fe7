//===- gemm_codes_sm80.cuh - Products of weights in few bits ----*- CUDA -*-===//
//
// gemm_sm80.cuh with a right operand of codes in 4 or 8 bits, which are unpacked on their way to the tiles. Their bytes are copied into a ring
// of their own (cp.async); a thread unpacks what it has copied itself, so that nobody waits for anybody, and stores elements where GemmSm80 copies
// them to. Weights are read in few bits, and there is no matrix of their elements in memory. Blocks with the same columns unpack the same codes again.
//
// The launch: 256 threads, kSharedBytes of memory, blocks that have tiles or parts of them (stream_k.cuh). lhs [rows, depth]; depth is a multiple of 32.
//
//===----------------------------------------------------------------------===//

/// A code of 4 bits in two's complement.
struct i4 {};

/// How wide codes are, and what makes integers of them that are not negative.
template <typename Code> struct CodeBits {
  static constexpr int kBits = 8;
  static constexpr u32 kBias = 128;
};
template <> struct CodeBits<i4> {
  static constexpr int kBits = 4;
  static constexpr u32 kBias = 8;
};
template <> struct CodeBits<f8> {
  static constexpr int kBits = 8;
  static constexpr u32 kBias = 0;
};

/// The right operand [columns, depth], as codegen/kernel/CompressedRows.h has it: element = (code - zero) * scale, with a scale for kBlock k's, a multiple of 32 or
/// all of them.
///   words    i4: [columns][depth / 32][16]: of 32 codes the i-th in the low half of byte i, the (i + 16)-th in the high one; i8, f8: [columns][depth]
///   scales   [columns][depth / kBlock, rounded up]; zeros (null: all 0) the same
template <typename Code, typename Scale, int kBlock> struct CodeRows {
  static constexpr int kBits = CodeBits<Code>::kBits;
  const void *words;
  const Scale *scales;
  const i8 *zeros;

  /// element = (number - offset) * scale
  struct Factors {
    float scale, offset;
  };
  /// Of a column's code at k; where there are none elements are 0.
  __device__ Factors factorsOf(int column, int k, const ProductShape &shape) const {
    Factors factors = {0.0f, 0.0f};
    if (column < shape.columns && k < shape.depth) {
      const i64 at = i64(column) * ((shape.depth + kBlock - 1) / kBlock) + k / kBlock;
      factors = {float(scales[at]), zeros ? float(zeros[at]) : 0.0f};
    }
    if constexpr (kIsInteger)
      factors.offset += 8388608.0f + CodeBits<Code>::kBias;
    return factors;
  }
  /// Of eight codes, one in each byte of two words: 16 bytes.
  template <typename T> static __device__ Vec<u32, 4> elementsOf(u32 low, u32 high, const Factors &factors) {
    return {{pairOf<T, 0>(low, factors), pairOf<T, 2>(low, factors), pairOf<T, 0>(high, factors), pairOf<T, 2>(high, factors)}};
  }

private:
  static constexpr bool kIsInteger = CodeBits<Code>::kBias != 0;
  /// Of integers: what they are with kBias, more than 2^23, whose float's last bit is 1.
  template <int kByte> static __device__ float numberOf(u32 word) {
    if constexpr (kIsInteger)
      return bits_to_float(byte_permute(word ^ 0x01010101u * CodeBits<Code>::kBias, 0x4b000000u, 0x7440 + kByte));
    else
      return float(f8{u8(word >> 8 * kByte)});
  }
  template <typename T, int kByte> static __device__ u32 pairOf(u32 word, const Factors &f) {
    return pack_pair(T(), (numberOf<kByte>(word) - f.offset) * f.scale, (numberOf<kByte + 1>(word) - f.offset) * f.scale);
  }
};

template <typename T, typename Table, int kRows, int kColumns> struct GemmCodesSm80 {
  static constexpr int kStages = kRows + kColumns > 128 ? 3 : 4;
  typedef GemmSm80<T, false, kRows, kColumns, 16, 16, false, kStages> Product;
  // A thread has codes of one column: those of a part of a step.
  static constexpr int kColumnsOfWarp = kColumns / 8, kParts = 32 / kColumnsOfWarp, kCodes = Product::kDepth / kParts, kBytes = kCodes * Table::kBits / 8;
  static constexpr int kPieceBytes = kBytes < 16 ? kBytes : 16, kRingBytes = Product::kThreads * kBytes;
  static constexpr int kSharedBytes = Product::kSharedBytes + kStages * kRingBytes;
  static_assert(Product::kDepth == 64, "elements have 2 bytes");

  /// Piece i of this thread's in a stage of the ring.
  static __device__ u8 *ringAt(u8 *ring, int step, int i) {
    return ring + step % kStages * kRingBytes + (i * Product::kThreads + int(threadIdx.x)) * kPieceBytes;
  }
  static __device__ int part() { return int(threadIdx.x) % 32 / kColumnsOfWarp; }
  static __device__ int columnInTile() { return int(threadIdx.x) / 32 * kColumnsOfWarp + int(threadIdx.x) % kColumnsOfWarp; }
  /// Of the 32 codes that this thread's first one is among.
  static __device__ int firstOf(int step) { return step * Product::kDepth + part() * kCodes / 32 * 32; }

  static __device__ void fetch(u8 *ring, const Table &table, int column, int step, const ProductShape &shape) {
    const bool valid = column < shape.columns && firstOf(step) < shape.depth;
    const i64 first = (i64(column) * shape.depth + step * Product::kDepth) * Table::kBits / 8 + part() * kBytes;
#pragma unroll
    for (int i = 0; i < kBytes / kPieceBytes; ++i)
      copy_bytes<kPieceBytes>(ringAt(ring, step, i), static_cast<const u8 *>(table.words) + (valid ? first + i * kPieceBytes : 0), valid);
  }
  static __device__ void unpack(u8 *tile, u8 *ring, int step, const typename Table::Factors &factors) {
    auto store = [&](int piece, u32 low, u32 high) {
      const Vec<u32, 4> elements = Table::template elementsOf<T>(low, high, factors);
      store_16_bytes(swizzled_at(tile, columnInTile(), 16 * piece), &elements);
    };
#pragma unroll
    for (int i = 0; i < kBytes / kPieceBytes; ++i) {
      const auto words = load<kPieceBytes / 4>(reinterpret_cast<const u32 *>(ringAt(ring, step, i)));
#pragma unroll
      for (int h = 0; h < kPieceBytes / 8; ++h) {
        const int eight = part() * (kBytes / 8) + i * (kPieceBytes / 8) + h; // bytes
        const u32 low = words[2 * h], high = words[2 * h + 1];
        if constexpr (Table::kBits == 4) {
          store(eight / 2 * 4 + eight % 2, low & 0x0f0f0f0f, high & 0x0f0f0f0f);
          store(eight / 2 * 4 + eight % 2 + 2, low >> 4 & 0x0f0f0f0f, high >> 4 & 0x0f0f0f0f);
        } else {
          store(eight, low, high);
        }
      }
    }
  }

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const void *lhs, const Table &table, const ProductShape &shape, const Epilogue &epilogue, u8 *stages, const Split &split = {}) {
    const TileOrder order = {(shape.rows + kRows - 1) / kRows, (shape.columns + kColumns - 1) / kColumns};
    u8 *ring = stages + Product::kSharedBytes;
    const int steps = (shape.depth + Product::kDepth - 1) / Product::kDepth;
    const auto cut = split.of(order.count(), steps);
    cut.template each<false>(order.count(), steps, [&](const TileShare &share) {
      const TilePlace place = order.placeOf<kRows, kColumns>(share.tile);
      const int column = place.column + columnInTile();
      // Codes come in kStages - 1 steps before they are unpacked: those of the first steps are waited for.
#pragma unroll
      for (int s = 0; s < kStages - 1; ++s)
        if (share.begin + s < share.end)
          fetch(ring, table, column, share.begin + s, shape);
      end_copies();
      wait_copies<0>();
      typename Table::Factors factors = table.factorsOf(column, firstOf(share.begin), shape); // of the step that is next
      auto copy = [&](int step, u8 *lhsTile, u8 *rhsTile) {
        Product::template copyRows<kRows, 16>(lhsTile, static_cast<const u8 *>(lhs), place.row, shape.rows, i64(step) * 128, i64(shape.depth) * sizeof(T));
        unpack(rhsTile, ring, step, factors);
        if (step + 1 < share.end)
          factors = table.factorsOf(column, firstOf(step + 1), shape);
        if (step + kStages - 1 < share.end)
          fetch(ring, table, column, step + kStages - 1, shape);
      };
      Product::template multiply<kLanes>(copy, place, share, shape, cut, epilogue, stages);
    });
  }
};
