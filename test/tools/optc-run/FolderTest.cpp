#include "tools/optc-run/Folder.h"
#include "tools/optc-run/Inputs.h"
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace optc;
namespace fs = std::filesystem;

namespace {

class Folder : public testing::Test {
protected:
  fs::path path = fs::temp_directory_path() / ("optc-folder-" + std::to_string(getpid()));
  void SetUp() override { fs::create_directories(path); }
  void TearDown() override { fs::remove_all(path); }
  void write(const std::string &name, float first) {
    EXPECT_FALSE(writeValue((path / name).string(), "x", scalar(first)));
  }
  static Value scalar(float v) {
    Value value = Value::allocate(DType::f32, {});
    *value.as<float>() = v;
    return value;
  }
  static std::vector<Port> ports() {
    Port a, b;
    a.name = "a";
    b.name = "layer/b:0";
    a.type = b.type = DType::f32;
    return {a, b};
  }
  std::string read(std::vector<float> &firsts, const std::string &what = "input") {
    std::vector<Value> values;
    Error error = readFolder(path.string(), what, ports(), values);
    firsts.clear();
    for (Value &v : values)
      firsts.push_back(*v.as<float>());
    return error.message;
  }
  std::vector<float> firsts;
};

TEST_F(Folder, ByNumberThenByName) {
  EXPECT_EQ(read(firsts), "has no file for input 'a'");
  write("a.npy", 1);
  write("layer_b:0.npy", 2);
  EXPECT_EQ(read(firsts), "");
  EXPECT_EQ(firsts, (std::vector<float>{1, 2}));
  write("input_1.npy", 3);
  write("input_0.pb", 4);
  EXPECT_EQ(read(firsts), "");
  EXPECT_EQ(firsts, (std::vector<float>{4, 3}));
  EXPECT_EQ(read(firsts, "output"), "");
  EXPECT_EQ(firsts, (std::vector<float>{1, 2}));
  write("input_2.pb", 5);
  EXPECT_EQ(read(firsts), "the model has only 2 inputs");
}

TEST_F(Folder, Archive) {
  EXPECT_FALSE(
      writeArchive((path / "data.npz").string(), {{"layer/b:0", scalar(6)}, {"input_0", scalar(7)}}));
  EXPECT_EQ(read(firsts), "");
  EXPECT_EQ(firsts, (std::vector<float>{7, 6}));
  EXPECT_EQ(read(firsts, "output"), "has no member 'a' or 'output_0'");
  std::vector<Value> values;
  EXPECT_FALSE(readFolder((path / "data.npz").string(), "input", ports(), values));
  EXPECT_EQ(values.size(), 2u);
}

TEST_F(Folder, WrittenOutputsCanBeRead) {
  for (const char *format : {"pb", "npy", "npz"}) {
    std::string folder = (path / "new" / format).string();
    EXPECT_FALSE(writeOutputs(folder, format, ports(), {scalar(8), scalar(9)}));
    std::vector<Value> values;
    Error error = readFolder(folder, "output", ports(), values);
    EXPECT_FALSE(error) << error.where << error.message;
    EXPECT_EQ(*values[1].as<float>(), 9);
  }
  write("file", 1);
  EXPECT_TRUE(writeOutputs((path / "file").string(), "pb", ports(), {}));
}

Port dynamicPort(const char *name, std::vector<std::string> symbols, DType type = DType::f32) {
  Port p;
  p.name = name;
  p.type = type;
  p.symbols = std::move(symbols);
  for (const std::string &s : p.symbols)
    p.dims.push_back(s.empty() ? 3 : -1);
  return p;
}

TEST(Inputs, ShapesFollowTheirSymbols) {
  Options options;
  options.shapes["ids"] = {2, 128};
  std::vector<Port> ports{dynamicPort("mask", {"batch", "length", "other", ""}),
                          dynamicPort("ids", {"batch", "length"}, DType::i64)};
  std::vector<Value> values;
  ASSERT_FALSE(randomInputs(options, ports, 100, values));
  EXPECT_EQ(values[0].dims, (std::vector<int64_t>{2, 128, 1, 3}));
  EXPECT_EQ(values[1].dims, (std::vector<int64_t>{2, 128}));
  for (int64_t i = 0; i < values[1].size(); ++i)
    EXPECT_TRUE(values[1].as<int64_t>()[i] >= 0 && values[1].as<int64_t>()[i] < 100);
  for (int64_t i = 0; i < values[0].size(); ++i)
    EXPECT_TRUE(values[0].as<float>()[i] >= 0 && values[0].as<float>()[i] < 1);
}

TEST(Inputs, EveryTypeAndTheSameAgain) {
  Options options;
  options.shapes["x"] = {1000};
  for (int type = 1; type <= int(DType::i2); ++type) {
    if (DType(type) == DType::c64 || DType(type) == DType::c128)
      continue;
    std::vector<Value> a, b;
    std::vector<Port> ports{dynamicPort("x", {"n"}, DType(type))};
    ASSERT_FALSE(randomInputs(options, ports, 100, a));
    ASSERT_FALSE(randomInputs(options, ports, 100, b));
    if (DType(type) != DType::string)
      EXPECT_EQ(std::string(a[0].as<char>(), a[0].bytes()), std::string(b[0].as<char>(), b[0].bytes()));
  }
}

TEST(Inputs, WrongShapes) {
  std::vector<Port> ports{dynamicPort("x", {"n", ""})};
  auto message = [&](const std::string &name, std::vector<int64_t> dims) {
    Options options;
    options.shapes[name] = std::move(dims);
    std::vector<Value> values;
    return randomInputs(options, ports, 100, values).message;
  };
  EXPECT_EQ(message("x", {1, 3}), "");
  EXPECT_EQ(message("y", {1}), "--shape: the model has no input 'y'");
  EXPECT_EQ(message("x", {1}), "--shape: input 'x' has rank 2, not 1");
  EXPECT_EQ(message("x", {1, 4}), "--shape: input 'x' has 3 in dim 1, not 4");
  EXPECT_EQ(message("x", {int64_t(1) << 62, 3}), "--shape: input 'x' would not fit into memory");
}

} // namespace
