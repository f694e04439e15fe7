#include "tools/compiler/Preprocess.h"
#include <gmock/gmock.h>

using namespace optc;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

Port portOf(std::vector<int64_t> dims) {
  Port port;
  port.name = "x";
  port.type = DType::f32;
  port.dims = std::move(dims);
  return port;
}

std::vector<float> inputOf(const Image &image, const std::string &text, std::vector<int64_t> dims) {
  Preprocess preprocess;
  EXPECT_EQ(parsePreprocess(text, preprocess), "");
  Value value;
  Error error = toInput(image, preprocess, portOf(std::move(dims)), value);
  EXPECT_EQ(error.message, "");
  return error ? std::vector<float>() : std::vector<float>(value.as<float>(), value.as<float>() + value.size());
}

std::string refused(const Image &image, const std::string &text, std::vector<int64_t> dims) {
  Preprocess preprocess;
  EXPECT_EQ(parsePreprocess(text, preprocess), "");
  Value value;
  return toInput(image, preprocess, portOf(std::move(dims)), value).message;
}

/// One row of grey pixels, twice.
Image rows(std::vector<uint8_t> row) {
  Image image{int64_t(row.size()), 2, {}};
  for (int y = 0; y < 2; ++y)
    for (uint8_t byte : row)
      image.pixels.insert(image.pixels.end(), 3, byte);
  return image;
}

TEST(Preprocess, ChannelsInTheModelsOrder) {
  Image image{2, 1, {10, 20, 30, 40, 50, 60}};
  EXPECT_THAT(inputOf(image, "scale=1", {1, 3, 1, 2}), ElementsAre(10, 40, 20, 50, 30, 60));
  EXPECT_THAT(inputOf(image, "scale=1", {-1, 1, 2, 3}), ElementsAre(10, 20, 30, 40, 50, 60));
  EXPECT_THAT(inputOf(image, "scale=1,order=bgr", {1, 3, -1, -1}), ElementsAre(30, 60, 20, 50, 10, 40));
  EXPECT_THAT(inputOf(image, "scale=1/10,mean=1:2:3,std=2", {1, 1, 2, 3}), ElementsAre(0, 0, 0, 1.5, 1.5, 1.5));
  EXPECT_THAT(inputOf({1, 1, {100, 200, 50}}, "scale=1", {1, 1, 1, 1}), ElementsAre(153));
}

// What Pillow 12 gives for Image.resize(..., Image.BILINEAR), which rounds to bytes.
TEST(Preprocess, ResizesLikePillow) {
  auto near = [](std::vector<int> bytes) {
    std::vector<testing::Matcher<float>> all;
    for (int y = 0; y < 2; ++y)
      for (int byte : bytes)
        all.push_back(testing::FloatNear(float(byte), 0.5f));
    return testing::ElementsAreArray(all);
  };
  Image image = rows({10, 200, 30, 90, 250, 0, 120});
  EXPECT_THAT(inputOf(image, "scale=1", {1, 2, 3, 1}), near({96, 115, 96}));
  EXPECT_THAT(inputOf(image, "scale=1", {1, 2, 11, 1}), near({10, 96, 185, 76, 52, 90, 192, 182, 23, 65, 120}));
}

TEST(Preprocess, CutsOutTheMiddle) {
  EXPECT_THAT(inputOf(rows({0, 1, 2, 3, 4, 5}), "scale=1,crop=2", {1, 1, 2, 2}), ElementsAre(2, 3, 2, 3));
  // The shorter side, which stays as it is, and the model's size.
  EXPECT_THAT(inputOf(rows({0, 1, 2, 3, 4, 5}), "scale=1,resize=2", {1, 1, 2, 2}), ElementsAre(2, 3, 2, 3));
}

TEST(Preprocess, WhatDoesNotFit) {
  Image image = rows({0, 1, 2});
  EXPECT_EQ(refused(image, "crop=3", {1, 3, 3, 3}), "the picture has 3 x 2 pixels, fewer than the 3 x 3 to be cut out");
  EXPECT_EQ(refused(image, "crop=2", {1, 3, 4, 4}), "input 'x' takes 4 x 4 pixels, --preprocess gives 2 x 2");
  EXPECT_THAT(refused(image, "crop=2", {1, 4, 4}), HasSubstr("takes no picture"));
  EXPECT_THAT(refused(image, "crop=2", {2, 3, 4, 4}), HasSubstr("takes no picture"));
  EXPECT_THAT(refused({200, 2, std::vector<uint8_t>(1200)}, "resize=4", {1, 3, 4, 4}), HasSubstr("64 times as long"));
}

TEST(Preprocess, Text) {
  Preprocess preprocess;
  for (const char *text : {"resize=0", "resize=x", "crop=100000", "scale=1/0", "mean=1:2", "std=0", "std=1:0:1", "order=gbr", "scale="})
    EXPECT_EQ(parsePreprocess(text, preprocess), std::string("'") + text + "' makes no sense");
  EXPECT_EQ(parsePreprocess("blur=3", preprocess), "'blur' is none of resize, crop, scale, mean, std, order");
}

TEST(Image, ReadsJpeg) {
  Image image;
  Error error = readImage(OPTC_TEST_DATA "/pictures/ramp.jpg", image);
  ASSERT_EQ(error.message, "");
  ASSERT_EQ(image.width, 20);
  ASSERT_EQ(image.height, 12);
  // red = 12 x, green = 20 y, blue = 8 (x + y)
  const uint8_t *middle = &image.pixels[(5 * 20 + 10) * 3];
  EXPECT_NEAR(middle[0], 120, 8);
  EXPECT_NEAR(middle[1], 100, 8);
  EXPECT_NEAR(middle[2], 120, 12);
}

} // namespace
