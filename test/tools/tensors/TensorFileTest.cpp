#include "tools/tensors/TensorFile.h"
#include <cstring>
#include <gtest/gtest.h>
#include <onnx/onnx-data.pb.h>
#include <random>
#include <zlib.h>

using namespace optc;

namespace {

constexpr DType kNumbers[] = {
    DType::f32,      DType::u8,         DType::i8,      DType::u16,        DType::i16,
    DType::i32,      DType::i64,        DType::boolean, DType::f16,        DType::f64,
    DType::u32,      DType::u64,        DType::c64,     DType::c128,       DType::bf16,
    DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2,  DType::f8e5m2fnuz, DType::u4,
    DType::i4,       DType::f4e2m1,     DType::f8e8m0,  DType::u2,         DType::i2};

Value strings(std::vector<int64_t> dims, const std::vector<std::string> &texts) {
  Value v = Value::allocate(DType::string, std::move(dims));
  std::copy(texts.begin(), texts.end(), v.as<std::string>());
  return v;
}

/// Bytes that are different everywhere, within what the type holds.
Value pattern(DType type, std::vector<int64_t> dims) {
  Value v = Value::allocate(type, std::move(dims));
  for (size_t i = 0; i < v.bytes(); ++i)
    v.as<uint8_t>()[i] = uint8_t(i * 37 + 11);
  if (type == DType::boolean || classOf(type) == Class::i64 || type == DType::u4 || type == DType::u2)
    for (int64_t i = 0; i < v.size(); ++i) {
      int64_t n = i * 7 - 3;
      store(v, i, 1, &n);
    }
  if (type == DType::f4e2m1)
    for (int64_t i = 0; i < v.size(); ++i)
      v.as<uint8_t>()[i] &= 15;
  return v;
}

void expectSame(const Value &a, const Value &b) {
  ASSERT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.dims, b.dims);
  ASSERT_EQ(a.items.size(), b.items.size());
  for (size_t i = 0; i < a.items.size(); ++i)
    expectSame(a.items[i], b.items[i]);
  if (a.kind != Value::Kind::tensor)
    return;
  if (a.type == DType::string)
    for (int64_t i = 0; i < a.size(); ++i)
      EXPECT_EQ(a.as<std::string>()[i], b.as<std::string>()[i]);
  else if (a.bytes())
    EXPECT_EQ(std::memcmp(a.data, b.data, a.bytes()), 0) << nameOf(a.type);
}

void roundTrip(const Value &value) {
  std::string bytes;
  ASSERT_EQ(formatProto("name", value, bytes), "");
  Value back;
  ASSERT_EQ(parseProto(bytes, value.kind, back), "") << nameOf(value.type);
  expectSame(back, value);
}

std::string parseTensor(const onnx::TensorProto &proto, Value &value) {
  return parseProto(proto.SerializeAsString(), Value::Kind::tensor, value);
}

TEST(ProtoFile, EveryTypeAndShape) {
  for (DType type : kNumbers)
    for (std::vector<int64_t> dims : {std::vector<int64_t>{}, {7}, {2, 3, 5}, {0}, {3, 0}})
      roundTrip(pattern(type, dims));
  roundTrip(strings({2, 2}, {"", "one", "zwölf", std::string("a\0b", 3)}));
  roundTrip(strings({0}, {}));
}

TEST(ProtoFile, SequencesAndOptionals) {
  Value sequence, empty, nested, optional;
  sequence.kind = empty.kind = nested.kind = Value::Kind::sequence;
  optional.kind = Value::Kind::optional;
  sequence.items = {pattern(DType::f32, {2}), pattern(DType::i64, {}), strings({1}, {"x"})};
  nested.items = {sequence, empty};
  roundTrip(sequence);
  roundTrip(empty);
  roundTrip(nested);
  roundTrip(optional);
  optional.items = {pattern(DType::f16, {3})};
  roundTrip(optional);
  optional.items = {sequence};
  roundTrip(optional);
}

TEST(ProtoFile, TypedFields) {
  auto proto = [](int type, int64_t n) {
    onnx::TensorProto p;
    p.set_data_type(type);
    p.add_dims(n);
    return p;
  };
  Value v;
  onnx::TensorProto p = proto(onnx::TensorProto::FLOAT16, 2); // bits in int32_data
  p.add_int32_data(0x3c00);
  p.add_int32_data(0xc000);
  ASSERT_EQ(parseTensor(p, v), "");
  double reals[2];
  load(v, 0, 2, reals);
  EXPECT_EQ(reals[0], 1);
  EXPECT_EQ(reals[1], -2);

  p = proto(onnx::TensorProto::INT4, 3); // two to a byte, low half first
  p.add_int32_data(0x8f);
  p.add_int32_data(0x07);
  ASSERT_EQ(parseTensor(p, v), "");
  EXPECT_EQ(v.as<int8_t>()[0], -1);
  EXPECT_EQ(v.as<int8_t>()[1], -8);
  EXPECT_EQ(v.as<int8_t>()[2], 7);

  p = proto(onnx::TensorProto::UINT2, 5); // four to a byte
  p.set_raw_data(std::string("\xe4\x02", 2));
  ASSERT_EQ(parseTensor(p, v), "");
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(v.as<uint8_t>()[i], i < 4 ? i : 2);

  p = proto(onnx::TensorProto::COMPLEX64, 1);
  p.add_float_data(1);
  p.add_float_data(2);
  ASSERT_EQ(parseTensor(p, v), "");
  EXPECT_EQ(v.as<float>()[1], 2);

  p = proto(onnx::TensorProto::UINT32, 1);
  p.add_uint64_data(0xfffffffe);
  ASSERT_EQ(parseTensor(p, v), "");
  EXPECT_EQ(v.as<uint32_t>()[0], 0xfffffffe);
}

TEST(ProtoFile, SaysWhatIsWrong) {
  Value v;
  onnx::TensorProto p;
  EXPECT_EQ(parseTensor(p, v), "is not a tensor: unknown element type 0");
  p.set_data_type(999);
  EXPECT_EQ(parseTensor(p, v), "is not a tensor: unknown element type 999");
  p.set_data_type(onnx::TensorProto::FLOAT);
  p.add_dims(3);
  p.set_raw_data("12345678");
  EXPECT_EQ(parseTensor(p, v), "holds 8 bytes, its shape asks for 12");
  p.clear_raw_data();
  p.add_float_data(1);
  EXPECT_EQ(parseTensor(p, v), "holds 1 values in float_data, its shape asks for 3");
  p.set_dims(0, int64_t(1) << 45); // no memory is taken for it
  EXPECT_EQ(parseTensor(p, v), "holds 1 values, its shape asks for 35184372088832");
  p.set_dims(0, -1);
  EXPECT_EQ(parseTensor(p, v), "its shape is not valid");
  p.set_dims(0, INT64_MAX);
  p.add_dims(INT64_MAX);
  EXPECT_EQ(parseTensor(p, v), "its shape is not valid");
  p.set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_EQ(parseTensor(p, v), "keeps its data in another file, which is not supported");
  EXPECT_EQ(parseProto("\xff\xff", Value::Kind::sequence, v), "is not a serialised SequenceProto");
}

constexpr DType kNumpyTypes[] = {DType::boolean, DType::i8,  DType::i16, DType::i32, DType::i64,
                                 DType::u8,      DType::u16, DType::u32, DType::u64, DType::f16,
                                 DType::f32,     DType::f64, DType::c64, DType::c128};

std::string npy(int version, std::string header, const std::string &data) {
  std::string bytes = "\x93NUMPY";
  bytes += char(version);
  bytes += '\0';
  uint32_t length = uint32_t(header.size());
  bytes.append(reinterpret_cast<char *>(&length), version == 1 ? 2 : 4);
  return bytes + header + data;
}

TEST(NpyFile, EveryTypeAndShape) {
  for (DType type : kNumpyTypes)
    for (std::vector<int64_t> dims : {std::vector<int64_t>{}, {7}, {2, 3, 5}, {0}, {3, 0}}) {
      std::string bytes;
      Value value = pattern(type, dims), back;
      ASSERT_EQ(formatNpy(value, bytes), "");
      EXPECT_EQ((bytes.size() - value.bytes()) % 64, 0u);
      ASSERT_EQ(parseNpy(bytes, back), "") << nameOf(type);
      expectSame(back, value);
    }
  std::string bytes;
  Value value = strings({2, 2}, {"", "one", "zwölf 𝄞", "日本"}), back;
  ASSERT_EQ(formatNpy(value, bytes), "");
  ASSERT_EQ(parseNpy(bytes, back), "");
  expectSame(back, value);
}

TEST(NpyFile, VersionsOrdersAndHeaders) {
  std::string six = "\1\2\3\4\5\6";
  for (int version : {1, 2, 3})
    for (const char *header : {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }",
                               "{'shape':(2L,3L),\"descr\":\"|u1\",'fortran_order':False}\n"}) {
      Value v;
      ASSERT_EQ(parseNpy(npy(version, header, six), v), "");
      EXPECT_EQ(v.dims, (std::vector<int64_t>{2, 3}));
      EXPECT_EQ(v.as<uint8_t>()[1], 2);
    }
  Value v;
  ASSERT_EQ(parseNpy(npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", six), v), "");
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(v.as<uint8_t>()[i], 1 + i / 3 + 2 * (i % 3));
  ASSERT_EQ(
      parseNpy(npy(1, "{'descr': '|S3', 'fortran_order': False, 'shape': (2,), }", std::string("ab\0cde", 6)),
               v),
      "");
  EXPECT_EQ(v.as<std::string>()[0], "ab");
  EXPECT_EQ(v.as<std::string>()[1], "cde");
}

TEST(NpyFile, SaysWhatIsWrong) {
  Value v;
  auto with = [&](const std::string &descr, const std::string &shape, size_t bytes) {
    return parseNpy(npy(1, "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }",
                        std::string(bytes, 0)),
                    v);
  };
  EXPECT_EQ(parseNpy("", v), "is not a .npy file");
  EXPECT_EQ(parseNpy(npy(4, "", ""), v), "is of version 4 of the .npy format, which is not known");
  EXPECT_EQ(parseNpy(npy(1, "{'descr'", ""), v), "its header cannot be read");
  EXPECT_EQ(parseNpy(npy(2, "{}", "").substr(0, 11), v), "is truncated");
  EXPECT_EQ(with("<f4", "(2,)", 7), "holds 7 bytes of elements, its shape asks for 8");
  EXPECT_EQ(with("<f4", "(2,)", 9), "holds 9 bytes of elements, its shape asks for 8");
  EXPECT_EQ(with("<f4", "(-2,)", 8), "its shape is not valid");
  EXPECT_EQ(with("<f4", "(9223372036854775807, 9223372036854775807)", 8), "its shape is not valid");
  EXPECT_EQ(with("<f4", "(99999999999999999999,)", 8), "its header cannot be read");
  EXPECT_EQ(with("<U99999999", "(70000000000000,)", 8).substr(0, 31), "holds 8 bytes of elements, its ");
  EXPECT_EQ(with(">f4", "(2,)", 8), "is big-endian ('>f4'), which is not supported");
  EXPECT_EQ(with("|O", "(1,)", 8), "has elements '|O', which is not supported");
  EXPECT_EQ(with("<V2", "(1,)", 2),
            "has elements '<V2': numpy has no bf16, f8 or 4-bit type; use a .pb file");
  EXPECT_EQ(with("<U1", "()", 4), "");
  std::string bytes;
  EXPECT_EQ(formatNpy(pattern(DType::bf16, {1}), bytes), "numpy has no type bf16; use .pb");
  EXPECT_EQ(formatNpy(strings({1}, {"\xff"}), bytes),
            "a string is not UTF-8, which .npy cannot hold; use .pb");
}

TEST(NpzFile, RoundTrip) {
  std::vector<NamedValue> values{{"x", pattern(DType::f32, {2, 3})},
                                 {"a/b:0", pattern(DType::i64, {})},
                                 {"empty", pattern(DType::u8, {0})}};
  std::string bytes;
  ASSERT_EQ(formatNpz(values, bytes), "");
  std::vector<NamedValue> back;
  ASSERT_EQ(parseNpz(bytes, back), "");
  ASSERT_EQ(back.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back[i].name, values[i].name);
    expectSame(back[i].value, values[i].value);
  }
}

/// An archive of one deflated member, as numpy.savez_compressed writes it; `size` is what it claims to hold.
std::string deflated(const std::string &contents, uint32_t size) {
  std::string packed(contents.size() + 100, 0);
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(contents.data()));
  stream.avail_in = uInt(contents.size());
  stream.next_out = reinterpret_cast<Bytef *>(packed.data());
  stream.avail_out = uInt(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  std::string out;
  auto put = [&](auto value) { out.append(reinterpret_cast<char *>(&value), sizeof value); };
  auto common = [&] {
    for (uint16_t v : {20, 0, 8, 0, 0})
      put(v);
    put(uint32_t(crc32(0, reinterpret_cast<const Bytef *>(contents.data()), uInt(contents.size()))));
    put(uint32_t(packed.size()));
    put(size);
    put(uint16_t(5));
    put(uint16_t(0));
  };
  put(uint32_t(0x04034b50));
  common();
  out += "x.npy" + packed;
  uint32_t directory = uint32_t(out.size());
  put(uint32_t(0x02014b50));
  put(uint16_t(20));
  common();
  out += std::string(14, 0) + "x.npy";
  uint32_t length = uint32_t(out.size()) - directory;
  put(uint32_t(0x06054b50));
  put(uint32_t(0));
  put(uint16_t(1));
  put(uint16_t(1));
  put(length);
  put(directory);
  put(uint16_t(0));
  return out;
}

TEST(NpzFile, Deflated) {
  Value value = Value::allocate(DType::f32, {100, 100}); // zeros: a thousandth of the size
  std::string contents;
  ASSERT_EQ(formatNpy(value, contents), "");
  std::vector<NamedValue> back;
  ASSERT_EQ(parseNpz(deflated(contents, uint32_t(contents.size())), back), "");
  ASSERT_EQ(back.size(), 1u);
  expectSame(back[0].value, value);
  for (uint32_t wrong : {0u, uint32_t(contents.size()) - 1, uint32_t(contents.size()) + 1, 0xfffffffeu}) {
    std::string problem = parseNpz(deflated(contents, wrong), back);
    EXPECT_EQ(problem.substr(0, 16), "member 'x.npy': ") << problem;
  }
}

// Whatever the bytes are, reading ends with a value or a message.
TEST(TensorFile, DamagedFilesNeverCrash) {
  Value list;
  list.kind = Value::Kind::sequence;
  list.items = {pattern(DType::f32, {3}), strings({2}, {"a", "b"}), pattern(DType::i4, {5})};
  std::string files[4];
  ASSERT_EQ(formatProto("n", list, files[0]), "");
  ASSERT_EQ(formatNpy(pattern(DType::i16, {2, 2}), files[1]), "");
  ASSERT_EQ(formatNpz({{"x", pattern(DType::u8, {3})}, {"y", strings({1}, {"z"})}}, files[2]), "");
  files[3] = deflated(files[1], uint32_t(files[1].size()));
  std::mt19937 random(5);
  auto parse = [](int which, const std::string &bytes) {
    Value value;
    std::vector<NamedValue> values;
    if (which == 0)
      return parseProto(bytes, Value::Kind::sequence, value);
    return which == 1 ? parseNpy(bytes, value) : parseNpz(bytes, values);
  };
  for (int which = 0; which < 4; ++which) {
    const std::string &good = files[which];
    EXPECT_EQ(parse(which, good), "");
    for (size_t n = 0; n < good.size(); ++n)
      parse(which, good.substr(0, n));
    for (int round = 0; round < 5000; ++round) {
      std::string bad = good;
      for (unsigned k = random() % 3 + 1; k > 0; --k)
        bad[random() % bad.size()] = char(random());
      parse(which, bad);
    }
  }
}

} // namespace
