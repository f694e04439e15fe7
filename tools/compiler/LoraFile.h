//===- LoraFile.h - An adapter of low rank ----------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_LORAFILE_H
#define OPTC_TOOLS_COMPILER_LORAFILE_H

#include "tools/compiler/MergeLora.h"

namespace optc {

/// What is added to one module's weight: scale * up * down.
struct LoraPair {
  std::string module; // as in PyTorch: encoder.layer.0.query
  Value down;         // A: [rank, in], of a convolution [rank, in, kernel...]
  Value up;           // B: [out, rank], of a convolution with dims of 1 after it
  double scale = 1;
};

/// Reads a file of either format.
Error readAdapter(const LoraAdapter &adapter, AdapterFile &file);

/// The pairs that a file's tensors are by their names: `X.lora_A.weight` and `X.lora_B.weight`, also `X.lora_down.weight` and
/// `X.lora_up.weight`. In safetensors the scale is the flag's, or alpha / rank with alpha of the tensor `X.alpha` or of
/// adapter_config.json beside the file. In ONNX Runtime's adapters it is in B, and the matrices are transposed.
Error formPairs(const AdapterFile &file, std::vector<LoraPair> &pairs);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_LORAFILE_H
