//===- NpzFile.cpp - Zip archives of .npy files ---------------------------===//
//
// What numpy.savez and savez_compressed write: members that are stored or deflated, found by the
// central directory at the end, with Zip64 sizes where needed.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
//
//===----------------------------------------------------------------------===//

#include "tools/tensors/TensorFile.h"
#include <cstring>
#include <zlib.h>

using namespace optc;

namespace {

constexpr uint32_t kLocalMagic = 0x04034b50, kCentralMagic = 0x02014b50, kEndMagic = 0x06054b50,
                   kEnd64Magic = 0x06064b50, kLocator64Magic = 0x07064b50;

/// Little-endian numbers at offsets that are checked.
struct Bytes {
  std::string_view data;
  bool has(uint64_t at, uint64_t n) const { return at <= data.size() && n <= data.size() - at; }
  template <typename T> T get(uint64_t at) const {
    T value = 0;
    if (has(at, sizeof(T)))
      std::memcpy(&value, data.data() + at, sizeof(T));
    return value;
  }
  uint16_t u16(uint64_t at) const { return get<uint16_t>(at); }
  uint32_t u32(uint64_t at) const { return get<uint32_t>(at); }
  uint64_t u64(uint64_t at) const { return get<uint64_t>(at); }
};

struct Member {
  std::string name;
  uint16_t flags, method;
  uint32_t crc;
  uint64_t packed, size, offset;
};

/// Where the central directory is and how many members it has.
bool findDirectory(const Bytes &b, uint64_t &at, uint64_t &count) {
  if (b.data.size() < 22)
    return false;
  uint64_t lowest = b.data.size() > 22 + 65535 ? b.data.size() - 22 - 65535 : 0;
  for (uint64_t end = b.data.size() - 22;; --end) {
    if (b.u32(end) == kEndMagic && b.u16(end + 20) == b.data.size() - end - 22) {
      count = b.u16(end + 10);
      at = b.u32(end + 16);
      if (end >= 20 && b.u32(end - 20) == kLocator64Magic) {
        uint64_t end64 = b.u64(end - 20 + 8);
        if (!b.has(end64, 56) || b.u32(end64) != kEnd64Magic)
          return false;
        count = b.u64(end64 + 32);
        at = b.u64(end64 + 48);
      }
      return true;
    }
    if (end == lowest)
      return false;
  }
}

/// Reads the directory's entry at `at` and steps over it.
bool readMember(const Bytes &b, uint64_t &at, Member &m) {
  if (!b.has(at, 46) || b.u32(at) != kCentralMagic)
    return false;
  m.flags = b.u16(at + 8);
  m.method = b.u16(at + 10);
  m.crc = b.u32(at + 16);
  m.packed = b.u32(at + 20);
  m.size = b.u32(at + 24);
  m.offset = b.u32(at + 42);
  uint64_t nameBytes = b.u16(at + 28), extraBytes = b.u16(at + 30), commentBytes = b.u16(at + 32);
  if (!b.has(at + 46, nameBytes + extraBytes + commentBytes))
    return false;
  m.name = b.data.substr(at + 46, nameBytes);
  // Zip64: the fields that are all ones stand in extra field 1, in this order.
  uint64_t extra = at + 46 + nameBytes, extraEnd = extra + extraBytes;
  while (extra + 4 <= extraEnd) {
    uint64_t field = extra + 4, fieldEnd = field + b.u16(extra + 2);
    if (fieldEnd > extraEnd)
      return false;
    if (b.u16(extra) == 1)
      for (uint64_t *value : {&m.size, &m.packed, &m.offset})
        if (*value == 0xffffffff) {
          if (field + 8 > fieldEnd)
            return false;
          *value = b.u64(field);
          field += 8;
        }
    extra = fieldEnd;
  }
  at += 46 + nameBytes + extraBytes + commentBytes;
  return true;
}

std::string inflateMember(std::string_view packed, uint64_t size, std::string &out) {
  // Deflate shrinks to a 1032nd at best: a larger size is a lie, and no memory is taken for it.
  if (size / 1032 > packed.size() + 1)
    return "its size is not valid";
  out.resize(size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return "zlib cannot start";
  int status = Z_OK;
  uint64_t read = 0, written = 0;
  constexpr uint64_t kPiece = 1u << 30; // zlib counts in 32 bits
  Bytef none;                           // zlib wants an address even for an empty result
  while (status == Z_OK) {
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(packed.data() + read));
    stream.avail_in = uInt(std::min(kPiece, packed.size() - read));
    stream.next_out = size ? reinterpret_cast<Bytef *>(out.data() + written) : &none;
    stream.avail_out = uInt(std::min(kPiece, size - written));
    uInt in = stream.avail_in, room = stream.avail_out;
    status = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += room - stream.avail_out;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && written == size ? "" : "its compressed data are damaged";
}

std::string readContents(const Bytes &b, const Member &m, std::string &out) {
  if (m.flags & 1)
    return "is encrypted";
  if (!b.has(m.offset, 30) || b.u32(m.offset) != kLocalMagic)
    return "its local header is damaged";
  uint64_t start = m.offset + 30 + b.u16(m.offset + 26) + b.u16(m.offset + 28);
  if (!b.has(start, m.packed))
    return "is truncated";
  std::string_view packed = b.data.substr(start, m.packed);
  if (m.method == 0) {
    if (m.size != m.packed)
      return "its size is not valid";
    out = packed;
  } else if (m.method == 8) {
    if (std::string problem = inflateMember(packed, m.size, out); !problem.empty())
      return problem;
  } else {
    return "is compressed with method " + std::to_string(m.method) + ", which is not supported";
  }
  if (crc32_z(0, reinterpret_cast<const Bytef *>(out.data()), out.size()) != m.crc)
    return "is damaged: its checksum does not match";
  return "";
}

struct ZipWriter {
  std::string out;
  template <typename T> void put(T value) {
    out.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  /// What local header and directory share, from the version on.
  void putCommon(const std::string &name, uint32_t crc, uint32_t size) {
    for (uint16_t v : {20, 0, 0, 0, 0x21}) // version, flags, stored, time, date (1 January 1980)
      put(v);
    put(crc);
    put(size);
    put(size);
    put(uint16_t(name.size()));
    put(uint16_t(0));
  }
};

} // namespace

std::string optc::parseNpz(std::string_view bytes, std::vector<NamedValue> &values) {
  Bytes b{bytes};
  uint64_t at, count;
  if (!findDirectory(b, at, count))
    return "is not a .npz file (a zip archive)";
  for (uint64_t i = 0; i < count; ++i) {
    Member member;
    if (!readMember(b, at, member))
      return "its directory is damaged";
    std::string where = "member '" + member.name + "': ", contents;
    if (!member.name.ends_with(".npy"))
      return where + "is not a .npy";
    NamedValue item;
    item.name = member.name.substr(0, member.name.size() - 4);
    std::string problem = readContents(b, member, contents);
    if (problem.empty())
      problem = parseNpy(contents, item.value);
    if (!problem.empty())
      return where + problem;
    values.push_back(std::move(item));
  }
  return "";
}

std::string optc::formatNpz(const std::vector<NamedValue> &values, std::string &bytes) {
  constexpr uint64_t kMost = 0xfffffffe;
  ZipWriter archive, directory;
  for (const NamedValue &item : values) {
    std::string contents, name = item.name + ".npy";
    if (std::string problem = formatNpy(item.value, contents); !problem.empty())
      return "member '" + name + "': " + problem;
    if (name.size() > 65535 || archive.out.size() + contents.size() + name.size() + 30 > kMost ||
        values.size() > 65534)
      return "would be larger than 4 GiB; use .npy files";
    uint32_t crc = uint32_t(crc32_z(0, reinterpret_cast<const Bytef *>(contents.data()), contents.size()));
    uint32_t offset = uint32_t(archive.out.size()), size = uint32_t(contents.size());
    archive.put(kLocalMagic);
    archive.putCommon(name, crc, size);
    archive.out += name + contents;
    directory.put(kCentralMagic);
    directory.put(uint16_t(20));
    directory.putCommon(name, crc, size);
    for (int i = 0; i < 3; ++i) // comment, disk, internal attributes
      directory.put(uint16_t(0));
    directory.put(uint32_t(0));
    directory.put(offset);
    directory.out += name;
  }
  uint32_t start = uint32_t(archive.out.size()), length = uint32_t(directory.out.size());
  uint16_t n = uint16_t(values.size());
  archive.out += directory.out;
  archive.put(kEndMagic);
  archive.put(uint32_t(0)); // disks
  archive.put(n);
  archive.put(n);
  archive.put(length);
  archive.put(start);
  archive.put(uint16_t(0)); // comment
  bytes = std::move(archive.out);
  return "";
}
