//===- Importer.cpp - ONNX to the optc dialect ----------------------------===//

#include "frontend/Importer.h"
#include "frontend/GraphImporter.h"
#include "frontend/Initializers.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace optc;

static ImportResult import(LoadedModel loaded, ImportResult result, MLIRContext &context, const ImportOptions &options) {
  if (!loaded)
    return result;
  context.loadDialect<OptcDialect, func::FuncDialect>();
  try {
    chooseInitializers(loaded.model(), options, result);
    if (result.problems.empty())
      GraphImporter(loaded, context, result).run();
  } catch (const std::exception &error) {
    // ONNX's and Protobuf's libraries throw; nothing of that leaves the frontend.
    result.problems.push_back({ProblemKind::badModel, error.what()});
  }
  if (!result.problems.empty())
    result.module = {};
  return result;
}

ImportResult optc::importModel(StringRef path, MLIRContext &context, const ImportOptions &options) {
  ImportResult result;
  LoadedModel loaded = LoadedModel::fromFile(path, result.problems);
  return import(std::move(loaded), std::move(result), context, options);
}

ImportResult optc::importModelBytes(StringRef bytes, bool isText, StringRef folder, MLIRContext &context) {
  ImportResult result;
  LoadedModel loaded = LoadedModel::fromBytes(bytes, isText, folder, result.problems);
  return import(std::move(loaded), std::move(result), context, {});
}
