//===- Preprocess.h - From pictures to what a model reads -------*- C++ -*-===//
//
// --preprocess=resize=256,crop=224,mean=0.485:0.456:0.406,std=0.229:0.224:0.225
//
//   resize=N      the shorter side becomes N; without it the picture is stretched to the model's size, if that is known
//   crop=N        the N x N in the middle; without it what the model's size leaves, in the middle
//   scale=S       a byte becomes byte * S: 1/255 by default
//   mean=, std=   then (value - mean) / std, one number for all or one a channel, in the order of the model
//   order=bgr     the order of channels; rgb by default
//
// Resizing is bilinear over all pixels that a new one covers, as Pillow and torchvision do it.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_PREPROCESS_H
#define OPTC_TOOLS_COMPILER_PREPROCESS_H

#include "runtime/Plan.h"
#include "runtime/reference/Value.h"
#include "tools/compiler/Image.h"
#include <array>

namespace optc {

struct Preprocess {
  int64_t resize = 0, crop = 0; // 0: not given
  double scale = 1.0 / 255;
  std::array<double, 3> mean = {0, 0, 0}, deviation = {1, 1, 1};
  bool isBgr = false;
  std::string text; // as given
};

/// What is wrong, or an empty text.
std::string parsePreprocess(const std::string &text, Preprocess &preprocess);

/// The model's input of one picture: f32, [1, C, H, W] or [1, H, W, C], C 3 or 1 (grey). The error is without a place.
Error toInput(const Image &image, const Preprocess &preprocess, const Port &port, Value &value);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_PREPROCESS_H
