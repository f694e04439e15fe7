//===- Loader.h - Bytes to a checked ModelProto -----------------*- C++ -*-===//
//
// Reads `.onnx` (Protobuf) and `.onnxtxt` (ONNX's text form). The file is mapped for parsing;
// files of external data are mapped for as long as a weight refers to them.
//
// A model is untrusted: external data must lie in the model's folder (no absolute path, no
// '..', no symbolic link out of it), and its offset and length within the file.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_LOADER_H
#define OPTC_FRONTEND_LOADER_H

#include "frontend/Problem.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <map>
#include <memory>
#include <string>

namespace onnx {
class ModelProto;
class TensorProto;
} // namespace onnx
namespace llvm {
class MemoryBuffer;
}

namespace optc {

class LoadedModel {
public:
  /// Reads the file. On a problem the result has no proto.
  static LoadedModel fromFile(llvm::StringRef path, Problems &problems);
  /// Reads bytes; `folder` is where external data may lie (empty: nowhere).
  static LoadedModel fromBytes(llvm::StringRef bytes, bool isText, llvm::StringRef folder,
                               Problems &problems);

  LoadedModel();
  LoadedModel(LoadedModel &&);
  LoadedModel &operator=(LoadedModel &&);
  ~LoadedModel();

  explicit operator bool() const { return proto != nullptr; }
  onnx::ModelProto &model() { return *proto; }

  struct Slice {
    std::shared_ptr<llvm::MemoryBuffer> file;
    llvm::StringRef bytes;
  };
  /// The bytes of a tensor whose data is external. Throws NodeError.
  Slice externalData(const onnx::TensorProto &tensor);

private:
  std::unique_ptr<onnx::ModelProto> proto;
  std::string folder;
  std::map<std::string, std::shared_ptr<llvm::MemoryBuffer>> files;
};

} // namespace optc

#endif // OPTC_FRONTEND_LOADER_H
