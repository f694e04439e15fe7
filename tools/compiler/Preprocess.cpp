//===- Preprocess.cpp - From pictures to what a model reads ---------------===//

#include "tools/compiler/Preprocess.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <algorithm>
#include <cmath>

using namespace optc;
using llvm::StringRef;

static constexpr int64_t kMostSide = 1 << 12, kMostRatio = 64;

static std::optional<double> parseNumber(StringRef text) {
  auto [above, below] = text.split('/');
  double value, divisor = 1;
  if (above.getAsDouble(value) || (!below.empty() && (below.getAsDouble(divisor) || divisor == 0)) || !std::isfinite(value / divisor))
    return std::nullopt;
  return value / divisor;
}

static bool parseChannels(StringRef text, std::array<double, 3> &channels) {
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ':');
  if (parts.size() != 1 && parts.size() != 3)
    return false;
  for (size_t c = 0; c < 3; ++c) {
    auto number = parseNumber(parts[parts.size() == 1 ? 0 : c]);
    if (!number)
      return false;
    channels[c] = *number;
  }
  return true;
}

std::string optc::parsePreprocess(const std::string &text, Preprocess &p) {
  p = {};
  p.text = text;
  llvm::SmallVector<StringRef> entries;
  StringRef(text).split(entries, ',');
  for (StringRef entry : entries) {
    auto [key, value] = entry.split('=');
    bool isSide = key == "resize" || key == "crop", isGood = false;
    if (isSide) {
      int64_t side;
      isGood = !value.getAsInteger(10, side) && side > 0 && side <= kMostSide;
      (key == "resize" ? p.resize : p.crop) = isGood ? side : 0;
    } else if (key == "scale") {
      auto number = parseNumber(value);
      isGood = number.has_value();
      p.scale = number.value_or(0);
    } else if (key == "mean") {
      isGood = parseChannels(value, p.mean);
    } else if (key == "std") {
      isGood = parseChannels(value, p.deviation) && std::none_of(p.deviation.begin(), p.deviation.end(), [](double d) { return d == 0; });
    } else if (key == "order") {
      isGood = value == "rgb" || value == "bgr";
      p.isBgr = value == "bgr";
    } else {
      return "'" + key.str() + "' is none of resize, crop, scale, mean, std, order";
    }
    if (!isGood)
      return "'" + entry.str() + "' makes no sense";
  }
  return "";
}

namespace {

/// Of floats, three a pixel.
struct Picture {
  int64_t width, height;
  std::vector<float> pixels;
};

/// Along one axis: `size` elements with `stride` between them become `wanted`; `count` such lines, `step` apart.
void resizeAxis(const float *from, float *to, int64_t size, int64_t wanted, int64_t count, int64_t fromStep, int64_t toStep,
                int64_t stride) {
  double ratio = double(size) / double(wanted), support = std::max(ratio, 1.0);
  for (int64_t i = 0; i < wanted; ++i) {
    double centre = (double(i) + 0.5) * ratio;
    int64_t first = std::max<int64_t>(int64_t(centre - support + 0.5), 0), last = std::min<int64_t>(int64_t(centre + support + 0.5), size);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t k = first; k < last; ++k) {
      weights.push_back(std::max(0.0, 1 - std::abs((double(k) + 0.5 - centre) / support)));
      sum += weights.back();
    }
    for (int64_t line = 0; line < count; ++line) {
      double value = 0;
      for (int64_t k = first; k < last; ++k)
        value += weights[k - first] * from[line * fromStep + k * stride];
      to[line * toStep + i * stride] = float(value / sum);
    }
  }
}

Picture resized(const Picture &p, int64_t width, int64_t height) {
  if (p.width == width && p.height == height)
    return p;
  Picture wide{width, p.height, std::vector<float>(width * p.height * 3)};
  for (int64_t c = 0; c < 3; ++c)
    resizeAxis(p.pixels.data() + c, wide.pixels.data() + c, p.width, width, p.height, p.width * 3, width * 3, 3);
  Picture result{width, height, std::vector<float>(width * height * 3)};
  resizeAxis(wide.pixels.data(), result.pixels.data(), p.height, height, width * 3, 1, 1, width * 3);
  return result;
}

} // namespace

Error optc::toInput(const Image &image, const Preprocess &p, const Port &port, Value &value) {
  auto isChannels = [](int64_t n) { return n == 3 || n == 1; };
  const std::vector<int64_t> &dims = port.dims;
  bool isRank = dims.size() == 4 && port.type == DType::f32 && (dims[0] == 1 || dims[0] < 0);
  // 1 x 1 x H x 3 is a row of colour.
  bool isFirst = isRank && (dims[1] == 3 || (dims[1] == 1 && dims[3] != 3));
  if (!isRank || (!isFirst && !isChannels(dims[3])))
    return Error::at("", "input '" + port.name +
                             "' takes no picture: that is f32, 1 x C x H x W or 1 x H x W x C with 3 or 1 channels");
  int64_t channels = dims[isFirst ? 1 : 3], height = dims[isFirst ? 2 : 1], width = dims[isFirst ? 3 : 2];
  Picture picture{image.width, image.height, {image.pixels.begin(), image.pixels.end()}};
  if (p.resize > 0) {
    int64_t shorter = std::min(image.width, image.height), longer = std::max(image.width, image.height);
    if (longer / shorter > kMostRatio)
      return Error::at("", "the picture is more than " + std::to_string(kMostRatio) + " times as long as wide");
    picture = resized(picture, p.resize * image.width / shorter, p.resize * image.height / shorter);
  } else if (p.crop == 0 && width > 0 && height > 0) {
    picture = resized(picture, width, height);
  }
  int64_t wide = p.crop > 0 ? p.crop : width > 0 ? width : picture.width, high = p.crop > 0 ? p.crop : height > 0 ? height : picture.height;
  auto size = [](int64_t w, int64_t h) { return std::to_string(w) + " x " + std::to_string(h); };
  if (wide > picture.width || high > picture.height)
    return Error::at("", "the picture has " + size(picture.width, picture.height) + " pixels, fewer than the " + size(wide, high) +
                             " to be cut out");
  if ((width > 0 && wide != width) || (height > 0 && high != height))
    return Error::at("", "input '" + port.name + "' takes " + size(width, height) + " pixels, --preprocess gives " + size(wide, high));
  value = Value::allocate(DType::f32, isFirst ? std::vector<int64_t>{1, channels, high, wide} : std::vector<int64_t>{1, high, wide, channels});
  int64_t left = std::lrint(double(picture.width - wide) / 2), top = std::lrint(double(picture.height - high) / 2);
  for (int64_t y = 0; y < high; ++y)
    for (int64_t x = 0; x < wide; ++x) {
      const float *rgb = &picture.pixels[((top + y) * picture.width + left + x) * 3];
      for (int64_t c = 0; c < channels; ++c) {
        // ITU-R BT.601's luminance.
        double byte = channels == 1 ? 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] : rgb[p.isBgr ? 2 - c : c];
        int64_t at = isFirst ? (c * high + y) * wide + x : (y * wide + x) * channels + c;
        value.as<float>()[at] = float((byte * p.scale - p.mean[c]) / p.deviation[c]);
      }
    }
  return Error::success();
}
