//===- WeightTables.cpp - The matrices that products multiply with --------===//

#include "tools/compiler/WeightTables.h"
#include "ir/Locations.h"
#include "ir/eval/Evaluate.h"
#include "passes/StoredWeights.h"
#include "passes/WeightFormats.h"
#include "tools/compiler/NativeModel.h"
#include "tools/compiler/Taps.h"
#include "tools/compiler/TensorSets.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/JSON.h"
#include <cmath>
#include <map>
#include <set>

using namespace mlir;
using namespace optc;

/// The matrix as a product [m, k] x [k, n] or [n, k] reads it, before transposes.
static Matrix sourceOf(ContractOp op) { return untransposed({op.getRhs(), op.getRhsContract().front() == 1}); }

static bool isCandidate(ContractOp op) {
  return op.getLhsBatch().empty() && op.getRhsContract().size() == 1 && tensorOf(op.getRhs()).getRank() == 2 && elementOf(op.getLhs()).isF32() &&
         elementOf(op.getRhs()).isF32() && isWeight(op.getRhs()) && !isWeight(op.getLhs());
}

/// Nothing but products of the list and gathers of rows reads the table.
static bool isOnlyMultiplied(mlir::Value value, mlir::Value table, ArrayRef<ContractOp> products) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    if (isa<TransposeOp>(user))
      return isOnlyMultiplied(user->getResult(0), table, products);
    if (auto gather = dyn_cast<GatherOp>(user))
      return value == table && gather.getX() == value && gather.getAxis() == 0;
    auto product = dyn_cast<ContractOp>(user);
    return product && product.getLhs() != value && llvm::is_contained(products, product);
  });
}

SmallVector<WeightTable> optc::weightTables(func::FuncOp function) {
  llvm::MapVector<mlir::Value, WeightTable> tables;
  llvm::DenseSet<mlir::Value> twoWays;
  for (Operation &op : function.getBody().front()) {
    auto product = dyn_cast<ContractOp>(op);
    if (!product || !isCandidate(product))
      continue;
    auto [value, turned] = sourceOf(product);
    auto dims = tensorOf(value).getShape();
    WeightTable &table = tables.insert({value, {value, turned, dims[turned], dims[!turned], {}}}).first->second;
    if (table.turned != turned)
      twoWays.insert(value);
    table.products.push_back(product);
  }
  SmallVector<WeightTable> out;
  for (auto &[value, table] : tables) {
    if (!isInFewBits(value) && !twoWays.contains(value) && table.k * table.n >= kMinCompressed && table.k >= kMinCompressedK &&
        isOnlyMultiplied(value, value, table.products))
      out.push_back(table);
  }
  return out;
}

std::string optc::nameOf(const WeightTable &table) {
  ContractOp op = table.products.front();
  auto nodes = nodesOf(op->getLoc());
  return nodes.empty() ? "contract" : nodes.front();
}

std::vector<float> optc::elementsOf(const WeightTable &table) {
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto value = evaluateWeight(table.value, cache);
  std::vector<float> out(table.k * table.n);
  if (failed(value))
    return out;
  const float *x = value->as<float>();
  for (int64_t i = 0; i < table.k; ++i)
    for (int64_t j = 0; j < table.n; ++j)
      out[i * table.n + j] = table.turned ? x[j * table.k + i] : x[i * table.n + j];
  return out;
}

static void add(std::vector<float> &sum, ArrayRef<float> x) {
  for (size_t i = 0; i < sum.size(); ++i)
    sum[i] += x[i];
}

std::vector<float> InputMoments::all() const {
  std::vector<float> sum = first;
  add(sum, second);
  return sum;
}

namespace {

/// A product's left operand, and the dim that is summed over.
using Input = std::pair<mlir::Value, int64_t>;
Input inputOf(ContractOp op) { return {op.getLhs(), op.getLhsContract().front()}; }

/// X^T X over all dims but one: a product that optc's own kernels compute.
mlir::Value momentOf(Input input) {
  auto [x, dim] = input;
  OpBuilder b(x.getContext());
  b.setInsertionPointAfterValue(x);
  SmallVector<int64_t> others;
  for (int64_t d = 0; d < tensorOf(x).getRank(); ++d)
    if (d != dim)
      others.push_back(d);
  return b.create<ContractOp>(x.getLoc(), x, x, ArrayRef<int64_t>{}, ArrayRef<int64_t>{}, others, others);
}

/// Tables [first, last) and what is summed up for them.
class Group {
public:
  Group(ModuleOp module, size_t first, size_t last) : tapped(module.clone()) {
    auto function = tapped->lookupSymbol<func::FuncOp>("main");
    SmallVector<WeightTable> tables = weightTables(function);
    SmallVector<Tap> taps;
    outputs = function.getNumResults();
    for (size_t t = first; t < last; ++t) {
      SmallVector<size_t> &own = ofTable.emplace_back();
      for (ContractOp op : tables[t].products) {
        auto [it, isNew] = numbers.try_emplace(inputOf(op), taps.size());
        if (isNew) {
          taps.push_back({momentOf(it->first), llvm::json::fixUTF8(nameOf(tables[t]))});
          for (auto &half : sums)
            half.emplace_back(tables[t].k * tables[t].k, 0.0f);
        }
        own.push_back(it->second);
      }
    }
    addOutputs(function, taps);
  }

  Error build(unsigned jobs) { return model.build(*tapped, jobs); }
  Error run(const TensorSets &sets, size_t set) {
    std::vector<HostValue> inputs;
    if (Error error = sets.inputs(set, model.plan().inputs, inputs))
      return error;
    if (Error error = model.run(inputs))
      return Error::at(sets.name(set), error.message);
    auto &half = sums[set % 2];
    for (size_t i = 0; i < half.size(); ++i) {
      const float *x = model.outputs()[outputs + i].as<float>();
      for (size_t e = 0; e < half[i].size(); ++e)
        half[i][e] += x[e];
    }
    return Error::success();
  }
  InputMoments momentsOf(size_t table) const {
    auto totalOf = [&](const std::vector<std::vector<float>> &half) {
      std::vector<float> total = half[ofTable[table].front()];
      for (size_t i : ArrayRef(ofTable[table]).drop_front())
        add(total, half[i]);
      return total;
    };
    return {totalOf(sums[0]), totalOf(sums[1])};
  }

private:
  OwningOpRef<ModuleOp> tapped;
  std::map<Input, size_t, bool (*)(const Input &, const Input &)> numbers{[](const Input &a, const Input &b) {
    return std::pair(a.first.getAsOpaquePointer(), a.second) < std::pair(b.first.getAsOpaquePointer(), b.second);
  }};
  std::vector<SmallVector<size_t>> ofTable;
  std::vector<std::vector<float>> sums[2];
  size_t outputs = 0;
  NativeModel model;
};

} // namespace

Error optc::collectMoments(ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                           llvm::function_ref<void(size_t table, const InputMoments &moments)> use) {
  TensorSets sets;
  if (Error error = TensorSets::open(source, sets))
    return error;
  // Of the sums; the model's outputs take half as much.
  constexpr int64_t kBytes = int64_t(680) << 20;
  SmallVector<WeightTable> tables = weightTables(module.lookupSymbol<func::FuncOp>("main"));
  for (size_t first = 0; first < tables.size();) {
    int64_t bytes = 0;
    size_t last = first;
    std::set<std::pair<void *, int64_t>> inputs;
    for (; last < tables.size(); ++last) {
      int64_t own = 0;
      for (ContractOp op : tables[last].products)
        if (inputs.insert({inputOf(op).first.getAsOpaquePointer(), inputOf(op).second}).second)
          own += 2 * tables[last].k * tables[last].k * int64_t(sizeof(float));
      if (last > first && bytes + own > kBytes)
        break;
      bytes += own;
    }
    std::string of = std::to_string(last) + "/" + std::to_string(tables.size()) + " products";
    progress("compile to observe the inputs of " + of);
    Group group(module, first, last);
    if (Error error = group.build(jobs))
      return error;
    for (size_t i = 0; i < sets.size(); ++i) {
      progress("observe the inputs of " + of + ": " + std::to_string(i + 1) + "/" + std::to_string(sets.size()));
      if (Error error = group.run(sets, i))
        return error;
    }
    for (size_t t = first; t < last; ++t) {
      progress("weights " + std::to_string(t + 1) + "/" + std::to_string(tables.size()));
      InputMoments moments = group.momentsOf(t - first);
      if (!llvm::all_of(moments.all(), [](float x) { return std::isfinite(x); }))
        return Error::at(source.path, "the input of node '" + nameOf(tables[t]) + "' becomes infinite or not a number",
                         "the sets have to be inputs that the model is made for");
      use(t, moments);
    }
    first = last;
  }
  return Error::success();
}
