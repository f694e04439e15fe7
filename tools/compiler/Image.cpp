//===- Image.cpp - Pictures in files --------------------------------------===//

#include "tools/compiler/Image.h"
#include "tools/tensors/TensorFile.h"
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>
#include <png.h>

using namespace optc;

/// Larger pictures are refused: a header alone may claim any size.
static constexpr int64_t kMostPixels = int64_t(1) << 26;

static bool isTooLarge(int64_t width, int64_t height) { return width <= 0 || height <= 0 || width > kMostPixels / height; }
static const char *const kTooLarge = "has no pixels, or more than 2^26";

namespace {

/// libjpeg leaves a broken file by a jump.
struct JpegErrors : jpeg_error_mgr {
  jmp_buf out;
  char message[JMSG_LENGTH_MAX] = "";
};

} // namespace

static void failJpeg(j_common_ptr state) {
  auto *errors = static_cast<JpegErrors *>(state->err);
  errors->format_message(state, errors->message);
  longjmp(errors->out, 1);
}

/// What is wrong, or an empty text. Nothing with a destructor lives across the jump.
static std::string decodeJpeg(const std::string &bytes, Image &image) {
  jpeg_decompress_struct state = {};
  JpegErrors errors;
  state.err = jpeg_std_error(&errors);
  errors.error_exit = failJpeg;
  // A file cut short is only worth a warning to libjpeg, which fills it with grey.
  errors.emit_message = [](j_common_ptr state, int level) {
    if (level < 0)
      failJpeg(state);
  };
  if (setjmp(errors.out)) {
    jpeg_destroy_decompress(&state);
    return errors.message;
  }
  jpeg_create_decompress(&state);
  jpeg_mem_src(&state, reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size());
  jpeg_read_header(&state, TRUE);
  if (isTooLarge(state.image_width, state.image_height)) {
    jpeg_destroy_decompress(&state);
    return kTooLarge;
  }
  state.out_color_space = JCS_RGB;
  jpeg_start_decompress(&state);
  image.width = state.output_width;
  image.height = state.output_height;
  image.pixels.resize(image.width * image.height * 3);
  while (state.output_scanline < state.output_height) {
    JSAMPROW row = image.pixels.data() + size_t(state.output_scanline) * image.width * 3;
    jpeg_read_scanlines(&state, &row, 1);
  }
  jpeg_finish_decompress(&state);
  jpeg_destroy_decompress(&state);
  return "";
}

static std::string decodePng(const std::string &bytes, Image &image) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  auto fail = [&] {
    std::string message = png.message;
    png_image_free(&png);
    return message;
  };
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()))
    return fail();
  if (isTooLarge(png.width, png.height)) {
    png_image_free(&png);
    return kTooLarge;
  }
  png.format = PNG_FORMAT_RGB;
  image.width = png.width;
  image.height = png.height;
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  // What is transparent lies on black.
  png_color black = {0, 0, 0};
  if (!png_image_finish_read(&png, &black, image.pixels.data(), 0, nullptr))
    return fail();
  return "";
}

Error optc::readImage(const std::string &path, Image &image) {
  std::string bytes;
  if (Error error = readFile(path, bytes))
    return error;
  std::string problem = "is neither a JPEG nor a PNG";
  if (bytes.starts_with("\xFF\xD8\xFF"))
    problem = decodeJpeg(bytes, image);
  else if (bytes.starts_with("\x89PNG"))
    problem = decodePng(bytes, image);
  return problem.empty() ? Error::success() : Error::at(path, problem);
}

bool optc::isImageName(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return lower.ends_with(".jpg") || lower.ends_with(".jpeg") || lower.ends_with(".png");
}
