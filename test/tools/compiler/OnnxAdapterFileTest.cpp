#include "tools/compiler/OnnxAdapterFile.h"
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace optc;

namespace {

class OnnxAdapterFile : public testing::Test {
protected:
  std::string good = OPTC_TEST_DATA "/adapters/onnxruntime.onnx_adapter";
  std::string path = (std::filesystem::temp_directory_path() / ("optc-adapter-" + std::to_string(getpid()))).string();
  std::string bytes;

  void SetUp() override { ASSERT_FALSE(readFile(good, bytes)); }
  void TearDown() override { std::filesystem::remove(path); }
  Error read(const std::string &text, std::vector<NamedValue> &tensors) {
    EXPECT_FALSE(writeFile(path, text));
    return readOnnxAdapter(path, tensors);
  }
  std::string messageOf(std::string text, size_t at, char with) {
    text[at] = with;
    std::vector<NamedValue> tensors;
    return read(text, tensors).message;
  }
};

// What ONNX Runtime 1.32 wrote.
TEST_F(OnnxAdapterFile, IsRead) {
  EXPECT_TRUE(isOnnxAdapter(good));
  std::vector<NamedValue> tensors;
  ASSERT_FALSE(readOnnxAdapter(good, tensors));
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "q.lora_A.weight");
  EXPECT_EQ(tensors[0].value.dims, (std::vector<int64_t>{3, 2}));
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(tensors[0].value.as<float>()[i], float(i));
  EXPECT_EQ(tensors[1].name, "q.lora_B.weight");
  EXPECT_EQ(tensors[1].value.dims, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(tensors[1].value.as<float>()[7], 1);
}

TEST_F(OnnxAdapterFile, IsKnownByItsIdentifier) {
  ASSERT_FALSE(writeFile(path, bytes));
  EXPECT_TRUE(isOnnxAdapter(path));
  for (const char *text : {"", "TORT", "\x0c\0\0\0TORS"}) {
    ASSERT_FALSE(writeFile(path, text));
    EXPECT_FALSE(isOnnxAdapter(path));
  }
  EXPECT_FALSE(isOnnxAdapter("/nowhere"));
}

TEST_F(OnnxAdapterFile, WhatIsWrong) {
  std::vector<NamedValue> tensors;
  EXPECT_TRUE(readOnnxAdapter("/nowhere", tensors));
  EXPECT_EQ(messageOf(bytes, 4, 'X'), "is no ONNX Runtime adapter: it lacks the identifier");
  // The version, the type and a dim of a parameter, where this file has them.
  EXPECT_EQ(messageOf(bytes, 0x10, 7), "has version 7 of the format, expected 1");
  EXPECT_EQ(messageOf(bytes, 0xa8, 8), "parameter 'q.lora_A.weight' is of ONNX's type 8, which is not supported");
  EXPECT_EQ(messageOf(bytes, 0xd4, 9), "parameter 'q.lora_A.weight' has dims and a number of bytes that do not agree");
  EXPECT_EQ(messageOf(bytes, 0xdb, char(0xff)), "parameter 'q.lora_A.weight' has dims and a number of bytes that do not agree");
  EXPECT_EQ(messageOf(bytes, 0x0, char(0xf0)), "is damaged: a part of it lies outside the file");
}

TEST_F(OnnxAdapterFile, TruncatedAnywhere) {
  for (size_t length = 0; length < bytes.size(); ++length) {
    std::vector<NamedValue> tensors;
    EXPECT_TRUE(read(bytes.substr(0, length), tensors)) << length;
  }
}

// Each byte by some others: an error, or tensors whose sizes hold.
TEST_F(OnnxAdapterFile, DamagedAnywhere) {
  for (size_t at = 0; at < bytes.size(); ++at)
    for (int with : {0, 1, 4, 0x7f, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[at] = char(with);
      std::vector<NamedValue> tensors;
      if (Error error = read(damaged, tensors)) {
        EXPECT_EQ(error.exitCode, ExitCode::badModel);
        continue;
      }
      for (const NamedValue &tensor : tensors)
        EXPECT_LE(tensor.value.bytes(), bytes.size());
    }
}

} // namespace
