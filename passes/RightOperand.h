//===- RightOperand.h - How a product's kernel has its right operand -------===//
//
// A product's right operand enters its kernel in the form that its instructions read, made before it by ordinary ops (of weights: at compile
// time), and is unpacked inside by ordinary ops, which generators read back:
//
//   panels      constant, for a CPU (PackedWeights.h); of a 3x3 convolution transformed for Winograd's algorithm
//   columns     constant, for a GPU's instructions: a row of k's for each column
//   taps        the filter of a depthwise convolution; of bytes in words (ByteDepthwise.h)
//   fewer       panels without zeros, in few bits, or blocks that are not 0
//   table       for a GPU: rows in few bits, unpacked as they are multiplied where it is by few rows
//   twoOfFour   for a GPU: values and positions
//   turned      bytes, e4m3 and values of tf32 that are not constant, for a GPU: along k
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_RIGHTOPERAND_H
#define OPTC_PASSES_RIGHTOPERAND_H

#include "codegen/kernel/BlockPanels.h"
#include "codegen/kernel/CompressedPanels.h"
#include "codegen/kernel/SparseCodes.h"
#include "codegen/kernel/SparsePanels.h"

namespace optc {

/// A channels-last convolution with one filter a channel, over one or two spatial dims.
bool isDepthwise(mlir::Operation *op);
/// Over one or two dims, not depthwise: a convolution that is a product for a GPU's instructions.
bool isDeviceConv(mlir::Operation *root);

class RightOperand {
public:
  /// Of a contract or conv whose product has so many rows a batch; `widens`: operands are small floats (isSmallFloatProduct), which the kernel widens. Makes what
  /// the kernel reads, where the builder is.
  RightOperand(mlir::OpBuilder &b, mlir::Operation *root, const DimExpr &rows, bool gpu, bool widens);

  /// The kernel's kind.
  llvm::StringRef kind() const;
  /// Operands of the kernel.
  llvm::ArrayRef<mlir::Value> operands() const { return stored; }
  /// The root's operand inside of the kernel, of the arguments that stand for operands(), where the builder is.
  mlir::Value unpack(mlir::ValueRange arguments);
  /// The dim of it that a contract sums over.
  int64_t contracted() const;
  /// It is unpacked of a table as it is multiplied.
  bool isTable() const { return form == Form::table; }
  /// Of which two of four are stored.
  bool isTwoOfFour() const { return form == Form::twoOfFour; }

private:
  enum class Form { asIs, turned, taps, byteTaps, columns, panels, filter, winograd, sparse, codes, blocks, compressed, table, twoOfFour };
  Form choose(const DimExpr &rows, bool gpu);
  void store();
  /// Rows that are unpacked, of small floats where the product's operands are.
  mlir::Value table() const;
  /// What makes a table's rows of constants, in order; the constants are left out.
  llvm::SmallVector<mlir::Operation *> unpackers() const;
  mlir::Value unpackTable(mlir::ValueRange arguments);
  mlir::Value unpackMatrix(mlir::ValueRange arguments);
  /// A filter [taps..., C, O] as [taps * C, O], and a matrix along k: [k, n].
  mlir::Value flat(mlir::Value filter);
  mlir::Value alongN(mlir::Value matrix);
  mlir::Value transformBoth(llvm::ArrayRef<float> values, int64_t rows, mlir::Value x);

  mlir::OpBuilder &b;
  mlir::Operation *root;
  const bool widens;
  Form form = Form::asIs;
  std::optional<CompressedPanels> compressed;
  std::optional<SparsePanels> sparse;
  std::optional<BlockPanels> blocks;
  std::optional<SparseCodes> codes;
  /// Of panels and columns: the k of the matrix.
  int64_t depth = 0;
  llvm::SmallVector<mlir::Value> stored;
};

} // namespace optc

#endif // OPTC_PASSES_RIGHTOPERAND_H
