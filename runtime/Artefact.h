//===- Artefact.h - The binary interface of a compiled model ----*- C -*-===//
//
// What a model.so exports and what its kernels are called with. Plain C, versioned: the compiler
// emits these structures as LLVM constants, the loader reads them.
//
// File: [ELF shared object] [padding to a page] [weights] [OptcTrailer]
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_ARTEFACT_H
#define OPTC_RUNTIME_ARTEFACT_H

#include <stdint.h>

#define OPTC_ARTEFACT_VERSION 3
#define OPTC_DESCRIPTOR_MAGIC 0x4c444f4d4354504fu /* "OPTCMODL" */
#define OPTC_TRAILER_MAGIC 0x4c49415254435450u

#ifdef __cplusplus
extern "C" {
#endif

/// What a kernel works on. Buffers and registers are in the order of the step's lists.
typedef struct OptcArgs {
  void *const *buffers;     /* inputs, then outputs */
  const int64_t *registers; /* sizes */
  void *scratch;            /* this worker's, 64-byte aligned */
} OptcArgs;

/// Computes tiles [begin, end). Tiles never synchronise. 0: success; otherwise an OptcKernelError.
typedef int32_t (*OptcKernel)(const OptcArgs *args, int64_t begin, int64_t end);

enum OptcKernelError { OPTC_KERNEL_OK = 0, OPTC_KERNEL_INDEX_OUT_OF_RANGE = 1 };

/// What a level needs of the CPU; bits of `features`.
enum OptcCpuFeature {
  OPTC_CPU_X86_64_V2 = 1 << 0,
  OPTC_CPU_X86_64_V3 = 1 << 1,
  OPTC_CPU_X86_64_V4 = 1 << 2,
  OPTC_CPU_AVX512_VNNI = 1 << 3,
  OPTC_CPU_AVX_VNNI = 1 << 4,
  OPTC_CPU_AVX512_BF16 = 1 << 5,
  OPTC_CPU_AVX512_FP16 = 1 << 6,
  OPTC_CPU_AMX = 1 << 7,
  OPTC_CPU_AVX512_VBMI = 1 << 8,
  OPTC_CPU_AVX512_VBMI2 = 1 << 9
};

/// Kernels for one kind of CPU, in the plan's numbering.
typedef struct OptcLevel {
  const char *name;
  uint64_t features;
  const OptcKernel *kernels;
  uint64_t count;
} OptcLevel;

/// The one exported symbol.
typedef struct OptcDescriptor {
  uint64_t magic;
  uint64_t version;
  const OptcLevel *levels; /* best first */
  uint64_t levelCount;
  const uint8_t *plan;
  uint64_t planBytes;
  const uint8_t *images; /* code of GPUs; the plan has what lies where */
  uint64_t imageBytes;
} OptcDescriptor;

/// The file's last bytes.
typedef struct OptcTrailer {
  uint64_t codeBytes; /* of the ELF part, padding included */
  uint64_t codeHash;  /* XXH3-64 of them */
  uint64_t weightOffset;
  uint64_t weightBytes;
  uint64_t weightHash;
  uint64_t version;
  uint64_t magic;
} OptcTrailer;

#ifdef __cplusplus
}
#endif
#endif /* OPTC_RUNTIME_ARTEFACT_H */
