//===- OnnxAdapterFile.h - ONNX Runtime's adapters --------------*- C++ -*-===//
//
// Reads `.onnx_adapter` files (https://onnxruntime.ai/docs/genai/tutorials/finetune.html), FlatBuffers of named tensors
// (OnnxAdapter.fbs). Files are not trusted: FlatBuffers' verifier checks every offset, and the sizes of tensors are checked
// against their data.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_ONNXADAPTERFILE_H
#define OPTC_TOOLS_COMPILER_ONNXADAPTERFILE_H

#include "tools/tensors/TensorFile.h"

namespace optc {

/// By the file's identifier, or the name it has.
bool isOnnxAdapter(const std::string &path);
Error readOnnxAdapter(const std::string &path, std::vector<NamedValue> &tensors);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_ONNXADAPTERFILE_H
