//===- Blocks.cpp - Strides, checks, copies shared by the families --------===//

#include "runtime/reference/Blocks.h"
#include <cstring>

using namespace optc;

std::vector<int64_t> optc::stridesOf(std::span<const int64_t> dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;)
    strides[i - 1] = strides[i] * dims[i];
  return strides;
}

std::string optc::shapeText(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

Status optc::expectTensors(const Call &call, size_t required) {
  if (call.inputs.size() < required)
    return Status::error("expected " + std::to_string(required) + " operands, got " +
                         std::to_string(call.inputs.size()));
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.inputs[i]) {
      if (i < required)
        return Status::error("operand " + std::to_string(i) + " is absent");
      continue;
    }
    if (call.in(i).kind != Value::Kind::tensor)
      return Status::error("operand " + std::to_string(i) + " is not a tensor");
  }
  if (call.outputs.empty())
    return Status::error("no results");
  return Status::success();
}

Status optc::expectRank(const Value &x, int64_t rank, const char *name) {
  if (x.rank() == rank)
    return Status::success();
  return Status::error(std::string(name) + " has rank " + std::to_string(x.rank()) + ", expected " +
                       std::to_string(rank));
}

Status optc::expectShape(const Value &x, const std::vector<int64_t> &dims, const char *name) {
  if (x.dims == dims)
    return Status::success();
  return Status::error(std::string(name) + " has shape " + shapeText(x.dims) + ", expected " +
                       shapeText(dims));
}

Status optc::expectAxis(int64_t axis, int64_t rank) {
  if (axis >= 0 && axis < rank)
    return Status::success();
  return Status::error("axis " + std::to_string(axis) + " is out of range for rank " + std::to_string(rank));
}

Status optc::expectEntries(std::span<const int64_t> list, size_t count, const char *name) {
  if (list.size() == count)
    return Status::success();
  return Status::error(std::string(name) + " has " + std::to_string(list.size()) + " entries, expected " +
                       std::to_string(count));
}

Status optc::unsupported(const char *name, DType type) {
  return Status::error(std::string(name) + " is not defined for " + nameOf(type));
}

Status optc::indexError(int64_t index, int64_t dim, int64_t size) {
  return Status::error("index " + std::to_string(index) + " is out of range for dim " + std::to_string(dim) +
                       " of size " + std::to_string(size));
}

void optc::copyElements(DType type, void *to, int64_t toBegin, const void *from, int64_t fromBegin,
                        int64_t n) {
  if (n <= 0)
    return;
  if (type == DType::string) {
    const std::string *source = static_cast<const std::string *>(from) + fromBegin;
    std::copy(source, source + n, static_cast<std::string *>(to) + toBegin);
    return;
  }
  size_t width = sizeOf(type);
  std::memcpy(static_cast<char *>(to) + size_t(toBegin) * width,
              static_cast<const char *>(from) + size_t(fromBegin) * width, size_t(n) * width);
}

void optc::clear(Value &y) {
  if (y.type == DType::string)
    std::fill_n(y.as<std::string>(), y.size(), std::string());
  else if (y.data)
    std::memset(y.data, 0, y.bytes());
}
