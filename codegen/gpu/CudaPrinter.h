//===- CudaPrinter.h - Structured IR as CUDA C++ ----------------*- C++ -*-===//
//
// Prints a device kernel: scf.for and scf.if become loops and branches, loads and stores subscripts, what is
// used once moves into the expression that uses it. Ops on vectors are gathered into one loop over the lanes:
//
//   %v = llvm.load %p : vector<4xf32>             const Vec<float, 4> v0 = load<4>(x0 + i);
//   %a = arith.addf %v, %v : vector<4xf32>        Vec<float, 4> exp_1;
//   %e = math.exp %a : vector<4xf32>              for (int k = 0; k < 4; ++k)
//                                                   exp_1[k] = expf(v0[k] + v0[k]);
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_CUDAPRINTER_H
#define OPTC_CODEGEN_GPU_CUDAPRINTER_H

#include "codegen/gpu/DeviceFunction.h"

namespace optc {

/// An op of the kernel that cannot be printed, or null.
mlir::Operation *findUnprintable(DeviceFunction &f);

/// The kernel's definition, without what codegen/gpu/device.cuh defines.
std::string printCuda(DeviceFunction &f);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_CUDAPRINTER_H
