#include "Run.h"
using namespace optc;
using namespace optc::test;

/// One tree: x0 <= 1 ? (leaf 1) : (x1 < 5 ? leaf 3 : leaf 4), and a second that is one leaf.
static AttributeList stumps(const std::string &leaf, Ints targets, Reals weights) {
  return {{"nodes_treeids", Ints{0, 0, 0, 0, 0, 1}},
          {"nodes_nodeids", Ints{0, 1, 2, 3, 4, 0}},
          {"nodes_featureids", Ints{0, 0, 1, 0, 0, 0}},
          {"nodes_values", Reals{1, 0, 5, 0, 0, 0}},
          {"nodes_modes", Texts{"BRANCH_LEQ", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "LEAF"}},
          {"nodes_truenodeids", Ints{1, 0, 3, 0, 0, 0}},
          {"nodes_falsenodeids", Ints{2, 0, 4, 0, 0, 0}},
          {"nodes_missing_value_tracks_true", Ints{0, 0, 1, 0, 0, 0}},
          {leaf + "_treeids", Ints{0, 0, 0, 1}},
          {leaf + "_nodeids", Ints{1, 3, 4, 0}},
          {leaf + "_ids", targets},
          {leaf + "_weights", weights}};
}
static Value rows() { return f32({4, 2}, {1, 9, 2, 4, 2, 5, NAN, NAN}); }

TEST(Trees, Regressor) {
  AttributeList list = stumps("target", {0, 0, 0, 0}, {10, 20, 30, 0.5});
  expectValues(run("tree_ensemble_regressor", {rows()}, list), {10.5, 20.5, 30.5, 20.5});
  list.push_back({"aggregate_function", "AVERAGE"});
  list.push_back({"base_values", Reals{100}});
  expectValues(run("tree_ensemble_regressor", {rows()}, list), {105.25, 110.25, 115.25, 110.25});
  EXPECT_EQ(errorOf("tree_ensemble_regressor", {f32({1, 1}, {3})}, list),
            "feature 1 is out of range for 1 features");
  list[7].second = Ints{};
  list[5].second = Ints{1, 0, 2, 0, 0, 0}; // a node that is its own child
  EXPECT_EQ(errorOf("tree_ensemble_regressor", {f32({1, 2}, {3, 3})}, list), "a tree has a cycle");
}

TEST(Trees, Classifier) {
  AttributeList list = stumps("class", {0, 1, 2, 0}, {1, 2, 3, 0.5});
  list.push_back({"classlabels_strings", Texts{"a", "b", "c"}});
  Outcome out = call("tree_ensemble_classifier", {rows()}, list, {{DType::string}, Declared{DType::f32}});
  EXPECT_EQ(texts(out.results[0]), (Texts{"a", "b", "c", "b"}));
  expectValues(out.results[1], {1.5, 0, 0, 0.5, 2, 0, 0.5, 0, 3, 0.5, 2, 0});
  list = stumps("class", {1, 1, 1, 1}, {0.1, 0.2, 0.7, 0.1}); // one score: the other is its complement
  list.push_back({"classlabels_int64s", Ints{5, 6}});
  out = call("tree_ensemble_classifier", {rows()}, list, {{DType::i64}, Declared{DType::f32}});
  expectValues(out.results[0], {5, 5, 6, 5});
  expectValues(out.results[1], {0.8, 0.2, 0.7, 0.3, 0.2, 0.8, 0.7, 0.3});
}

TEST(Classical, LinearModels) {
  AttributeList list{
      {"coefficients", Reals{1, 2, -1, 0.5}}, {"intercepts", Reals{0.5, 0}}, {"targets", int64_t(2)}};
  expectValues(run("linear_regressor", {f32({1, 2}, {3, 4})}, list), {11.5, -1});
  list.push_back({"classlabels_ints", Ints{7, 8}});
  list.push_back({"post_transform", "SOFTMAX"});
  Outcome out = call("linear_classifier", {f32({1, 2}, {3, 4})}, list, {{DType::i64}, Declared{DType::f32}});
  expectValues(out.results[0], {7});
  expectValues(out.results[1], {0.99999627336, 3.7266393e-06});
  EXPECT_EQ(errorOf("linear_regressor", {f32({1, 3}, {1, 1, 1})}, list),
            "4 coefficients do not fit 2 targets and 3 features");
}

TEST(Classical, FeatureTransforms) {
  Value x = f32({2, 2}, {3, -4, 0, 0});
  expectValues(run("normalizer", {x}, {{"norm", "L2"}}), {0.6, -0.8, 0, 0});
  expectValues(run("normalizer", {x}, {{"norm", "L1"}}), {3.0 / 7, -4.0 / 7, 0, 0});
  expectValues(run("scaler", {x}, {{"offset", Reals{1, 0}}, {"scale", Reals{2}}}), {4, -8, -2, 0});
  expectValues(run("binarizer", {x}, {{"threshold", 0.0}}), {1, 0, 0, 0});
  expectValues(run("array_feature_extractor", {x, i64({1}, {1})}), {-4, 0});
  EXPECT_EQ(errorOf("array_feature_extractor", {x, i64({1}, {2})}),
            "index 2 is out of range for dim 1 of size 2");
}
