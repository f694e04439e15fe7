//===- ClassicalML.cpp - The ai.onnx.ml domain -----------------------------===//
//
// Ensembles, SVMs and encoders become `optc.library` calls with ONNX's attributes; scaling and
// selection are composed of dialect ops.
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"
#include <onnx/onnx_pb.h>

using namespace mlir;
using namespace optc;

namespace {

/// Rows of a feature matrix; a vector is one row.
DimExpr rows(Node &n) {
  n.expect(n.rank(n[0]) == 1 || n.rank(n[0]) == 2, "expected a matrix of features");
  return n.rank(n[0]) == 2 ? n.dims(n[0])[0] : DimExpr(1);
}

/// Labels [N] and scores [N, E] of a classifier, whose labels are strings if the attribute `strings` holds
/// any.
Results classifier(Node &n, StringRef function, StringRef strings, int64_t classes) {
  Type label = n.has(strings) && !n.texts(strings).empty() ? Type(StringType::get(n.context())) : n.i64();
  return n.library(function, {tensorType({rows(n)}, label), tensorType({rows(n), classes}, n.f32())}, n.all(),
                   n.parameters());
}
int64_t labels(Node &n, StringRef integers, StringRef strings) {
  return std::max(n.integers(integers).size(), n.texts(strings).size());
}

Results treeClassifier(Node &n) {
  int64_t classes = labels(n, "classlabels_int64s", "classlabels_strings");
  n.expect(classes > 0, "no class labels");
  return classifier(n, "tree_ensemble_classifier", "classlabels_strings", classes);
}
Results linearClassifier(Node &n) {
  int64_t classes =
      std::max<int64_t>(labels(n, "classlabels_ints", "classlabels_strings"), n.numbers("intercepts").size());
  n.expect(classes > 0, "no class labels");
  return classifier(n, "linear_classifier", "classlabels_strings", classes);
}
Results svmClassifier(Node &n) {
  int64_t classes = labels(n, "classlabels_ints", "classlabels_strings");
  n.expect(classes > 0, "no class labels");
  // Without probabilities there is a score a pair of classes.
  bool pairs = n.numbers("prob_a").empty() && classes > 2;
  return classifier(n, "svm_classifier", "classlabels_strings",
                    pairs ? classes * (classes - 1) / 2 : classes);
}

Results regressor(Node &n, StringRef function, int64_t targets, Type element) {
  n.expect(targets > 0, "no targets");
  return n.library(function, Type(tensorType({rows(n), targets}, element)), n.all(), n.parameters());
}
Results treeRegressor(Node &n) {
  return regressor(n, "tree_ensemble_regressor", n.integer("n_targets", 1), n.f32());
}
Results treeEnsemble(Node &n) {
  return regressor(n, "tree_ensemble", n.integer("n_targets", 1), elementOf(n[0]));
}
Results linearRegressor(Node &n) {
  return regressor(n, "linear_regressor", n.integer("targets", 1), n.f32());
}
Results svmRegressor(Node &n) { return regressor(n, "svm_regressor", 1, n.f32()); }

/// The element type that an encoder's values have: the attribute `prefix` + s, ints, floats or tensor.
Type valueType(Node &n, StringRef prefix) {
  if (const auto *tensor = n.attribute((prefix + "_tensor").str()))
    return n.element(tensor->t().data_type());
  if (n.has((prefix + "_strings").str()))
    return StringType::get(n.context());
  return n.has((prefix + "_floats").str()) ? n.f32() : n.i64();
}
Results labelEncoder(Node &n) {
  Type element = valueType(n, "values");
  if (n.opset < 2) // strings to numbers, or back
    element = isa<StringType>(elementOf(n[0])) ? n.i64() : Type(StringType::get(n.context()));
  return n.library("label_encoder", Type(tensorType(n.dims(n[0]), element)), n.all(), n.parameters());
}
Results categoryMapper(Node &n) {
  Type element = isa<StringType>(elementOf(n[0])) ? n.i64() : Type(StringType::get(n.context()));
  return n.library("category_mapper", Type(tensorType(n.dims(n[0]), element)), n.all(), n.parameters());
}
Results oneHotEncoder(Node &n) {
  Dims dims = n.dims(n[0]);
  dims.push_back(labels(n, "cats_int64s", "cats_strings"));
  return n.library("one_hot_encoder", Type(tensorType(dims, n.f32())), n.all(), n.parameters());
}
Results normalizer(Node &n) {
  return n.library("normalizer", Type(tensorType(n.dims(n[0]), n.f32())), n.all(), n.parameters());
}
Results imputer(Node &n) { return n.library("imputer", n[0].getType(), n.all(), n.parameters()); }

/// A list attribute along the last axis of x; one number serves all.
Value lastAxis(Node &n, StringRef name, Value x, double otherwise) {
  auto list = n.numbers(name);
  if (list.empty())
    return n.full(x, otherwise);
  if (list.size() == 1)
    return n.full(x, list[0]);
  return n.alongAxis(n.tensorAttribute(*n.attribute(name)), x, n.rank(x) - 1);
}
Results scaler(Node &n) {
  Value x = n.cast(n[0], n.f32());
  n.expect(n.rank(x) > 0, "expected features");
  return {n.make<MulOp>(n.make<SubOp>(x, lastAxis(n, "offset", x, 0)), lastAxis(n, "scale", x, 1))};
}
Results binarizer(Node &n) {
  Value x = n[0], above = n.make<CompareOp>(x, n.full(x, n.number("threshold", 0)), "gt");
  return {n.cast(above, elementOf(x))};
}
Results arrayFeatureExtractor(Node &n) {
  Value x = n[0], at = n.reshape(n[1], {numElements(n.dims(n[1]))});
  n.expect(n.rank(x) > 0, "expected features");
  Value y = n.make<GatherOp>(x, at, n.rank(x) - 1);
  return {n.rank(x) == 1 ? n.unsqueeze(y, {0}) : y};
}
Results featureVectorizer(Node &n) {
  SmallVector<Value> parts;
  for (Value x : n.all()) {
    n.expect(x && (n.rank(x) == 1 || n.rank(x) == 2), "expected matrices");
    x = n.cast(x, n.f32());
    parts.push_back(n.rank(x) == 1 ? n.unsqueeze(x, {0}) : x);
  }
  n.expect(!parts.empty(), "expected at least one input");
  return {n.concat(parts, 1)};
}

} // namespace

void optc::registerClassicalML(Registry &r) {
  r.domain = "ai.onnx.ml";
  r.add("ArrayFeatureExtractor", 1, arrayFeatureExtractor);
  r.add("Binarizer", 1, binarizer);
  r.add("CategoryMapper", 1, categoryMapper);
  r.add("FeatureVectorizer", 1, featureVectorizer);
  r.add("Imputer", 1, imputer);
  r.add("LabelEncoder", 1, labelEncoder);
  r.add("LinearClassifier", 1, linearClassifier);
  r.add("LinearRegressor", 1, linearRegressor);
  r.add("Normalizer", 1, normalizer);
  r.add("OneHotEncoder", 1, oneHotEncoder);
  r.add("SVMClassifier", 1, svmClassifier);
  r.add("SVMRegressor", 1, svmRegressor);
  r.add("Scaler", 1, scaler);
  r.add("TreeEnsemble", 5, treeEnsemble);
  r.add("TreeEnsembleClassifier", 1, treeClassifier);
  r.add("TreeEnsembleRegressor", 1, treeRegressor);
}
