#include "tools/compiler/CalibrationFile.h"
#include "tools/tensors/TensorFile.h"
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace optc;

namespace {

class CalibrationFile : public testing::Test {
protected:
  std::string path = (std::filesystem::temp_directory_path() / ("optc-calibration-" + std::to_string(getpid()))).string();
  void TearDown() override { std::filesystem::remove(path); }
  std::string read(const std::string &text) {
    EXPECT_FALSE(writeFile(path, text));
    Calibration calibration;
    return readCalibration(path, calibration).message;
  }
  static std::string withTensors(const std::string &tensors) {
    return R"({"format": "optc-calibration", "version": 1, "method": "mse", "samples": 2, "tensors": )" + tensors + "}";
  }
};

TEST_F(CalibrationFile, WhatIsWrittenIsRead) {
  Calibration written{"entropy", 12, {{"conv \"1\"", Observer::Bounds{-0.1f, 0.2f}}, {"b#1", Observer::Bounds{0, 1e30}}, {"unseen", std::nullopt}}};
  ASSERT_FALSE(writeCalibration(path, written));
  Calibration calibration;
  ASSERT_FALSE(readCalibration(path, calibration));
  EXPECT_EQ(calibration.method, "entropy");
  EXPECT_EQ(calibration.samples, 12);
  ASSERT_EQ(calibration.tensors.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(calibration.tensors[i].name, written.tensors[i].name);
    ASSERT_EQ(calibration.tensors[i].range.has_value(), i < 2);
    if (i == 2)
      continue;
    EXPECT_EQ(calibration.tensors[i].range->low, written.tensors[i].range->low);
    EXPECT_EQ(calibration.tensors[i].range->high, written.tensors[i].range->high);
  }
}

TEST_F(CalibrationFile, WhatIsWrong) {
  Calibration calibration;
  EXPECT_TRUE(readCalibration("/nowhere/at/all", calibration));
  EXPECT_EQ(read("{").substr(0, 13), "is not JSON: ");
  EXPECT_EQ(read("{").find('\n'), std::string::npos);
  EXPECT_EQ(read("[]"), "is not a calibration file (--save-calib writes one)");
  EXPECT_EQ(read(R"({"format": "optc-calibration", "version": 9})"), "has another version than 1");
  EXPECT_EQ(read(R"({"format": "optc-calibration", "version": 1})"), "lacks 'method', 'samples' or 'tensors'");
  EXPECT_EQ(read(R"({"format": "optc-calibration", "version": 1, "method": "guess", "samples": 2, "tensors": []})"),
            "'method' or 'samples' is none that --save-calib writes");
  EXPECT_EQ(read(R"({"format": "optc-calibration", "version": 1, "method": "mse", "samples": -4, "tensors": []})"),
            "'method' or 'samples' is none that --save-calib writes");
  EXPECT_EQ(read(withTensors(R"([{"name": "a", "low": 0, "high": 1}, {"name": "a", "low": 0, "high": 2}])")), "tensor 'a' has two entries");
  EXPECT_EQ(read(withTensors("[]")), "");
  EXPECT_EQ(read(withTensors("[1]")), "entry 0 of 'tensors' lacks 'name', 'low' or 'high'");
  EXPECT_EQ(read(withTensors(R"([{"name": "a", "low": 2, "high": 1}])")), "tensor 'a': low and high are no range");
  EXPECT_EQ(read(withTensors(R"([{"name": "a", "low": 0, "high": 1e300}])")), "tensor 'a': low and high are no range");
}

} // namespace

TEST_F(CalibrationFile, ChannelsAreKept) {
  Calibration written;
  written.method = "mse";
  written.samples = 1;
  written.corrections = {{"conv", {0.5f, -1e-9f}}};
  written.equalized = true;
  written.smoothAlpha = 0.25;
  ASSERT_FALSE(writeCalibration(path, written));
  Calibration calibration;
  ASSERT_FALSE(readCalibration(path, calibration));
  ASSERT_EQ(calibration.corrections.size(), 1u);
  EXPECT_EQ(calibration.corrections[0].name, "conv");
  EXPECT_EQ(calibration.corrections[0].values, written.corrections[0].values);
  EXPECT_TRUE(calibration.equalized);
  EXPECT_EQ(calibration.smoothAlpha, 0.25);
  EXPECT_TRUE(calibration.channelMax.empty());
}
