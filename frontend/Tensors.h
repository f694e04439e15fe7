//===- Tensors.h - ONNX element types and tensors ---------------*- C++ -*-===//
//
// TensorProto -> ElementsAttr. Up to 1 KB a tensor becomes a DenseElementsAttr. Beyond, a
// DenseResourceElementsAttr over a blob that owns the bytes moved out of Protobuf, or keeps the
// mapped file of external data alive: weights are not copied.
//
// A blob has the elements in row-major order, little endian, and ONE BYTE AN ELEMENT FOR BOOL
// (0 or 1), where DenseElementsAttr packs eight in a byte.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_TENSORS_H
#define OPTC_FRONTEND_TENSORS_H

#include "frontend/Loader.h"
#include "ir/Shape.h"

namespace onnx {
class TypeProto;
class SparseTensorProto;
} // namespace onnx

namespace optc {

/// The element type of an ONNX data type; throws NodeError 'unsupported type' for those the dialect lacks.
mlir::Type elementType(mlir::MLIRContext *context, int onnxType);
/// The inverse; 0 (undefined) when there is none.
int onnxElementType(mlir::Type type);
/// "float16", "complex64", ...
std::string onnxTypeName(int onnxType);

/// Takes the data out of `tensor`. Throws NodeError.
mlir::ElementsAttr importTensor(mlir::MLIRContext *context, LoadedModel &model, onnx::TensorProto &tensor);
mlir::ElementsAttr importSparseTensor(mlir::MLIRContext *context, LoadedModel &model,
                                      const onnx::SparseTensorProto &tensor);

/// The ONNX type of a value, as schemas with context-dependent function bodies want it.
onnx::TypeProto onnxType(mlir::Type type);

} // namespace optc

#endif // OPTC_FRONTEND_TENSORS_H
