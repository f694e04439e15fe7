//===- CostModel.h - What a product takes in floats and in 8 bits -*- C++ -*-===//
//
// Estimated nanoseconds of one core, by the dims of a product and what a CPU level computes with. The constants are measured
// times of this project's kernels (docs/performance.md, "Costs"); decisions compare two estimates for one level, so that a
// faster or slower machine of that level decides alike.
//
// It is asked before kernels are formed (passes/ChoosePrecision.cpp, KeepFloatProducts.cpp, SplitGroups.cpp).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_COSTMODEL_H
#define OPTC_CODEGEN_KERNEL_COSTMODEL_H

#include "ir/Shape.h"

namespace optc {

/// What a level of CPUs computes with.
struct MachineModel {
  llvm::StringLiteral name;
  // Operations (2 a multiply-add) in a nanosecond.
  double floatOps, winogradOps, byteOps, byteWindowOps; // byteWindowOps: where a window has several taps
  double depthwiseOps, depthwiseByteOps;
  // Nanoseconds for an element of a product's result: scaling, bias, activation.
  double floatResult, byteResult;
  // Nanoseconds to bring an element of rows together for products of bytes (windows, or widening).
  double gather;
  // Nanoseconds for a weight of a product with few rows, where reading it takes longest.
  double floatWeight, byteWeight, codeWeight;
  // Nanoseconds an element: to codes, from codes, and the smallest and largest.
  double quantize, dequantize, range;
  // Nanoseconds a score of attention beside its products: its part in a softmax, and of bytes also its code.
  double floatScore, byteScore;

  /// Nanoseconds to write or read so many bytes of an activation once.
  double traffic(double bytes) const;
};

/// The models by name: sse, avx2, avx2-vnni, avx512, avx512-vnni, amx.
llvm::ArrayRef<MachineModel> machineModels();
/// Null when there is none of this name.
const MachineModel *machineModel(llvm::StringRef name);

/// Sizes of a convolution or matrix product; symbolic dims count as kAssumedSize.
struct ProductSize {
  enum class Kind { matmul, conv, depthwise, grouped } kind = Kind::matmul;
  double batch = 1, m = 1, n = 1, k = 1; // k: all taps of a window; depthwise: taps alone
  double taps = 1;
  bool constantRhs = false, winograd = false;
  bool widened = false; // depthwise: codes are multiplied as floats
  bool cachedWeights = false; // see weightsStayCached

  double operations() const { return 2 * batch * m * n * k; }
  double results() const { return batch * m * n; }
};
constexpr int64_t kAssumedSize = 32;

double sizeOf(const DimExpr &dim);
double elementsOf(mlir::Value tensor);
/// True where a grouped convolution of either layout is worth a dense one for each group (passes/SplitGroups.cpp).
bool groupsGain(ConvOp conv);

/// Of a convolution in either layout, or of a contraction before or after it is brought to its canonical form.
ProductSize productSize(mlir::Operation *op, bool constantRhs);

/// True where the weights of all products of a model fit a cache together as floats, so that each run finds them there.
bool weightsStayCached(llvm::ArrayRef<ProductSize> model);

/// In f32 on f32, in integers on codes, and in f32 on weights of 8 bits.
enum class ProductForm { f32, bytes, codedWeights };
double productCost(const MachineModel &machine, const ProductSize &size, ProductForm form);
/// Of both products and the softmax between them.
double attentionCost(const MachineModel &machine, AttentionOp op, ProductForm form);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_COSTMODEL_H
