//===- Trees.cpp - Tree ensembles -----------------------------------------===//
//
// ai.onnx.ml's TreeEnsemble, TreeEnsembleClassifier and TreeEnsembleRegressor by their attributes
// (https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html). Nodes are checked once, and a
// walk is bounded by the number of nodes, so that a cycle in a model ends as an error.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Classical.h"
#include <cmath>
#include <map>

using namespace optc;

namespace {
enum class Branch { leaf, leq, lt, gte, gt, eq, neq, member };

struct Node {
  Branch branch = Branch::leaf;
  int64_t feature = 0;
  double value = 0;
  bool missingTrue = false;
  size_t ifTrue = 0, ifFalse = 0;
  size_t firstWeight = 0, weights = 0; // of a leaf
  size_t set = 0;                      // of a test for membership
};
struct Weight {
  int64_t target;
  double value;
};
struct Ensemble {
  std::vector<Node> nodes;
  std::vector<size_t> roots;
  std::vector<Weight> weights;
  std::vector<std::vector<double>> sets;
  std::string aggregate, post;
  std::vector<double> base;
  int64_t targets = 0;
};
} // namespace

static bool parseBranch(const std::string &name, Branch &branch) {
  static const std::pair<const char *, Branch> names[] = {
      {"LEAF", Branch::leaf},      {"BRANCH_LEQ", Branch::leq}, {"BRANCH_LT", Branch::lt},
      {"BRANCH_GTE", Branch::gte}, {"BRANCH_GT", Branch::gt},   {"BRANCH_EQ", Branch::eq},
      {"BRANCH_NEQ", Branch::neq}};
  for (const auto &[text, value] : names)
    if (name == text) {
      branch = value;
      return true;
    }
  return false;
}

static Status readEnsemble(const Attributes &attributes, const std::string &leaf, int64_t targets,
                           Ensemble &ensemble) {
  const auto &trees = attributes.integers("nodes_treeids"), &ids = attributes.integers("nodes_nodeids");
  const auto &features = attributes.integers("nodes_featureids"),
             &missing = attributes.integers("nodes_missing_value_tracks_true");
  const auto &yes = attributes.integers("nodes_truenodeids"), &no = attributes.integers("nodes_falsenodeids");
  const auto &modes = attributes.texts("nodes_modes");
  const auto &values = numbersOf(attributes, "nodes_values");
  size_t n = modes.size();
  for (const auto *list : {&trees, &ids, &features, &yes, &no})
    if (list->size() != n)
      return Status::error("the nodes' attributes differ in length");
  if (values.size() != n || (!missing.empty() && missing.size() != n))
    return Status::error("the nodes' attributes differ in length");
  std::map<std::pair<int64_t, int64_t>, size_t> byId;
  for (size_t i = 0; i < n; ++i)
    if (!byId.emplace(std::pair(trees[i], ids[i]), i).second)
      return Status::error("tree " + std::to_string(trees[i]) + " has node " + std::to_string(ids[i]) +
                           " twice");
  ensemble.nodes.resize(n);
  std::vector<bool> isChild(n);
  for (size_t i = 0; i < n; ++i) {
    Node &node = ensemble.nodes[i];
    if (!parseBranch(modes[i], node.branch))
      return Status::error("unknown node mode '" + modes[i] + "'");
    node.feature = features[i];
    node.value = values[i];
    node.missingTrue = !missing.empty() && missing[i];
    if (node.branch == Branch::leaf)
      continue;
    auto ifTrue = byId.find({trees[i], yes[i]}), ifFalse = byId.find({trees[i], no[i]});
    if (ifTrue == byId.end() || ifFalse == byId.end())
      return Status::error("node " + std::to_string(ids[i]) + " of tree " + std::to_string(trees[i]) +
                           " has no such child");
    node.ifTrue = ifTrue->second;
    node.ifFalse = ifFalse->second;
    isChild[node.ifTrue] = isChild[node.ifFalse] = true;
  }
  for (size_t i = 0; i < n; ++i)
    if (!isChild[i])
      ensemble.roots.push_back(i);
  // Leaf weights, gathered by node.
  const auto &leafTrees = attributes.integers(leaf + "_treeids"),
             &leafNodes = attributes.integers(leaf + "_nodeids");
  const auto &leafTargets = attributes.integers(leaf + "_ids");
  const auto &leafWeights = numbersOf(attributes, leaf + "_weights");
  if (leafNodes.size() != leafTrees.size() || leafTargets.size() != leafTrees.size() ||
      leafWeights.size() != leafTrees.size())
    return Status::error("the leaves' attributes differ in length");
  std::vector<std::vector<Weight>> byNode(n);
  for (size_t i = 0; i < leafTrees.size(); ++i) {
    auto at = byId.find({leafTrees[i], leafNodes[i]});
    if (at == byId.end() || leafTargets[i] < 0 || leafTargets[i] >= targets)
      return Status::error("leaf " + std::to_string(i) + " names no node or target of the ensemble");
    byNode[at->second].push_back({leafTargets[i], leafWeights[i]});
  }
  for (size_t i = 0; i < n; ++i) {
    ensemble.nodes[i].firstWeight = ensemble.weights.size();
    ensemble.nodes[i].weights = byNode[i].size();
    ensemble.weights.insert(ensemble.weights.end(), byNode[i].begin(), byNode[i].end());
  }
  ensemble.targets = targets;
  ensemble.aggregate = attributes.text("aggregate_function");
  ensemble.post = attributes.text("post_transform");
  ensemble.base = numbersOf(attributes, "base_values");
  return Status::success();
}

static bool takes(const Ensemble &ensemble, const Node &node, double x) {
  if (x != x)
    return node.missingTrue;
  switch (node.branch) {
  case Branch::leq:
    return x <= node.value;
  case Branch::lt:
    return x < node.value;
  case Branch::gte:
    return x >= node.value;
  case Branch::gt:
    return x > node.value;
  case Branch::eq:
    return x == node.value;
  case Branch::member:
    return std::find(ensemble.sets[node.set].begin(), ensemble.sets[node.set].end(), x) != ensemble.sets[node.set].end();
  default:
    return x != node.value;
  }
}

/// Scores of one row, before the post transform. `voted` is set where a leaf spoke for the target.
static Status scoreRow(const Ensemble &ensemble, std::span<const double> row, std::vector<double> &scores,
                       std::vector<bool> &voted) {
  std::fill(scores.begin(), scores.end(), 0.0);
  std::fill(voted.begin(), voted.end(), false);
  bool least = ensemble.aggregate == "MIN", most = ensemble.aggregate == "MAX";
  for (size_t root : ensemble.roots) {
    size_t at = root, walked = 0;
    while (ensemble.nodes[at].branch != Branch::leaf) {
      const Node &node = ensemble.nodes[at];
      if (node.feature < 0 || node.feature >= int64_t(row.size()))
        return Status::error("feature " + std::to_string(node.feature) + " is out of range for " +
                             std::to_string(row.size()) + " features");
      if (++walked > ensemble.nodes.size())
        return Status::error("a tree has a cycle");
      at = takes(ensemble, node, row[size_t(node.feature)]) ? node.ifTrue : node.ifFalse;
    }
    for (size_t i = 0; i < ensemble.nodes[at].weights; ++i) {
      const Weight &weight = ensemble.weights[ensemble.nodes[at].firstWeight + i];
      size_t t = size_t(weight.target);
      double &score = scores[t];
      score = !voted[t] ? weight.value
              : least   ? std::fmin(score, weight.value)
              : most    ? std::fmax(score, weight.value)
                        : score + weight.value;
      voted[t] = true;
    }
  }
  for (size_t t = 0; t < scores.size(); ++t) {
    if (ensemble.aggregate == "AVERAGE" && !ensemble.roots.empty())
      scores[t] /= double(ensemble.roots.size());
    if (t < ensemble.base.size())
      scores[t] += ensemble.base[t];
  }
  return Status::success();
}

/// The form of opset 5: inner nodes and leaves have lists of their own, enumerations are numbers.
static Status readEnsemble5(const Attributes &attributes, int64_t targets, Ensemble &ensemble) {
  const auto &features = attributes.integers("nodes_featureids"), &modes = attributes.integers("nodes_modes"),
             &missing = attributes.integers("nodes_missing_value_tracks_true"), &roots = attributes.integers("tree_roots");
  const auto &children = {&attributes.integers("nodes_truenodeids"), &attributes.integers("nodes_trueleafs"),
                          &attributes.integers("nodes_falsenodeids"), &attributes.integers("nodes_falseleafs")};
  const auto &leafTargets = attributes.integers("leaf_targetids");
  const auto &splits = attributes.numbers("nodes_splits"), &leafWeights = attributes.numbers("leaf_weights"),
             &members = attributes.numbers("membership_values");
  size_t n = features.size(), leaves = leafTargets.size(), nextMember = 0;
  for (const auto *list : children)
    if (list->size() != n)
      return Status::error("the nodes' attributes differ in length");
  if (modes.size() != n || splits.size() != n || (!missing.empty() && missing.size() != n) || leafWeights.size() != leaves)
    return Status::error("the nodes' or the leaves' attributes differ in length");
  ensemble.nodes.resize(n + leaves);
  for (size_t i = 0; i < n; ++i) {
    static const Branch branches[] = {Branch::leq, Branch::lt, Branch::gte, Branch::gt, Branch::eq, Branch::neq, Branch::member};
    Node &node = ensemble.nodes[i];
    if (modes[i] < 0 || modes[i] >= int64_t(std::size(branches)))
      return Status::error("unknown node mode " + std::to_string(modes[i]));
    node.branch = branches[modes[i]];
    node.feature = features[i];
    node.value = splits[i];
    node.missingTrue = !missing.empty() && missing[i];
    if (node.branch == Branch::member) {
      // Sets follow each other in the order of their nodes, each ended by NaN.
      node.set = ensemble.sets.size();
      ensemble.sets.emplace_back();
      for (; nextMember < members.size() && !std::isnan(members[nextMember]); ++nextMember)
        ensemble.sets.back().push_back(members[nextMember]);
      ++nextMember;
    }
    for (bool taken : {true, false}) {
      int64_t child = (*(children.begin() + (taken ? 0 : 2)))->at(i), isLeaf = (*(children.begin() + (taken ? 1 : 3)))->at(i);
      if (child < 0 || child >= int64_t(isLeaf ? leaves : n))
        return Status::error("node " + std::to_string(i) + " has no such child");
      (taken ? node.ifTrue : node.ifFalse) = size_t(child) + (isLeaf ? n : 0);
    }
  }
  for (size_t i = 0; i < leaves; ++i) {
    if (leafTargets[i] < 0 || leafTargets[i] >= targets)
      return Status::error("leaf " + std::to_string(i) + " names no target of the ensemble");
    ensemble.nodes[n + i].firstWeight = ensemble.weights.size();
    ensemble.nodes[n + i].weights = 1;
    ensemble.weights.push_back({leafTargets[i], leafWeights[i]});
  }
  for (int64_t root : roots) {
    if (root < 0 || root >= int64_t(n))
      return Status::error("tree_roots is out of range");
    ensemble.roots.push_back(size_t(root));
  }
  static const char *aggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  static const char *transforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  ensemble.targets = targets;
  ensemble.aggregate = aggregates[std::clamp<int64_t>(attributes.integer("aggregate_function", 1), 0, 3)];
  ensemble.post = transforms[std::clamp<int64_t>(attributes.integer("post_transform", 0), 0, 4)];
  return Status::success();
}

/// TreeEnsemble's and TreeEnsembleRegressor's attributes differ, their results do not.
template <bool isOpset5> static Status treeRegressor(Call &call) {
  int64_t rows, features;
  OPTC_TRY(expectFeatures(call, rows, features));
  int64_t targets = call.attributes.integer("n_targets", 1);
  if (targets < 1 || targets > 1 << 20)
    return Status::error("n_targets is out of range");
  Ensemble ensemble;
  OPTC_TRY(isOpset5 ? readEnsemble5(call.attributes, targets, ensemble)
                    : readEnsemble(call.attributes, "target", targets, ensemble));
  OPTC_TRY(call.allocate(0, {rows, targets}));
  std::vector<double> x = loadAll<double>(call.in(0)), scores(static_cast<size_t>(targets));
  std::vector<bool> voted(static_cast<size_t>(targets));
  for (int64_t r = 0; r < rows; ++r) {
    OPTC_TRY(scoreRow(ensemble, std::span(x).subspan(size_t(r * features), size_t(features)), scores, voted));
    postTransform(ensemble.post, scores);
    store(call.outputs[0], r * targets, targets, scores.data());
  }
  return Status::success();
}

/// With two classes and weights for one of them only, the ensemble gives the positive class's score and the
/// other is its complement.
static Status treeClassifier(Call &call) {
  int64_t rows, features;
  OPTC_TRY(expectFeatures(call, rows, features));
  Labels labels(call.attributes);
  int64_t classes = labels.size();
  if (classes < 1 || call.outputs.size() < 2)
    return Status::error("expected class labels and 2 results");
  Ensemble ensemble;
  OPTC_TRY(readEnsemble(call.attributes, "class", classes, ensemble));
  bool binary = classes == 2, positive = true, single = true;
  for (const Weight &weight : ensemble.weights) {
    single &= weight.target == ensemble.weights.front().target;
    positive &= weight.value >= 0;
  }
  binary &= single && ensemble.base.size() < 2;
  OPTC_TRY(labels.allocate(call, rows));
  OPTC_TRY(call.allocate(1, {rows, classes}));
  std::vector<double> x = loadAll<double>(call.in(0)), scores(static_cast<size_t>(classes));
  std::vector<bool> voted(static_cast<size_t>(classes));
  size_t target = ensemble.weights.empty() ? 0 : size_t(ensemble.weights.front().target);
  for (int64_t r = 0; r < rows; ++r) {
    OPTC_TRY(scoreRow(ensemble, std::span(x).subspan(size_t(r * features), size_t(features)), scores, voted));
    size_t best;
    if (binary) {
      double score = scores[target] + (ensemble.base.size() == 1 && target != 0 ? ensemble.base[0] : 0);
      best = score > (positive ? 0.5 : 0) ? 1 : 0;
      if (ensemble.post == "LOGISTIC" && !positive) // positive weights make probabilities already
        scores = {logistic(-score), logistic(score)};
      else if (ensemble.post == "PROBIT")
        scores = {0, probit(score)};
      else
        scores = {positive ? 1 - score : -score, score};
    } else {
      best = size_t(std::max_element(scores.begin(), scores.end()) - scores.begin());
      postTransform(ensemble.post, scores);
    }
    labels.store(call.outputs[0], r, best);
    store(call.outputs[1], r * classes, classes, scores.data());
  }
  return Status::success();
}

void optc::registerTrees(ReferenceTable &table) {
  table["tree_ensemble_classifier"] = treeClassifier;
  table["tree_ensemble_regressor"] = treeRegressor<false>;
  table["tree_ensemble"] = treeRegressor<true>;
}
