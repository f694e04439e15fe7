//===- CodeExpander.h - 8-bit codes without zeros, spread -------*- C++ -*-===//
//
// Panels as codegen/kernel/SparseCodes.h stores them, group by group into vectors, which few rows use: less is read from memory. A
// group is spread
//
//   by a mask    vpexpandb, which reads the values that follow each other
//   of 2 of 4    vpshufb of each column's two values, by what vpermd looks up for the lowest three bits of its mask
//
// Source: Intel's intrinsics guide (AVX-512 VBMI2); formats of 2 of 4 as in Mishra et al., "Accelerating Sparse Deep Neural
// Networks" (2021).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_CODEEXPANDER_H
#define OPTC_CODEGEN_CPU_CODEEXPANDER_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/SparseCodes.h"

namespace optc {

class CodeExpander {
public:
  using Values = llvm::SmallVector<mlir::Value>;
  /// `codes`: operands of the kernel.
  CodeExpander(KernelFunction &f, const SparseCodes &codes);

  /// Nothing else may be called where the target does not spread such codes.
  bool isSupported() const;
  /// Groups that are emitted without a loop, at least or in multiples.
  int64_t unroll() const;
  /// Begins some panels: what a loop over their groups carries.
  Values start(mlir::Value panel, int64_t count);
  /// Vectors of i32, as many as a panel takes for each, of the group at byte 4 * group = at + offset of a row; offsets of a
  /// position `at` come in order.
  Values next(llvm::MutableArrayRef<mlir::Value> carried, mlir::Value at, int64_t offset);

private:
  mlir::Value expandMasked(mlir::Value mask, mlir::Value values);
  mlir::Value expandTwoOfFour(mlir::Value masks, mlir::Value values);
  void prefetch(mlir::Value pointer, mlir::Value ahead);
  mlir::Value call(llvm::StringRef intrinsic, mlir::Type type, mlir::ValueRange operands);
  mlir::Value operand(mlir::Value v) { return f.input(mlir::cast<mlir::BlockArgument>(v).getArgNumber()); }

  KernelFunction &f;
  SparseCodes codes;
  int64_t lanes, vectors; // of i32; of a group
  mlir::Type i8, i16, i32, i64;
  // Of the panels that were started.
  mlir::Value first, ahead;
  int64_t count = 0;
  Values words;
  // Of 2 of 4: what to shuffle by, and where in 16 bytes a column's values are.
  mlir::Value table, columns;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_CODEEXPANDER_H
