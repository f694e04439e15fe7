//===- regions.cuh - Regions of images become grids -------------*- CUDA -*-===//
//
// x [images, channels, height, width], y [regions, channels, outHeight, outWidth]: each region is cut into bins, each of which gives an element of y.
// Places are computed in double. A thread for each element of y, 256 threads a block.
//
//===----------------------------------------------------------------------===//

struct RegionShape {
  i64 images, channels, height, width, regions, outHeight, outWidth;
};

/// A thread's element of y.
struct RegionBin {
  i64 x, y, channel, region;
  __device__ RegionBin(const RegionShape &s, i64 element)
      : x(element % s.outWidth), y(element / s.outWidth % s.outHeight), channel(element / (s.outWidth * s.outHeight) % s.channels),
        region(element / (s.outWidth * s.outHeight * s.channels)) {}
};
/// Coordinates past this are an error.
constexpr double kFarthest = 1e7;

/// Means, or largest terms, of what is sampled between pixels: regions [.., 4] (x1, y1, x2, y2) of images `batch`. samples: along each dim of a bin; 0: by
/// the bin's size. `error` becomes 1 where there is no such image, or a region is too far away or takes too many samples.
template <typename T, typename R, typename I, bool kMean, bool kHalfPixel> struct RoiAlign {
  static __device__ void run(const RegionShape &s, const T *x, const R *regions, const I *batch, T *y, i64 samples, double scale, int *error) {
    const i64 thread = thread_in_grid();
    if (thread >= s.regions * s.channels * s.outHeight * s.outWidth)
      return;
    const RegionBin bin(s, thread);
    const i64 image = i64(batch[bin.region]);
    double box[4];
    bool isGood = image >= 0 && image < s.images;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      box[i] = sample_value(regions[bin.region * 4 + i]) * scale - (kHalfPixel ? 0.5 : 0.0);
      isGood = isGood && fabs(box[i]) < kFarthest;
    }
    if (!isGood) {
      *error = 1;
      return;
    }
    double width = box[2] - box[0], height = box[3] - box[1];
    if (!kHalfPixel) { // malformed regions become one pixel
      width = fmax(width, 1.0);
      height = fmax(height, 1.0);
    }
    const double binHeight = height / double(s.outHeight), binWidth = width / double(s.outWidth);
    const i64 rows = maximum(samples > 0 ? samples : i64(ceil(binHeight)), i64(0)), columns = maximum(samples > 0 ? samples : i64(ceil(binWidth)), i64(0));
    if (rows > 1 << 15 || columns > 1 << 15 || rows * columns * s.outHeight * s.outWidth > 1 << 26) {
      *error = 1;
      return;
    }
    const T *plane = x + (image * s.channels + bin.channel) * s.height * s.width;
    double value = 0;
    for (i64 i = 0; i < rows; ++i)
      for (i64 j = 0; j < columns; ++j) {
        double atY = box[1] + double(bin.y) * binHeight + (double(i) + 0.5) * binHeight / double(rows);
        double atX = box[0] + double(bin.x) * binWidth + (double(j) + 0.5) * binWidth / double(columns);
        double terms[4] = {0, 0, 0, 0};
        if (s.height > 0 && s.width > 0) {
          const bool isInside = atY >= -1 && atY <= double(s.height) && atX >= -1 && atX <= double(s.width);
          atY = isInside ? fmax(atY, 0.0) : 0.0;
          atX = isInside ? fmax(atX, 0.0) : 0.0;
          const i64 top = minimum(i64(atY), s.height - 1), left = minimum(i64(atX), s.width - 1);
          const i64 bottom = minimum(top + 1, s.height - 1), right = minimum(left + 1, s.width - 1);
          const double down = top == s.height - 1 ? 0 : atY - double(top), across = left == s.width - 1 ? 0 : atX - double(left);
          const double weight = isInside ? 1 : 0;
          // Outside, the weights are 0 and the first element is read.
          terms[0] = weight * (1 - down) * (1 - across) * sample_value(plane[isInside ? top * s.width + left : 0]);
          terms[1] = weight * (1 - down) * across * sample_value(plane[isInside ? top * s.width + right : 0]);
          terms[2] = weight * down * (1 - across) * sample_value(plane[isInside ? bottom * s.width + left : 0]);
          terms[3] = weight * down * across * sample_value(plane[isInside ? bottom * s.width + right : 0]);
        }
        if (kMean) {
          value += terms[0] + terms[1] + terms[2] + terms[3];
        } else {
          // ONNX's max is that of the weighted neighbours, not of the interpolated samples.
          double most = terms[0];
#pragma unroll
          for (int k = 1; k < 4; ++k)
            most = most < terms[k] ? terms[k] : most;
          if ((i == 0 && j == 0) || most > value)
            value = most;
        }
      }
    y[thread] = sampled<T>(kMean ? value / double(maximum(rows * columns, i64(1))) : value);
  }
};

/// Largest elements of regions [.., 5] (image, x1, y1, x2, y2), whose corners are rounded to pixels; bins overlap where they do not divide a region. 0
/// where a bin is beside the image. What is no number stays where it comes first and is passed over elsewhere. `error` as of RoiAlign.
template <typename T, typename R> struct MaxRoiPool {
  static __device__ void run(const RegionShape &s, const T *x, const R *regions, T *y, double scale, int *error) {
    typedef typename SortKey<T>::type Key;
    const i64 thread = thread_in_grid();
    if (thread >= s.regions * s.channels * s.outHeight * s.outWidth)
      return;
    const RegionBin bin(s, thread);
    const R *region = regions + bin.region * 5;
    const double number = sample_value(region[0]);
    bool isGood = number > -1 && number < double(s.images);
    i64 corners[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const double at = sample_value(region[1 + i]) * scale;
      isGood = isGood && fabs(at) < kFarthest;
      corners[i] = isGood ? i64(round(at)) : 0;
    }
    if (!isGood) {
      *error = 1;
      return;
    }
    const double binWidth = double(maximum(corners[2] - corners[0] + 1, i64(1))) / double(s.outWidth);
    const double binHeight = double(maximum(corners[3] - corners[1] + 1, i64(1))) / double(s.outHeight);
    auto bound = [](double at, i64 start, i64 size) { return minimum(maximum(i64(at) + start, i64(0)), size); };
    const i64 left = bound(floor(double(bin.x) * binWidth), corners[0], s.width), right = bound(ceil(double(bin.x + 1) * binWidth), corners[0], s.width);
    const i64 top = bound(floor(double(bin.y) * binHeight), corners[1], s.height), bottom = bound(ceil(double(bin.y + 1) * binHeight), corners[1], s.height);
    const T *plane = x + (i64(number) * s.channels + bin.channel) * s.height * s.width;
    Key largest = top < bottom && left < right ? Key(plane[top * s.width + left]) : Key(0);
    for (i64 i = top; i < bottom; ++i)
      for (i64 j = left; j < right; ++j) {
        const Key v = plane[i * s.width + j];
        largest = largest < v ? v : largest;
      }
    y[thread] = T(largest);
  }
};
