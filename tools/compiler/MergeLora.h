//===- MergeLora.h - Adapters of low rank into weights ----------*- C++ -*-===//
//
//   contract %x, %w   ⇒   contract %x, (add %w, (contract s * %b, %a))
//
// a [rank, in] and b [out, rank] come from a file as PEFT writes it (Hu et al., LoRA, https://arxiv.org/abs/2106.09685).
// The sum is a weight expression: it is evaluated once, when the artefact is packaged.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_MERGELORA_H
#define OPTC_TOOLS_COMPILER_MERGELORA_H

#include "tools/tensors/Error.h"
#include "mlir/IR/BuiltinOps.h"
#include <optional>
#include <vector>

namespace optc {

struct LoraAdapter {
  std::string path;
  /// s; nullopt: as the adapter says, alpha / rank.
  std::optional<double> scale;
};

/// FILE or FILE=SCALE.
LoraAdapter parseLoraFlag(const std::string &flag);
/// Merges adapters into an imported module. A tensor that belongs to no weight of the model is an error.
Error mergeLora(mlir::ModuleOp module, const std::vector<LoraAdapter> &adapters);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_MERGELORA_H
