//===- device.cuh - What printed kernels are written in ---------*- CUDA -*-===//
//
// Types and functions of the kernels below: integers of every width, f16 and bf16 as storage, vectors of up to
// 16 bytes, arithmetic that wraps, minima that keep NaN, shuffles. No header is needed.
//
//===----------------------------------------------------------------------===//

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

//===-- What only the machine can do --------------------------------------===//

#ifndef OPTC_EMULATED
/// Half precision in memory; arithmetic is done in float.
struct f16 {
  u16 bits;
  f16() = default;
  __device__ explicit f16(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
  __device__ operator float() const {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
  }
};
struct bf16 {
  u16 bits;
  bf16() = default;
  __device__ explicit bf16(float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
  __device__ operator float() const { return __uint_as_float(u32(bits) << 16); }
};

__device__ inline float bits_to_float(u32 bits) { return __uint_as_float(bits); }
/// Byte i is that of the eight in x and y, x's first, whose number is digit i of `which`.
__device__ inline u32 byte_permute(u32 x, u32 y, u32 which) { return __byte_perm(x, y, which); }

/// The memory that is given at launch.
__device__ inline u8 *launch_memory() {
  extern __shared__ __align__(128) u8 memory[];
  return memory;
}

/// x of the thread of this group whose number differs in the bits of `offset`; all threads of the group call it.
template <int kGroup> __device__ inline unsigned group_mask() {
  return kGroup == 32 ? ~0u : ((1u << (kGroup & 31)) - 1) << (threadIdx.x & 31 & ~(kGroup - 1));
}
template <int kGroup, typename T> __device__ inline T shuffle_xor(T x, int offset) {
  return T(__shfl_xor_sync(group_mask<kGroup>(), x, offset));
}
template <int kGroup> __device__ inline bool shuffle_xor(bool x, int offset) { return shuffle_xor<kGroup>(int(x), offset) != 0; }
template <int kGroup> __device__ inline i8 shuffle_xor(i8 x, int offset) { return i8(shuffle_xor<kGroup>(int(x), offset)); }
template <int kGroup> __device__ inline i16 shuffle_xor(i16 x, int offset) { return i16(shuffle_xor<kGroup>(int(x), offset)); }

/// One store: left to itself the compiler takes some of these apart.
__device__ inline void store_16_bytes(void *p, const void *value) {
  u32 w[4];
  memcpy(w, value, sizeof(w));
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
               :: "l"(__cvta_generic_to_global(p)), "r"(w[0]), "r"(w[1]), "r"(w[2]), "r"(w[3]) : "memory");
}
#endif

//===-- Vectors -----------------------------------------------------------===//

template <typename T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Vec {
  T lanes[N];
  __device__ T &operator[](int k) { return lanes[k]; }
  __device__ const T &operator[](int k) const { return lanes[k]; }
};
template <int N, typename T> __device__ inline Vec<T, N> splat(T x) {
  Vec<T, N> v;
#pragma unroll
  for (int k = 0; k < N; ++k)
    v[k] = x;
  return v;
}
/// At an address that is a multiple of the vector's size, up to 16 bytes.
template <int N, typename T> __device__ inline Vec<T, N> load(const T *p) { return *reinterpret_cast<const Vec<T, N> *>(p); }
template <int N, typename T> __device__ inline void store(T *p, Vec<T, N> v) {
  if constexpr (sizeof(v) == 16)
    store_16_bytes(p, &v);
  else
    *reinterpret_cast<Vec<T, N> *>(p) = v;
}
/// Wherever it is.
template <int N, typename T> __device__ inline Vec<T, N> load_each(const T *p) {
  Vec<T, N> v;
#pragma unroll
  for (int k = 0; k < N; ++k)
    v[k] = p[k];
  return v;
}
template <int N, typename T> __device__ inline void store_each(T *p, Vec<T, N> v) {
#pragma unroll
  for (int k = 0; k < N; ++k)
    p[k] = v[k];
}

//===-- Arithmetic --------------------------------------------------------===//

#define kInfinity bits_to_float(0x7f800000u)
#define kNan bits_to_float(0x7fc00000u)

template <typename T> struct UnsignedOf;
template <> struct UnsignedOf<bool> { typedef bool type; };
template <> struct UnsignedOf<i8> { typedef u8 type; };
template <> struct UnsignedOf<i16> { typedef u16 type; };
template <> struct UnsignedOf<int> { typedef u32 type; };
template <> struct UnsignedOf<i64> { typedef u64 type; };
template <typename T> using Unsigned = typename UnsignedOf<T>::type;

/// Modulo 2^width.
template <typename T> __device__ inline T wrap_add(T x, T y) { return T(Unsigned<T>(x) + Unsigned<T>(y)); }
template <typename T> __device__ inline T wrap_sub(T x, T y) { return T(Unsigned<T>(x) - Unsigned<T>(y)); }
template <typename T> __device__ inline T wrap_mul(T x, T y) { return T(u64(x) * u64(y)); }
template <typename T> __device__ inline T absolute(T x) { return x < 0 ? wrap_sub(T(0), x) : x; }
template <typename T> __device__ inline T divide_unsigned(T x, T y) { return T(Unsigned<T>(x) / Unsigned<T>(y)); }
template <typename T> __device__ inline T modulo_unsigned(T x, T y) { return T(Unsigned<T>(x) % Unsigned<T>(y)); }
template <typename T> __device__ inline T divide_floor(T x, T y) { return x / y - (x % y != 0 && (x < 0) != (y < 0)); }
template <typename T> __device__ inline T shift_left(T x, T by) { return T(Unsigned<T>(x) << by); }
template <typename T> __device__ inline T shift_right_unsigned(T x, T by) { return T(Unsigned<T>(x) >> by); }

/// The exponent is at least 0.
template <typename T> __device__ inline T integer_power(T base, T exponent) {
  T result = 1;
  for (; exponent; exponent >>= 1, base = wrap_mul(base, base))
    if (exponent & 1)
      result = wrap_mul(result, base);
  return result;
}

template <typename T> __device__ inline T minimum(T x, T y) { return y < x ? y : x; }
template <typename T> __device__ inline T maximum(T x, T y) { return x < y ? y : x; }
template <typename T> __device__ inline T minimum_unsigned(T x, T y) { return Unsigned<T>(y) < Unsigned<T>(x) ? y : x; }
template <typename T> __device__ inline T maximum_unsigned(T x, T y) { return Unsigned<T>(x) < Unsigned<T>(y) ? y : x; }

template <typename T> __device__ inline bool is_nan(T x) { return x != x; }
/// NaN where either is; -0 is below +0.
#ifndef OPTC_EMULATED
__device__ inline float minimum(float x, float y) {
  asm("min.NaN.f32 %0, %0, %1;" : "+f"(x) : "f"(y));
  return x;
}
__device__ inline float maximum(float x, float y) {
  asm("max.NaN.f32 %0, %0, %1;" : "+f"(x) : "f"(y));
  return x;
}
#else
__device__ inline float minimum(float x, float y) { return is_nan(x) ? x : is_nan(y) ? y : fminf(x, y); }
__device__ inline float maximum(float x, float y) { return is_nan(x) ? x : is_nan(y) ? y : fmaxf(x, y); }
#endif
__device__ inline double minimum(double x, double y) { return is_nan(x) ? x : is_nan(y) ? y : fmin(x, y); }
__device__ inline double maximum(double x, double y) { return is_nan(x) ? x : is_nan(y) ? y : fmax(x, y); }

/// Rounded before anything is added to it.
#ifndef OPTC_EMULATED
__device__ inline double rounded_product(double x, double y) { return __dmul_rn(x, y); }
#else
__device__ inline double rounded_product(double x, double y) { return x * y; }
#endif

template <typename To, typename From> __device__ inline To bit_cast(From x) {
  static_assert(sizeof(To) == sizeof(From), "the bits are the same");
  To y;
  memcpy(&y, &x, sizeof(y));
  return y;
}
