//===- Initializers.h - Which inputs are constants --------------*- C++ -*-===//
//
// An input with an initialiser is a constant: models had to list every weight as an input once. Two things change that:
// a tensor that is given becomes an initialiser, whatever the model has, and inputs that are to be kept lose theirs.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_INITIALIZERS_H
#define OPTC_FRONTEND_INITIALIZERS_H

#include "frontend/Importer.h"

namespace onnx {
class ModelProto;
} // namespace onnx

namespace optc {

/// Changes the model's initialisers as `options` say. Fills the result's problems, `unknown` and `defaulted`.
void chooseInitializers(onnx::ModelProto &model, const ImportOptions &options, ImportResult &result);

} // namespace optc

#endif // OPTC_FRONTEND_INITIALIZERS_H
