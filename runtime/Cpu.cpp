//===- Cpu.cpp - What this CPU and operating system offer -----------------===//
//
// CPUID says what the CPU has, XCR0 which registers the operating system saves. AMX needs
// Linux's permission besides (arch_prctl ARCH_REQ_XCOMP_PERM), asked for once.
//
//===----------------------------------------------------------------------===//

#include "runtime/Model.h"
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace optc;

#if defined(__x86_64__)
static uint64_t readXcr0() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

static uint64_t detect() {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return 0;
  auto bit = [](uint32_t word, int i) { return (word >> i & 1) != 0; };
  uint64_t features = 0;
  bool v2 = bit(c, 0) && bit(c, 9) && bit(c, 19) && bit(c, 20) && bit(c, 23); // SSE3, SSSE3, SSE4.1, SSE4.2, POPCNT
  if (v2)
    features |= OPTC_CPU_X86_64_V2;
  bool fma = bit(c, 12), movbe = bit(c, 22), f16c = bit(c, 29), avx = bit(c, 28);
  if (!bit(c, 27)) // OSXSAVE
    return features;
  uint64_t xcr0 = readXcr0();
  bool ymm = (xcr0 & 0x6) == 0x6, zmm = (xcr0 & 0xe6) == 0xe6, tiles = (xcr0 & 0x60000) == 0x60000;
  uint32_t b7, c7, d7, a71 = 0, unused;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7))
    return features;
  uint32_t leaves = a;
  if (leaves >= 1)
    __get_cpuid_count(7, 1, &a71, &unused, &unused, &unused);
  __get_cpuid(0x80000001, &a, &b, &c, &d);
  bool lzcnt = bit(c, 5);
  if (v2 && avx && ymm && fma && movbe && f16c && lzcnt && bit(b7, 3) && bit(b7, 5) && bit(b7, 8)) { // BMI1, AVX2, BMI2
    features |= OPTC_CPU_X86_64_V3;
    if (bit(a71, 4))
      features |= OPTC_CPU_AVX_VNNI;
    if (zmm && bit(b7, 16) && bit(b7, 17) && bit(b7, 28) && bit(b7, 30) && bit(b7, 31)) { // F, DQ, CD, BW, VL
      features |= OPTC_CPU_X86_64_V4;
      if (bit(c7, 1))
        features |= OPTC_CPU_AVX512_VBMI;
      if (bit(c7, 6))
        features |= OPTC_CPU_AVX512_VBMI2;
      if (bit(c7, 11))
        features |= OPTC_CPU_AVX512_VNNI;
      if (bit(a71, 5))
        features |= OPTC_CPU_AVX512_BF16;
      if (bit(d7, 23))
        features |= OPTC_CPU_AVX512_FP16;
      // AMX-TILE, INT8 and BF16, and the kernel's leave to use tile data.
      if (tiles && bit(d7, 24) && bit(d7, 25) && bit(d7, 22) && syscall(SYS_arch_prctl, 0x1023, 18) == 0)
        features |= OPTC_CPU_AMX;
    }
  }
  return features;
}
#else
static uint64_t detect() { return 0; }
#endif

uint64_t optc::cpuFeatures() {
  static const uint64_t features = detect();
  return features;
}

std::string optc::featureNames(uint64_t missing) {
  static const char *names[] = {"SSE4.2 (x86-64-v2)", "AVX2 and FMA (x86-64-v3)", "AVX-512 (x86-64-v4)", "AVX-512 VNNI",
                                "AVX-VNNI", "AVX-512 BF16", "AVX-512 FP16", "AMX",
                                "AVX-512 VBMI", "AVX-512 VBMI2"};
  std::string text;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
    if (missing >> i & 1)
      text += (text.empty() ? "" : ", ") + std::string(names[i]);
  return text.empty() ? "a CPU of another kind" : text;
}
