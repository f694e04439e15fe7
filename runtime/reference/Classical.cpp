//===- Classical.cpp - Linear models and feature transforms of ai.onnx.ml -===//

#include "runtime/reference/Classical.h"
#include "runtime/reference/MatrixProduct.h"
#include <cmath>

using namespace optc;

//===----------------------------------------------------------------------===//
// Labels and scores
//===----------------------------------------------------------------------===//

Labels::Labels(const Attributes &attributes) : strings(attributes.texts("classlabels_strings")) {
  if (strings.empty())
    integers =
        attributes.integers(attributes.has("classlabels_int64s") ? "classlabels_int64s" : "classlabels_ints");
}
Status Labels::allocate(Call &call, int64_t rows) const {
  if ((call.outputs[0].type == DType::string) != !strings.empty())
    return Status::error(std::string("labels do not fit a result of ") + nameOf(call.outputs[0].type));
  return call.allocate(0, {rows});
}
void Labels::store(Value &y, int64_t row, size_t label) const {
  if (strings.empty())
    optc::store(y, row, 1, &integers[label]);
  else
    y.as<std::string>()[row] = strings[label];
}

const std::vector<double> &optc::numbersOf(const Attributes &attributes, const std::string &name) {
  return attributes.numbers(attributes.has(name) ? name : name + "_as_tensor");
}

Status optc::expectFeatures(const Call &call, int64_t &rows, int64_t &features) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  if (x.rank() < 1 || x.rank() > 2)
    return Status::error("features have shape " + shapeText(x.dims) + ", expected rank 1 or 2");
  if (classOf(x.type) == Class::object)
    return unsupported("this function", x.type);
  rows = x.rank() == 2 ? x.dims[0] : 1;
  features = x.dims.back();
  return Status::success();
}

double optc::logistic(double x) {
  double e = std::exp(-std::fabs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

/// The normal quantile, as ONNX defines it by an approximation (Winitzki's inverse of erf).
double optc::probit(double p) {
  double x = 2 * p - 1, log = std::log((1 - x) * (1 + x));
  double v = 2 / (M_PI * 0.147) + 0.5 * log;
  return M_SQRT2 * std::copysign(std::sqrt(std::sqrt(v * v - log / 0.147) - v), x);
}

void optc::postTransform(const std::string &name, std::vector<double> &scores) {
  if (name == "LOGISTIC") {
    for (double &s : scores)
      s = logistic(s);
  } else if (name == "PROBIT") {
    for (double &s : scores)
      s = probit(s);
  } else if ((name == "SOFTMAX" || name == "SOFTMAX_ZERO") && !scores.empty()) {
    bool keepZero = name == "SOFTMAX_ZERO";
    double largest = *std::max_element(scores.begin(), scores.end()), sum = 0;
    for (double &s : scores) {
      s = keepZero && s == 0 ? 0 : std::exp(s - largest);
      sum += s;
    }
    for (double &s : scores)
      s = sum ? s / sum : s;
  }
}

//===----------------------------------------------------------------------===//
// Linear models
//===----------------------------------------------------------------------===//

/// scores [rows, targets] = x coefficients^T + intercepts.
static Status linearScores(Call &call, int64_t targets, int64_t &rows, std::vector<double> &scores) {
  int64_t features;
  OPTC_TRY(expectFeatures(call, rows, features));
  const auto &coefficients = call.attributes.numbers("coefficients"),
             &intercepts = call.attributes.numbers("intercepts");
  if (int64_t(coefficients.size()) != targets * features ||
      (!intercepts.empty() && int64_t(intercepts.size()) != targets))
    return Status::error(std::to_string(coefficients.size()) + " coefficients do not fit " +
                         std::to_string(targets) + " targets and " + std::to_string(features) + " features");
  std::vector<double> x = loadAll<double>(call.in(0)), turned(coefficients.size());
  for (int64_t t = 0; t < targets; ++t)
    for (int64_t f = 0; f < features; ++f)
      turned[size_t(f * targets + t)] = coefficients[size_t(t * features + f)];
  scores.assign(size_t(rows * targets), 0);
  for (size_t i = 0; i < scores.size() && !intercepts.empty(); ++i)
    scores[i] = intercepts[i % size_t(targets)];
  multiplyAdd(x.data(), turned.data(), scores.data(), rows, features, targets);
  return Status::success();
}

static Status linearRegressor(Call &call) {
  int64_t targets = call.attributes.integer("targets", 1), rows;
  if (targets < 1 || targets > 1 << 20)
    return Status::error("targets is out of range");
  std::vector<double> scores;
  OPTC_TRY(linearScores(call, targets, rows, scores));
  OPTC_TRY(call.allocate(0, {rows, targets}));
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<double> row(scores.begin() + r * targets, scores.begin() + (r + 1) * targets);
    postTransform(call.attributes.text("post_transform"), row);
    store(call.outputs[0], r * targets, targets, row.data());
  }
  return Status::success();
}

static Status linearClassifier(Call &call) {
  Labels labels(call.attributes);
  int64_t classes = labels.size(), rows, features;
  OPTC_TRY(expectFeatures(call, rows, features));
  if (classes < 1 || call.outputs.size() < 2)
    return Status::error("expected class labels and 2 results");
  // Two classes may have one row of coefficients: the other score is its negation.
  bool binary = classes == 2 && int64_t(call.attributes.numbers("coefficients").size()) == features;
  int64_t targets = binary ? 1 : classes;
  std::vector<double> scores;
  OPTC_TRY(linearScores(call, targets, rows, scores));
  OPTC_TRY(labels.allocate(call, rows));
  OPTC_TRY(call.allocate(1, {rows, classes}));
  const std::string &post = call.attributes.text("post_transform");
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<double> row(scores.begin() + r * targets, scores.begin() + (r + 1) * targets);
    if (binary)
      row = {-row[0], row[0]};
    labels.store(call.outputs[0], r, size_t(std::max_element(row.begin(), row.end()) - row.begin()));
    postTransform(post, row);
    store(call.outputs[1], r * classes, classes, row.data());
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Feature transforms
//===----------------------------------------------------------------------===//

static Status binarizer(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  if (classOf(call.in(0).type) == Class::object)
    return unsupported("binarizer", call.in(0).type);
  OPTC_TRY(call.allocate(0, call.in(0).dims));
  double threshold = call.attributes.number("threshold");
  mapBlocks<double>(call.in(0), call.outputs[0], [=](double x) { return x > threshold ? 1.0 : 0.0; });
  return Status::success();
}

static Status scaler(Call &call) {
  int64_t rows, features;
  OPTC_TRY(expectFeatures(call, rows, features));
  const auto &offset = call.attributes.numbers("offset"), &scale = call.attributes.numbers("scale");
  for (const auto *list : {&offset, &scale})
    if (list->size() != 1 && int64_t(list->size()) != features)
      return Status::error("offset and scale must have one entry, or one a feature");
  OPTC_TRY(call.allocate(0, call.in(0).dims));
  std::vector<double> x = loadAll<double>(call.in(0));
  for (size_t i = 0; i < x.size(); ++i) {
    size_t f = i % size_t(features);
    x[i] = (x[i] - offset[offset.size() == 1 ? 0 : f]) * scale[scale.size() == 1 ? 0 : f];
  }
  storeAll(call.outputs[0], x);
  return Status::success();
}

static Status normalizer(Call &call) {
  int64_t rows, features;
  OPTC_TRY(expectFeatures(call, rows, features));
  const std::string &norm = call.attributes.text("norm");
  OPTC_TRY(call.allocate(0, call.in(0).dims));
  std::vector<double> x = loadAll<double>(call.in(0));
  for (int64_t r = 0; r < rows; ++r) {
    double size = 0;
    for (int64_t f = 0; f < features; ++f) {
      double v = x[size_t(r * features + f)];
      size = norm == "L1" ? size + std::fabs(v) : norm == "L2" ? size + v * v : std::fmax(size, v);
    }
    size = norm == "L2" ? std::sqrt(size) : size;
    for (int64_t f = 0; f < features && size != 0; ++f)
      x[size_t(r * features + f)] /= size;
  }
  storeAll(call.outputs[0], x);
  return Status::success();
}

/// Columns of the last dim, by indices.
static Status arrayFeatureExtractor(Call &call) {
  OPTC_TRY(expectTensors(call, 2));
  const Value &x = call.in(0);
  if (x.rank() < 1 || x.type != call.outputs[0].type)
    return Status::error("expected features of rank 1 or more, of the result's type");
  std::vector<int64_t> indices = loadAll<int64_t>(call.in(1)), dims = x.dims;
  int64_t features = dims.back(), chosen = int64_t(indices.size());
  for (int64_t index : indices)
    if (index < 0 || index >= features)
      return indexError(index, x.rank() - 1, features);
  dims.back() = chosen;
  if (x.rank() == 1)
    dims = {1, chosen};
  OPTC_TRY(call.allocate(0, dims));
  for (int64_t i = 0, n = call.outputs[0].size(); i < n; ++i)
    copyElements(x.type, call.outputs[0].data, i, x.data, i / chosen * features + indices[size_t(i % chosen)],
                 1);
  return Status::success();
}

void optc::registerClassical(ReferenceTable &table) {
  table["linear_regressor"] = linearRegressor;
  table["linear_classifier"] = linearClassifier;
  table["binarizer"] = binarizer;
  table["scaler"] = scaler;
  table["normalizer"] = normalizer;
  table["array_feature_extractor"] = arrayFeatureExtractor;
}
