//===- random.cuh - Random numbers by counter -------------------*- CUDA -*-===//
//
// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): elements 4i to 4i + 3 come from the block of counter i, as the
// evaluator has them, so that a seed gives the same numbers on every target. A thread for each block; 256 threads.
//
//===----------------------------------------------------------------------===//

struct RandomShape {
  i64 n;
};

/// Uniform in [low, high), or normal of mean low and deviation high, two by two (Box and Muller).
template <typename T, bool kNormal> struct Random {
  static __device__ void philox(u64 counter, u64 key, u32 *c) {
    c[0] = u32(counter);
    c[1] = u32(counter >> 32);
    c[2] = c[3] = 0;
    u32 k[2] = {u32(key), u32(key >> 32)};
#pragma unroll
    for (int round = 0; round < 10; ++round) {
      const u64 p = u64(0xD2511F53u) * c[0], q = u64(0xCD9E8D57u) * c[2];
      c[0] = u32(q >> 32) ^ c[1] ^ k[0];
      c[1] = u32(q);
      c[2] = u32(p >> 32) ^ c[3] ^ k[1];
      c[3] = u32(p);
      k[0] += 0x9E3779B9u;
      k[1] += 0xBB67AE85u;
    }
  }

  static __device__ void run(const RandomShape &s, T *y, i64 seed, double low, double high) {
    const i64 first = thread_in_grid() * 4;
    if (first >= s.n)
      return;
    u32 words[4];
    philox(u64(first / 4), u64(seed), words);
    double u[4], values[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      u[k] = double(words[k] >> 8) * (1.0 / 16777216); // 24 bits, which f32 holds
      values[k] = low + rounded_product(u[k], high - low);
    }
    if (kNormal) {
#pragma unroll
      for (int k = 0; k < 4; k += 2) {
        double sine, cosine;
        sincospi(2 * u[k + 1], &sine, &cosine);
        const double radius = sqrt(-2 * log(1 - u[k]));
        values[k] = low + high * radius * cosine;
        values[k + 1] = low + high * radius * sine;
      }
    }
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (first + k < s.n)
        y[first + k] = sampled<T>(values[k]);
  }
};
