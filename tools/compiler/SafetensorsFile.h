//===- SafetensorsFile.h - Tensors of adapters ------------------*- C++ -*-===//
//
// Reads the safetensors format (https://huggingface.co/docs/safetensors): the length of a JSON header in 8 bytes, the
// header with each tensor's type, shape and place, and the data. Tensors of f32, f16 and bf16 are read. Files are not
// trusted: every size is checked against what is there before it is used.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_SAFETENSORSFILE_H
#define OPTC_TOOLS_COMPILER_SAFETENSORSFILE_H

#include "tools/tensors/TensorFile.h"

namespace optc {

Error readSafetensors(const std::string &path, std::vector<NamedValue> &tensors);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_SAFETENSORSFILE_H
