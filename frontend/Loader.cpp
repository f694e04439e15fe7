//===- Loader.cpp - Bytes to a checked ModelProto -------------------------===//

#include "frontend/Loader.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <google/protobuf/io/coded_stream.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

using namespace optc;
using llvm::StringRef;

/// Deepest nesting of messages; a graph in a node's attribute takes three levels.
static constexpr int kMaxNesting = 200;

LoadedModel::LoadedModel() = default;
LoadedModel::LoadedModel(LoadedModel &&) = default;
LoadedModel &LoadedModel::operator=(LoadedModel &&) = default;
LoadedModel::~LoadedModel() = default;

static bool parseBinary(StringRef bytes, onnx::ModelProto &model) {
  if (bytes.size() > INT32_MAX)
    return false;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t *>(bytes.data()),
                                            int(bytes.size()));
  in.SetTotalBytesLimit(INT32_MAX);
  in.SetRecursionLimit(kMaxNesting);
  return model.ParseFromCodedStream(&in) && in.ConsumedEntireMessage();
}

/// ONNX's text parser recurses on nested graphs: bounds the depth of brackets before it runs.
static bool tooDeep(StringRef text) {
  int depth = 0;
  for (char c : text) {
    depth += c == '{' || c == '<' || c == '(' || c == '[';
    depth -= c == '}' || c == '>' || c == ')' || c == ']';
    if (depth > kMaxNesting)
      return true;
  }
  return false;
}

/// Several lines of an ONNX message as one.
static std::string oneLine(StringRef text) {
  llvm::SmallVector<StringRef> lines;
  text.split(lines, '\n', -1, false);
  std::string out;
  for (StringRef line : lines)
    if (!line.trim().empty())
      out += (out.empty() ? "" : " ") + line.trim().str();
  return out;
}

LoadedModel LoadedModel::fromBytes(StringRef bytes, bool isText, StringRef folder, Problems &problems) {
  LoadedModel loaded;
  loaded.folder = folder.str();
  auto proto = std::make_unique<onnx::ModelProto>();
  auto bad = [&](std::string message) {
    problems.push_back({ProblemKind::badModel, std::move(message)});
    return LoadedModel();
  };
  try {
    if (isText) {
      if (tooDeep(bytes))
        return bad("brackets are nested too deeply");
      onnx::OnnxParser parser(std::string_view(bytes.data(), bytes.size()));
      auto status = parser.Parse(*proto);
      if (!status.IsOK())
        return bad("not a model in ONNX's text form: " + oneLine(status.ErrorMessage()));
    } else if (bytes.size() > INT32_MAX) {
      return bad("larger than 2 GB; keep the weights in external data");
    } else if (!parseBinary(bytes, *proto)) {
      return bad("not an ONNX model (it cannot be parsed)");
    }
  } catch (const std::exception &error) {
    return bad("not an ONNX model: " + oneLine(error.what()));
  }
  if (!proto->has_graph())
    return bad("the model has no graph");
  loaded.proto = std::move(proto);
  return loaded;
}

LoadedModel LoadedModel::fromFile(StringRef path, Problems &problems) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file) {
    problems.push_back({ProblemKind::badModel, "cannot be read: " + file.getError().message()});
    return {};
  }
  llvm::SmallString<128> folder(llvm::sys::path::parent_path(path));
  if (folder.empty())
    folder = ".";
  return fromBytes((*file)->getBuffer(), path.ends_with(".onnxtxt"), folder, problems);
}

LoadedModel::Slice LoadedModel::externalData(const onnx::TensorProto &tensor) {
  auto fail = [&](const llvm::Twine &what) -> Slice {
    throw NodeError{ProblemKind::badModel, ("external data: " + what).str()};
  };
  std::string location;
  uint64_t offset = 0, length = 0;
  bool hasLength = false;
  for (const auto &entry : tensor.external_data()) {
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset" && StringRef(entry.value()).getAsInteger(10, offset))
      return fail("'" + entry.value() + "' is no offset");
    else if (entry.key() == "length" && (hasLength = true) &&
             StringRef(entry.value()).getAsInteger(10, length))
      return fail("'" + entry.value() + "' is no length");
  }
  if (location.empty() || folder.empty() || StringRef(location).contains('\0'))
    return fail("no location that may be read");
  if (llvm::sys::path::is_absolute(location))
    return fail("'" + location + "' is an absolute path; it must lie in the model's folder");
  for (auto part = llvm::sys::path::begin(location), end = llvm::sys::path::end(location); part != end;
       ++part)
    if (*part == "..")
      return fail("'" + location + "' leaves the model's folder");

  auto &file = files[location];
  if (!file) {
    llvm::SmallString<256> path(folder), real, realFolder;
    llvm::sys::path::append(path, location);
    if (llvm::sys::fs::real_path(path, real) || llvm::sys::fs::real_path(folder, realFolder))
      return fail("'" + location + "' cannot be found");
    if (!real.str().starts_with(realFolder.str()) ||
        (realFolder != "/" && !StringRef(real).drop_front(realFolder.size()).starts_with("/")))
      return fail("'" + location + "' links out of the model's folder");
    if (!llvm::sys::fs::is_regular_file(real))
      return fail("'" + location + "' is not a file");
    auto buffer = llvm::MemoryBuffer::getFile(real, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!buffer)
      return fail("'" + location + "' cannot be read: " + buffer.getError().message());
    file = std::move(*buffer);
  }
  uint64_t size = file->getBufferSize();
  if (offset > size || (hasLength && length > size - offset))
    return fail("offset and length are beyond the end of '" + location + "'");
  return {file, file->getBuffer().substr(offset, hasLength ? length : size - offset)};
}
