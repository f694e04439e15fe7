//===- LibraryCall.h - A kernel that calls the library ----------*- C++ -*-===//
//
// What the ops share that are functions of tile/*.cuh altogether: the text of a call, the launch. Families of ops have files of their
// own: Library.cpp sorts, scans and scatters, LibraryImages.cpp samples and windows, LibrarySignals.cpp transforms.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_LIBRARYCALL_H
#define OPTC_CODEGEN_GPU_LIBRARYCALL_H

#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/DeviceFunction.h"
#include "llvm/ADT/StringExtras.h"

namespace optc {

class LibraryCall {
public:
  explicit LibraryCall(DeviceFunction &f) : f(f), op(f.kernel.getBody().front().front()) {}
  mlir::LogicalResult run();

private:
  void emit(CumulativeOp op);
  void emit(TopKOp op);
  void emit(NonZeroOp op);
  void emit(NmsOp op);
  void emit(UniqueOp op);
  void emit(GatherElementsOp op);
  void emit(GatherNDOp op);
  void emit(MaxUnpoolOp op);
  void emit(ScatterElementsOp op);
  void emit(ScatterNDOp op);
  void emit(GridSampleOp op);
  void emit(ResizeOp op);
  void emit(RoiAlignOp op);
  void emit(MaxRoiPoolOp op);
  void emit(MaxPoolIndicesOp op);
  void emit(ReverseSequenceOp op);
  void emit(LrnOp op);
  void emit(ConvOp op);
  void emit(ConvTransposeOp op);
  void emit(DeformConvOp op);
  void emit(Col2ImOp op);
  void emit(DftOp op);
  void emit(DetOp op);
  void emit(RandomOp op);
  void emit(MelWeightMatrixOp op);
  /// `window`: DirectWindow's numbers.
  void emitConv(mlir::Value image, mlir::Value filter, mlir::Value result, int64_t groups, bool isTransposed, llvm::ArrayRef<DimExpr> window);
  /// A thread for each.
  void useThreads(const DimExpr &items, llvm::StringRef file) {
    f.library = {"sort", file};
    f.threads = 256;
    f.items = items;
    f.itemsPerBlock = f.threads;
  }
  std::string number(double x) { return cudaConstant(f.b.getF64FloatAttr(x), f.b.getF64Type(), true).text; }
  static constexpr int64_t kItems = 4; // that a thread of a scatter moves, or of slices that are copied
  /// `sizes`: elements of y, updates, elements of each, then the places'.
  void emitLastUpdates(llvm::ArrayRef<std::string> parameters, llvm::ArrayRef<DimExpr> sizes,
                       llvm::ArrayRef<std::string> arguments);
  void emitScatter(const std::string &places, llvm::ArrayRef<DimExpr> placeSizes, llvm::StringRef reduction,
                   const DimExpr &updates, const DimExpr &length);

  /// The type of an element in the text; integers as they are meant.
  static std::string typeText(mlir::Type element) {
    if (element.isUnsignedInteger() && element.getIntOrFloatBitWidth() > 1)
      return "u" + std::to_string(element.getIntOrFloatBitWidth());
    return cudaType(memoryType(element));
  }
  std::string operand(unsigned i) const { return pointer(i, elementOf(f.kernel.getOperand(i)), "const "); }
  std::string result(unsigned i) const {
    return pointer(f.kernel.getNumOperands() + i, elementOf(f.kernel.getResult(i)), "");
  }
  /// The parameter's type is signed.
  std::string pointer(unsigned parameter, mlir::Type element, const std::string &qualifier) const {
    std::string type = typeText(element), name = f.parameters[parameter].name;
    return type == cudaType(memoryType(element)) ? name : "(" + qualifier + type + " *)" + name;
  }
  /// Of an operand of the op that may be absent.
  std::string optional(mlir::Value v) const {
    return v ? operand(llvm::cast<mlir::BlockArgument>(v).getArgNumber()) : "nullptr";
  }

  void call(const std::string &function, llvm::ArrayRef<std::string> parameters, llvm::ArrayRef<DimExpr> sizes,
            llvm::ArrayRef<std::string> arguments) {
    llvm::SmallVector<mlir::Value> values;
    for (const DimExpr &d : sizes)
      values.push_back(f.size(d));
    f.callLibrary(function + "<" + llvm::join(parameters, ", ") + ">::run", values, arguments);
  }

  DeviceFunction &f;
  mlir::Operation &op;
};

inline std::string libraryText(bool x) { return x ? "true" : "false"; }
inline std::string libraryText(int64_t x) { return std::to_string(x); }

/// outer, n, inner around a dim.
struct AroundDim {
  DimExpr outer = 1, n = 1, inner = 1;
  AroundDim(mlir::Value x, int64_t axis) {
    Dims dims = dimsOf(x);
    outer = numElements(llvm::ArrayRef(dims).take_front(axis));
    n = dims[axis];
    inner = numElements(llvm::ArrayRef(dims).drop_front(axis + 1));
  }
  DimExpr count() const { return outer * inner; }
};

} // namespace optc

#endif // OPTC_CODEGEN_GPU_LIBRARYCALL_H
