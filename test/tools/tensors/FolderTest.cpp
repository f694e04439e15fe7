#include "tools/tensors/Folder.h"
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

} // namespace
