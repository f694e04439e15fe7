#include "tools/compiler/TensorSets.h"
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace optc;
namespace fs = std::filesystem;

namespace {

class Sets : public testing::Test {
protected:
  fs::path path = fs::temp_directory_path() / ("optc-sets-" + std::to_string(getpid()));
  void SetUp() override { fs::create_directories(path); }
  void TearDown() override { fs::remove_all(path); }
  static Value tensor(std::vector<int64_t> dims, float first) {
    Value value = Value::allocate(DType::f32, std::move(dims));
    for (int64_t i = 0; i < value.size(); ++i)
      value.as<float>()[i] = first + float(i);
    return value;
  }
  void write(const fs::path &name, float first) {
    fs::create_directories((path / name).parent_path());
    EXPECT_FALSE(writeValue((path / name).string(), "x", tensor({1, 2}, first)));
  }
  static std::vector<Port> ports() {
    Port x;
    x.name = "x";
    x.type = DType::f32;
    x.dims = {1, 2};
    x.symbols = {"", ""};
    return {x};
  }
  std::string open(const fs::path &name = "") {
    sets = TensorSets();
    return TensorSets::open({(path / name).string()}, sets).message;
  }
  float first(size_t i) {
    std::vector<Value> values;
    Error error = sets.inputs(i, ports(), values);
    EXPECT_FALSE(error) << error.where << ": " << error.message;
    return error ? 0 : *values[0].as<float>();
  }
  bool hasOutputs(size_t i, const std::string &name = "y") {
    std::vector<Port> outputs = ports();
    outputs[0].name = name;
    bool has = false;
    Error error = sets.hasOutputs(i, outputs, has);
    EXPECT_FALSE(error) << error.where << ": " << error.message;
    return has;
  }
  TensorSets sets;
};

TEST_F(Sets, FoldersInOrder) {
  write("b/input_0.pb", 2);
  write("a/x.npy", 1);
  write("b/output_0.npy", 3);
  ASSERT_EQ(open(), "");
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(first(0), 1);
  EXPECT_EQ(first(1), 2);
  EXPECT_FALSE(hasOutputs(0));
  EXPECT_TRUE(hasOutputs(1));
}

TEST_F(Sets, OutputsByName) {
  write("a/x.npy", 1);
  write("b/x.npy", 1);
  write("b/y.npy", 3);
  ASSERT_FALSE(writeArchive((path / "data.npz").string(), {{"x", tensor({2, 2}, 0)}, {"y", tensor({2, 2}, 0)}}));
  ASSERT_EQ(open(), "");
  EXPECT_FALSE(hasOutputs(0));
  EXPECT_TRUE(hasOutputs(1));
  ASSERT_EQ(open("data.npz"), "");
  EXPECT_TRUE(hasOutputs(0));
  EXPECT_FALSE(hasOutputs(0, "z"));
}

TEST_F(Sets, OneSetItself) {
  write("input_0.npy", 4);
  ASSERT_EQ(open(), "");
  EXPECT_EQ(sets.size(), 1u);
  EXPECT_EQ(first(0), 4);
}

TEST_F(Sets, ArchiveWithSamplesInFront) {
  // With the batch of one, and in its place.
  for (std::vector<int64_t> dims : {std::vector<int64_t>{3, 1, 2}, {3, 2}}) {
    ASSERT_FALSE(writeArchive((path / "data.npz").string(), {{"x", tensor(dims, 5)}}));
    for (const char *name : {"", "data.npz"}) {
      ASSERT_EQ(open(name), "");
      ASSERT_EQ(sets.size(), 3u);
      EXPECT_EQ(first(2), 9);
      std::vector<Value> values;
      EXPECT_FALSE(sets.inputs(1, ports(), values));
      EXPECT_EQ(values[0].dims, (std::vector<int64_t>{1, 2}));
    }
  }
}

TEST_F(Sets, WhatIsWrong) {
  EXPECT_EQ(open(), "holds no sets of tensors");
  EXPECT_EQ(open("nowhere"), "is neither a folder nor a .npz");
  ASSERT_FALSE(writeArchive((path / "a.npz").string(), {{"x", tensor({3, 2}, 0)}, {"y", tensor({2, 2}, 0)}}));
  EXPECT_EQ(open(), "'y' has 2 samples, 'x' 3");
  ASSERT_FALSE(writeArchive((path / "a.npz").string(), {{"x", tensor({}, 0)}}));
  EXPECT_EQ(open(), "'x' has no leading axis of samples");
  ASSERT_FALSE(writeArchive((path / "a.npz").string(), {{"x", tensor({0, 2}, 0)}}));
  EXPECT_EQ(open(), "holds no samples");
  ASSERT_FALSE(writeArchive((path / "b.npz").string(), {{"x", tensor({1, 2}, 0)}}));
  EXPECT_EQ(open(), "holds several .npz");
  ASSERT_EQ(open("b.npz"), "");
  std::vector<Value> values;
  std::vector<Port> other = ports();
  other[0].name = "z";
  EXPECT_EQ(sets.inputs(0, other, values).message, "has no member 'z' or 'input_0'");
}

} // namespace
