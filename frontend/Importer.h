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

namespace optc {

struct ImportResult {
  /// Null when there is a problem.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// All that is wrong, in the order of the nodes.
  Problems problems;
};

/// Imports a `.onnx` or `.onnxtxt` file. Never throws; the dialects it needs are loaded.
ImportResult importModel(llvm::StringRef path, mlir::MLIRContext &context);
/// The same for bytes in memory; `folder` is where external data may lie (empty: nowhere).
ImportResult importModelBytes(llvm::StringRef bytes, bool isText, llvm::StringRef folder,
                              mlir::MLIRContext &context);

} // namespace optc

#endif // OPTC_FRONTEND_IMPORTER_H
