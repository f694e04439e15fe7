//===- Regions.cpp - roi_align, max_roi_pool, nms -------------------------===//
//
// Ops of object detection on boxes: pooling of regions, and choosing among overlapping ones.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <cmath>
#include <numeric>

using namespace optc;

/// The four neighbours of a point in a plane, with their weights.
namespace {
struct Bilinear {
  int64_t offset[4] = {0, 0, 0, 0};
  double weight[4] = {0, 0, 0, 0};

  Bilinear(double y, double x, int64_t height, int64_t width) {
    if (!(y >= -1 && y <= double(height) && x >= -1 && x <= double(width)))
      return; // outside: contributes 0
    y = std::max(y, 0.0);
    x = std::max(x, 0.0);
    int64_t top = std::min(int64_t(y), height - 1), left = std::min(int64_t(x), width - 1);
    int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
    double down = top == height - 1 ? 0 : y - double(top), across = left == width - 1 ? 0 : x - double(left);
    offset[0] = top * width + left;
    offset[1] = top * width + right;
    offset[2] = bottom * width + left;
    offset[3] = bottom * width + right;
    weight[0] = (1 - down) * (1 - across);
    weight[1] = (1 - down) * across;
    weight[2] = down * (1 - across);
    weight[3] = down * across;
  }
};
} // namespace

static Status checkRegions(Call &call, int64_t columns, int64_t &height, int64_t &width) {
  const Value &x = call.in(0), &rois = call.in(1);
  OPTC_TRY(expectRank(x, 4, "x"));
  OPTC_TRY(expectRank(rois, 2, "rois"));
  if (rois.dims[1] != columns)
    return Status::error("rois has shape " + shapeText(rois.dims) + ", expected " + std::to_string(columns) +
                         " columns");
  height = call.attributes.integer("height");
  width = call.attributes.integer("width");
  if (height < 1 || width < 1)
    return Status::error("the output size must be positive");
  if (classOf(x.type) != Class::f64)
    return unsupported("pooling of regions", x.type);
  return call.allocate(0, {rois.dims[0], x.dims[1], height, width});
}

/// Coordinates past this give sample counts that no image has.
static constexpr double kFarthest = 1e7;

static Status roiAlign(Call &call) {
  OPTC_TRY(expectTensors(call, 3));
  int64_t height, width;
  OPTC_TRY(checkRegions(call, 4, height, width));
  const Value &x = call.in(0), &rois = call.in(1);
  OPTC_TRY(expectShape(call.in(2), {rois.dims[0]}, "batch"));
  double scale = call.attributes.number("spatial_scale", 1);
  double shift = call.attributes.integer("half_pixel") ? 0.5 : 0;
  bool mean = call.attributes.text("kind") != "max";
  int64_t ratio = call.attributes.integer("sampling_ratio");
  std::vector<double> boxes = loadAll<double>(rois), result(size_t(height * width));
  std::vector<int64_t> images = loadAll<int64_t>(call.in(2));
  int64_t channels = x.dims[1], h = x.dims[2], w = x.dims[3];
  if (x.size() == 0)
    return clear(call.outputs[0]), Status::success();
  std::vector<double> plane(size_t(h * w));
  std::vector<Bilinear> points;
  for (int64_t r = 0; r < rois.dims[0]; ++r) {
    int64_t image = images[size_t(r)];
    if (image < 0 || image >= x.dims[0])
      return indexError(image, 0, x.dims[0]);
    double box[4];
    for (int i = 0; i < 4; ++i) {
      box[i] = boxes[size_t(r * 4 + i)] * scale - shift;
      if (!(std::fabs(box[i]) < kFarthest))
        return Status::error("region " + std::to_string(r) + " is out of range");
    }
    double regionWidth = box[2] - box[0], regionHeight = box[3] - box[1];
    if (shift == 0) { // malformed regions become one pixel
      regionWidth = std::max(regionWidth, 1.0);
      regionHeight = std::max(regionHeight, 1.0);
    }
    double binHeight = regionHeight / double(height), binWidth = regionWidth / double(width);
    int64_t rows = ratio > 0 ? ratio : int64_t(std::ceil(binHeight));
    int64_t columns = ratio > 0 ? ratio : int64_t(std::ceil(binWidth));
    rows = std::max<int64_t>(rows, 0);
    columns = std::max<int64_t>(columns, 0);
    int64_t bins = height * width;
    if (rows > 1 << 15 || columns > 1 << 15 || bins > 1 << 24 || rows * columns * bins > 1 << 26)
      return Status::error("region " + std::to_string(r) + " takes too many samples");
    points.clear();
    for (int64_t by = 0; by < height; ++by)
      for (int64_t bx = 0; bx < width; ++bx)
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j)
            points.emplace_back(
                box[1] + double(by) * binHeight + (double(i) + 0.5) * binHeight / double(rows),
                box[0] + double(bx) * binWidth + (double(j) + 0.5) * binWidth / double(columns), h, w);
    size_t count = size_t(rows * columns);
    for (int64_t c = 0; c < channels; ++c) {
      load(x, (image * channels + c) * h * w, h * w, plane.data());
      for (size_t bin = 0; bin < result.size(); ++bin) {
        double value = 0;
        for (size_t i = 0; i < count; ++i) {
          const Bilinear &point = points[bin * count + i];
          double terms[4];
          for (int k = 0; k < 4; ++k)
            terms[k] = point.weight[k] * plane[size_t(point.offset[k])];
          // ONNX's max is that of the weighted neighbours, not of the interpolated samples.
          if (mean)
            value += terms[0] + terms[1] + terms[2] + terms[3];
          else if (double m = std::max({terms[0], terms[1], terms[2], terms[3]}); i == 0 || m > value)
            value = m;
        }
        result[bin] = mean ? value / double(std::max<size_t>(count, 1)) : value;
      }
      store(call.outputs[0], (r * channels + c) * height * width, height * width, result.data());
    }
  }
  return Status::success();
}

static Status maxRoiPool(Call &call) {
  OPTC_TRY(expectTensors(call, 2));
  int64_t height, width;
  OPTC_TRY(checkRegions(call, 5, height, width));
  const Value &x = call.in(0), &rois = call.in(1);
  double scale = call.attributes.number("spatial_scale", 1);
  std::vector<double> boxes = loadAll<double>(rois);
  int64_t channels = x.dims[1], h = x.dims[2], w = x.dims[3];
  std::vector<double> plane(size_t(h * w)), result(size_t(height * width));
  for (int64_t r = 0; r < rois.dims[0]; ++r) {
    const double *box = boxes.data() + r * 5;
    for (int i = 0; i < 5; ++i)
      if (!(std::fabs(box[i] * (i ? scale : 1)) < kFarthest))
        return Status::error("region " + std::to_string(r) + " is out of range");
    int64_t image = int64_t(box[0]);
    if (image < 0 || image >= x.dims[0])
      return indexError(image, 0, x.dims[0]);
    int64_t left = int64_t(std::round(box[1] * scale)), top = int64_t(std::round(box[2] * scale));
    int64_t right = int64_t(std::round(box[3] * scale)), bottom = int64_t(std::round(box[4] * scale));
    double binHeight = double(std::max<int64_t>(bottom - top + 1, 1)) / double(height);
    double binWidth = double(std::max<int64_t>(right - left + 1, 1)) / double(width);
    auto bound = [](double at, int64_t start, int64_t size) {
      return std::clamp<int64_t>(int64_t(at) + start, 0, size);
    };
    for (int64_t c = 0; c < channels; ++c) {
      load(x, (image * channels + c) * h * w, h * w, plane.data());
      for (int64_t by = 0; by < height; ++by)
        for (int64_t bx = 0; bx < width; ++bx) {
          int64_t y0 = bound(std::floor(double(by) * binHeight), top, h);
          int64_t y1 = bound(std::ceil(double(by + 1) * binHeight), top, h);
          int64_t x0 = bound(std::floor(double(bx) * binWidth), left, w);
          int64_t x1 = bound(std::ceil(double(bx + 1) * binWidth), left, w);
          bool empty = y0 >= y1 || x0 >= x1;
          double best = empty ? 0 : plane[size_t(y0 * w + x0)];
          for (int64_t i = y0; i < y1; ++i)
            for (int64_t j = x0; j < x1; ++j)
              best = std::max(best, plane[size_t(i * w + j)]);
          result[size_t(by * width + bx)] = best;
        }
      store(call.outputs[0], (r * channels + c) * height * width, height * width, result.data());
    }
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// nms
//===----------------------------------------------------------------------===//

namespace {
struct Box {
  double y1, x1, y2, x2;
  double area() const { return (y2 - y1) * (x2 - x1); }
};
} // namespace

static Box boxAt(const double *b, bool center) {
  if (center)
    return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}
static double overlap(const Box &a, const Box &b) {
  double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1),
         width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (!(height > 0 && width > 0))
    return 0;
  double both = height * width, either = a.area() + b.area() - both;
  return a.area() > 0 && b.area() > 0 && either > 0 ? both / either : 0;
}

static Status nms(Call &call) {
  OPTC_TRY(expectTensors(call, 2));
  const Value &boxes = call.in(0), &scores = call.in(1);
  OPTC_TRY(expectRank(boxes, 3, "boxes"));
  OPTC_TRY(expectRank(scores, 3, "scores"));
  int64_t batches = boxes.dims[0], n = boxes.dims[1], classes = scores.dims[1];
  OPTC_TRY(expectShape(boxes, {batches, n, 4}, "boxes"));
  OPTC_TRY(expectShape(scores, {batches, classes, n}, "scores"));
  for (size_t i = 2; i < 5; ++i)
    if (call.has(i) && call.in(i).size() != 1)
      return Status::error("operand " + std::to_string(i) + " must be one element");
  double limit = call.has(2) ? scalar(call.in(2)) : 0;
  double iouThreshold = call.has(3) ? scalar(call.in(3)) : 0;
  double scoreThreshold = call.has(4) ? scalar(call.in(4)) : 0;
  int64_t most = limit >= double(n) ? n : limit > 0 ? int64_t(limit) : 0;
  bool center = call.attributes.integer("center_box");
  std::vector<double> corners = loadAll<double>(boxes), score(size_t(n), 0.0);
  std::vector<int64_t> selected, order;
  std::vector<Box> kept;
  for (int64_t batch = 0; most > 0 && batch < batches; ++batch)
    for (int64_t cls = 0; cls < classes; ++cls) {
      load(scores, (batch * classes + cls) * n, n, score.data());
      order.clear();
      for (int64_t i = 0; i < n; ++i)
        if (call.has(4) ? score[size_t(i)] > scoreThreshold : score[size_t(i)] == score[size_t(i)])
          order.push_back(i);
      std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        double left = score[size_t(a)], right = score[size_t(b)];
        return left != right ? left > right : a < b;
      });
      kept.clear();
      for (int64_t i : order) {
        if (int64_t(kept.size()) >= most)
          break;
        Box box = boxAt(corners.data() + (batch * n + i) * 4, center);
        if (std::any_of(kept.begin(), kept.end(),
                        [&](const Box &k) { return overlap(k, box) > iouThreshold; }))
          continue;
        kept.push_back(box);
        selected.insert(selected.end(), {batch, cls, i});
      }
    }
  OPTC_TRY(call.allocate(0, {int64_t(selected.size()) / 3, 3}));
  storeAll(call.outputs[0], selected);
  return Status::success();
}

void optc::registerRegions(ReferenceTable &table) {
  table["roi_align"] = roiAlign;
  table["max_roi_pool"] = maxRoiPool;
  table["nms"] = nms;
}
