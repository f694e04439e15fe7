//===- Importer.h - ONNX to the optc dialect --------------------*- C++ -*-===//
//
// The one entry of the frontend. The module holds `func.func @main`; each argument and result
// carries its ONNX name as `optc.name`, each op the node's name as its location.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_IMPORTER_H
#define OPTC_FRONTEND_IMPORTER_H

#include "frontend/Problem.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <set>

namespace optc {

/// A constant in place of an input or an initialiser.
struct GivenTensor {
  std::string name;
  /// ONNX's TensorProto.DataType, of one byte or more.
  int32_t type;
  std::vector<int64_t> dims;
  /// Its elements, which are copied.
  llvm::StringRef bytes;
  /// Who gives it, for messages.
  std::string from;
};

struct ImportOptions {
  std::vector<GivenTensor> given;
  /// Patterns (`*.lora_?.weight`) of inputs that stay inputs although they have an initialiser, which is dropped.
  std::vector<std::string> keepInputs;
};

struct ImportResult {
  /// Null when there is a problem.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// All that is wrong, in the order of the nodes.
  Problems problems;
  /// Tensors of ImportOptions::given that the model has no input or initialiser for.
  std::set<std::string> unknown;
  /// Inputs that are constants because they have an initialiser; empty for versions of the format in which every
  /// initialiser had to be an input.
  std::vector<std::string> defaulted;
};

/// Imports a `.onnx` or `.onnxtxt` file. Never throws; the dialects it needs are loaded.
ImportResult importModel(llvm::StringRef path, mlir::MLIRContext &context, const ImportOptions &options = {});
/// The same for bytes in memory; `folder` is where external data may lie (empty: nowhere).
ImportResult importModelBytes(llvm::StringRef bytes, bool isText, llvm::StringRef folder,
                              mlir::MLIRContext &context);

} // namespace optc

#endif // OPTC_FRONTEND_IMPORTER_H
