//===- MergeLora.h - Adapters of low rank into weights ----------*- C++ -*-===//
//
//   contract %x, %w   ⇒   contract %x, (add %w, (contract s * %b, %a))
//
// a [rank, in] and b [out, rank] come from a file as PEFT writes it (Hu et al., LoRA, https://arxiv.org/abs/2106.09685).
// The sum is a weight expression: it is evaluated once, when the artefact is packaged.
//
// ONNX Runtime's adapters hold values of a model's own inputs, which its nodes multiply with. They become constants when the
// model is imported, and FoldLowRank adds their products to the weights.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_MERGELORA_H
#define OPTC_TOOLS_COMPILER_MERGELORA_H

#include "frontend/Importer.h"
#include "tools/tensors/TensorFile.h"
#include "mlir/IR/BuiltinOps.h"
#include <optional>
#include <vector>

namespace optc {

struct LoraAdapter {
  std::string path;
  /// s; nullopt: as the adapter says, alpha / rank.
  std::optional<double> scale;
};

struct AdapterFile {
  LoraAdapter adapter;
  bool isOnnx = false; // else safetensors
  std::vector<NamedValue> tensors;
};

/// FILE or FILE=SCALE.
LoraAdapter parseLoraFlag(const std::string &flag);

Error readAdapters(const std::vector<LoraAdapter> &adapters, std::vector<AdapterFile> &files);
/// The tensors that may be values of the model's inputs, which refer to the files.
std::vector<GivenTensor> givenBy(const std::vector<AdapterFile> &files);
/// Merges what is no input or initialiser of the imported model into its weights. A tensor that belongs to none is an error.
Error mergeLora(const ImportResult &imported, const std::vector<AdapterFile> &files);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_MERGELORA_H
