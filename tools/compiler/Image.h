//===- Image.h - Pictures in files ------------------------------*- C++ -*-===//
//
// JPEG and PNG, by what the file holds. Files are not trusted.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_IMAGE_H
#define OPTC_TOOLS_COMPILER_IMAGE_H

#include "tools/tensors/Error.h"
#include <cstdint>
#include <string_view>
#include <vector>

namespace optc {

/// Red, green, blue; row by row from the top.
struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;
};

Error readImage(const std::string &path, Image &image);
/// By the ending.
bool isImageName(std::string_view name);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_IMAGE_H
