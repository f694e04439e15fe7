//===- LoraFile.h - An adapter of low rank ----------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_LORAFILE_H
#define OPTC_TOOLS_COMPILER_LORAFILE_H

#include "tools/compiler/MergeLora.h"
#include "runtime/reference/Value.h"

namespace optc {

/// What is added to one module's weight: scale * up * down.
struct LoraPair {
  std::string module; // as in PyTorch: encoder.layer.0.query
  Value down;         // A: [rank, in], of a convolution [rank, in, kernel...]
  Value up;           // B: [out, rank], of a convolution with dims of 1 after it
  double scale = 1;
};

/// Reads the tensors `X.lora_A.weight` and `X.lora_B.weight` (also `X.lora_down.weight` and `X.lora_up.weight`); the scale
/// is the flag's, or alpha / rank with alpha of the tensor `X.alpha` or of adapter_config.json beside the file.
Error readLora(const LoraAdapter &adapter, std::vector<LoraPair> &pairs);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_LORAFILE_H
