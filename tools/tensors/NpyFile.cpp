//===- NpyFile.cpp - numpy's array format ---------------------------------===//
//
// Versions 1 to 3: magic, version, length of the header, the header (a Python dict), the elements.
//   \x93NUMPY\1\0 v\0 {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
// Arrays in Fortran order are transposed. numpy itself has no bf16, f8 or types below a byte.
//
//===----------------------------------------------------------------------===//

#include "tools/tensors/TensorFile.h"
#include <charconv>
#include <cstring>
#include <optional>

using namespace optc;

namespace {

struct NumpyType {
  DType type;
  char kind;
  unsigned bytes;
};
constexpr NumpyType kNumpyTypes[] = {
    {DType::boolean, 'b', 1}, {DType::i8, 'i', 1},    {DType::i16, 'i', 2}, {DType::i32, 'i', 4},
    {DType::i64, 'i', 8},     {DType::u8, 'u', 1},    {DType::u16, 'u', 2}, {DType::u32, 'u', 4},
    {DType::u64, 'u', 8},     {DType::f16, 'f', 2},   {DType::f32, 'f', 4}, {DType::f64, 'f', 8},
    {DType::c64, 'c', 8},     {DType::c128, 'c', 16},
};

/// The header, a literal of a Python dict with three known keys in any order.
struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<int64_t> dims;

  std::string_view text;
  bool parse(std::string_view header) {
    text = header;
    bool seen[3] = {};
    if (!take('{'))
      return false;
    while (!take('}')) {
      std::string key;
      if (!quoted(key) || !take(':'))
        return false;
      if (key == "descr")
        seen[0] = quoted(descr);
      else if (key == "fortran_order")
        seen[1] = boolean();
      else if (key == "shape")
        seen[2] = shape();
      else
        return false;
      if (!take(',') && !peek('}'))
        return false;
    }
    skip();
    return seen[0] && seen[1] && seen[2] && text.empty();
  }

private:
  void skip() {
    while (!text.empty() && (text[0] == ' ' || text[0] == '\n'))
      text.remove_prefix(1);
  }
  bool peek(char c) {
    skip();
    return !text.empty() && text[0] == c;
  }
  bool take(char c) {
    if (!peek(c))
      return false;
    text.remove_prefix(1);
    return true;
  }
  bool quoted(std::string &out) {
    skip();
    char quote = text.empty() ? 0 : text[0];
    size_t end = quote == '\'' || quote == '"' ? text.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos)
      return false;
    out = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    return true;
  }
  bool boolean() {
    skip();
    for (std::string_view word : {"True", "False"})
      if (text.starts_with(word)) {
        fortran = word == "True";
        text.remove_prefix(word.size());
        return true;
      }
    return false;
  }
  bool shape() {
    if (!take('('))
      return false;
    while (!take(')')) {
      skip();
      int64_t d = 0;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), d);
      if (error != std::errc() || dims.size() == 64)
        return false;
      dims.push_back(d);
      text.remove_prefix(size_t(end - text.data()));
      take('L'); // as Python 2 wrote it
      if (!take(',') && !peek(')'))
        return false;
    }
    return true;
  }
};

/// Copies elements of `size` bytes from column-major to row-major order.
void transpose(const std::vector<int64_t> &dims, size_t size, const char *from, char *to) {
  size_t rank = dims.size();
  std::vector<int64_t> index(rank, 0), strides(rank);
  int64_t count = 1;
  for (size_t i = 0; i < rank; ++i) {
    strides[i] = count;
    count *= dims[i];
  }
  for (int64_t i = 0, at = 0; i < count; ++i) {
    std::memcpy(to + size_t(i) * size, from + size_t(at) * size, size);
    for (size_t d = rank; d-- > 0;) {
      at += strides[d];
      if (++index[d] < dims[d])
        break;
      at -= strides[d] * dims[d];
      index[d] = 0;
    }
  }
}

void appendUtf8(std::string &out, uint32_t c) {
  if (c < 0x80) {
    out += char(c);
    return;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  out += char((0xff00 >> (more + 1) & 0xff) | (c >> (6 * more)));
  while (more-- > 0)
    out += char(0x80 | (c >> (6 * more) & 0x3f));
}

/// nullopt when the bytes are not UTF-8.
std::optional<std::u32string> decodeUtf8(const std::string &text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    uint8_t c = uint8_t(text[i++]);
    int more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : -1;
    if (more < 0 || size_t(more) > text.size() - i)
      return std::nullopt;
    uint32_t value = more ? c & (0x3f >> more) : c;
    for (; more > 0; --more, ++i) {
      if ((uint8_t(text[i]) & 0xc0) != 0x80)
        return std::nullopt;
      value = value << 6 | (uint8_t(text[i]) & 0x3f);
    }
    out += char32_t(value);
  }
  return out;
}

/// Strings of a fixed width: 'U' in UTF-32, 'S' in bytes; padded with zeros.
std::string readStrings(char kind, size_t width, std::string_view data, Value &value) {
  size_t unit = kind == 'U' ? 4 : 1;
  for (int64_t i = 0; i < value.size(); ++i) {
    std::string_view item = data.substr(size_t(i) * width * unit, width * unit);
    std::string text;
    for (size_t c = 0; c < width; ++c) {
      uint32_t code = 0;
      std::memcpy(&code, item.data() + c * unit, unit);
      if (code > 0x10ffff)
        return "holds a character that Unicode does not have";
      if (kind == 'U')
        appendUtf8(text, code);
      else
        text += char(code);
    }
    text.erase(text.find_last_not_of('\0') + 1);
    value.as<std::string>()[i] = std::move(text);
  }
  return "";
}

std::string formatStrings(const Value &value, std::string &descr, std::string &data) {
  std::vector<std::u32string> texts;
  size_t width = 1;
  for (int64_t i = 0; i < value.size(); ++i) {
    auto text = decodeUtf8(value.as<std::string>()[i]);
    if (!text)
      return "a string is not UTF-8, which .npy cannot hold; use .pb";
    width = std::max(width, text->size());
    texts.push_back(std::move(*text));
  }
  descr = "<U" + std::to_string(width);
  data.assign(width * 4 * texts.size(), '\0');
  for (size_t i = 0; i < texts.size(); ++i)
    std::memcpy(data.data() + i * width * 4, texts[i].data(), texts[i].size() * 4);
  return "";
}

} // namespace

std::string optc::parseNpy(std::string_view bytes, Value &value) {
  if (bytes.size() < 10 || bytes.substr(0, 6) != "\x93NUMPY")
    return "is not a .npy file";
  auto byte = [&](size_t i) { return uint32_t(uint8_t(bytes[i])); };
  unsigned version = byte(6);
  if (version < 1 || version > 3)
    return "is of version " + std::to_string(version) + " of the .npy format, which is not known";
  size_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start)
    return "is truncated";
  size_t length = byte(8) | byte(9) << 8;
  if (version > 1)
    length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - start)
    return "is truncated";
  Header header;
  if (!header.parse(bytes.substr(start, length)))
    return "its header cannot be read";
  std::string_view data = bytes.substr(start + length);

  // descr: byte order, kind, bytes.
  const std::string &descr = header.descr;
  unsigned width = 0;
  if (descr.size() >= 3) {
    auto [end, error] = std::from_chars(descr.data() + 2, descr.data() + descr.size(), width);
    if (error != std::errc() || end != descr.data() + descr.size())
      width = 0;
  }
  char kind = width ? descr[1] : 0;
  if (kind && descr[0] == '>' && width > 1)
    return "is big-endian ('" + descr + "'), which is not supported";
  if (kind == 'V')
    return "has elements '" + descr + "': numpy has no bf16, f8 or 4-bit type; use a .pb file";
  int64_t count = elementCount(header.dims);
  if (count < 0)
    return "its shape is not valid";
  bool text = kind == 'U' || kind == 'S';
  DType type = text ? DType::string : DType::none;
  for (const NumpyType &t : kNumpyTypes)
    if (t.kind == kind && t.bytes == width)
      type = t.type;
  if (type == DType::none)
    return "has elements '" + descr + "', which is not supported";
  uint64_t size = uint64_t(width) * (kind == 'U' ? 4 : 1), need;
  if (__builtin_mul_overflow(size, uint64_t(count), &need) || need != data.size())
    return "holds " + std::to_string(data.size()) + " bytes of elements, its shape asks for " +
           (size > UINT64_MAX / std::max<int64_t>(count, 1) ? "more"
                                                            : std::to_string(size * uint64_t(count)));
  if (text && header.fortran && header.dims.size() > 1)
    return "has strings in Fortran order, which is not supported";
  value = Value::allocate(type, header.dims);
  if (count && !value.data)
    return "out of memory";
  if (text)
    return readStrings(kind, width, data, value);
  if (header.fortran && count)
    transpose(header.dims, size, data.data(), value.as<char>());
  else if (count)
    std::memcpy(value.data, data.data(), data.size());
  if (type == DType::boolean)
    for (int64_t i = 0; i < count; ++i)
      value.as<uint8_t>()[i] = value.as<uint8_t>()[i] != 0;
  return "";
}

std::string optc::formatNpy(const Value &value, std::string &bytes) {
  if (value.kind != Value::Kind::tensor)
    return "a .npy holds a tensor, not a sequence or optional; use .pb";
  std::string descr, strings;
  std::string_view data(value.as<char>(), value.bytes());
  if (value.type == DType::string) {
    if (std::string problem = formatStrings(value, descr, strings); !problem.empty())
      return problem;
    data = strings;
  }
  for (const NumpyType &t : kNumpyTypes)
    if (t.type == value.type)
      descr = std::string(t.bytes == 1 ? "|" : "<") + t.kind + std::to_string(t.bytes);
  if (descr.empty())
    return std::string("numpy has no type ") + nameOf(value.type) + "; use .pb";
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (int64_t d : value.dims)
    header += std::to_string(d) + ", ";
  if (value.dims.size() > 1)
    header.resize(header.size() - 2);
  else if (value.dims.size() == 1)
    header.pop_back(); // "(3,)"
  header += "), }";
  // The elements start at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  bytes = std::string("\x93NUMPY\x01\x00", 8);
  bytes += char(header.size() & 0xff);
  bytes += char(header.size() >> 8);
  bytes += header;
  bytes += data;
  return "";
}
