//===- RoundWeights.cpp - Weights in few bits, chosen with samples --------===//

#include "tools/compiler/RoundWeights.h"
#include "ir/Locations.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "passes/Gptq.h"
#include "passes/Passes.h"
#include "passes/QuantizedTensors.h"
#include "tools/compiler/GoldenSets.h"
#include "tools/compiler/WeightTables.h"
#include "llvm/Support/FormatVariadic.h"
#include <thread>
#include <tuple>

using namespace mlir;
using namespace optc;

namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();
/// Layers are ranked by so many golden sets: each takes a run of the model.
constexpr size_t kRankSets = 16;

/// What goes back to f32 together, the lowest quality first, and why it is where it is in the order.
struct Layer {
  SmallVector<Operation *> ops;
  std::string name, reason = {};
  double quality = 0;

  bool operator<(const Layer &other) const { return std::tie(quality, name) < std::tie(other.quality, other.name); }
};

bool isKept(const WeightTable &table) {
  return llvm::any_of(table.products, [](ContractOp op) { return op->hasAttr(kKeepFloat); });
}

/// One number for each block of a column, [blocks, n], as a tensor of the table's shape.
mlir::Value spread(OpBuilder &b, Location loc, const WeightTable &table, int64_t block, HostValue blocks) {
  int64_t count = blocks.dims[0], n = table.n, all = count * block;
  auto type = cast<RankedTensorType>(tensorType({count, n}, elementTypeOf(b.getContext(), blocks.type)));
  mlir::Value x = b.create<ConstantOp>(loc, type, elementsOf(blocks, type));
  Type element = elementOf(x);
  auto shaped = [&](int64_t rows, int64_t columns) { return tensorType({rows, columns}, element); };
  x = b.create<ReshapeOp>(loc, tensorType({count, 1, n}, element), x);
  x = b.create<BroadcastOp>(loc, tensorType({count, block, n}, element), x);
  x = b.create<ReshapeOp>(loc, shaped(all, n), x);
  if (all != table.k)
    x = b.create<SliceOp>(loc, shaped(table.k, n), x, DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, 0}),
                          DimsAttr::get(b.getContext(), ArrayRef<int64_t>{1, 1}));
  return table.turned ? mlir::Value(b.create<TransposeOp>(loc, x, ArrayRef<int64_t>{1, 0})) : x;
}

template <typename T> HostValue matrixOf(DType type, int64_t rows, int64_t columns, const std::vector<T> &values) {
  HostValue x = HostValue::allocate(type, {rows, columns});
  llvm::copy(values, x.as<T>());
  return x;
}

/// dequantize of the codes in place of the table.
void replace(const WeightTable &table, const BlockCodes &codes) {
  OpBuilder b(table.value.getContext());
  b.setInsertionPointAfterValue(table.value);
  Location loc = table.value.getLoc();
  HostValue q = matrixOf(DType::i8, codes.k, codes.n, codes.codes);
  auto type = cast<RankedTensorType>(tensorType({codes.k, codes.n}, b.getI8Type()));
  mlir::Value x = b.create<ConstantOp>(loc, type, elementsOf(q, type)), zero;
  if (table.turned)
    x = b.create<TransposeOp>(loc, x, ArrayRef<int64_t>{1, 0});
  mlir::Value scale = spread(b, loc, table, codes.block, matrixOf(DType::f32, codes.blocks(), codes.n, codes.scales));
  if (!codes.zeros.empty())
    zero = spread(b, loc, table, codes.block, matrixOf(DType::i8, codes.blocks(), codes.n, codes.zeros));
  mlir::Value y = b.create<DequantizeOp>(loc, table.value.getType(), x, scale, zero);
  mlir::Value old = table.value;
  old.replaceAllUsesWith(y);
}

class Rounding {
public:
  Rounding(ModuleOp module, const WeightOptions &options, unsigned jobs, const Progress &progress)
      : module(module), function(module.lookupSymbol<func::FuncOp>("main")), options(options), jobs(jobs),
        threads(jobs ? jobs : std::max(1u, std::thread::hardware_concurrency())), progress(progress), tables(weightTables(function)),
        further(furtherProducts(function, tables)), codes(tables.size()) {}

  Error run(std::vector<std::string> &notes) {
    if (!options.calibration.empty())
      if (Error error = roundByInputs())
        return error;
    if (!options.guard.golden.empty())
      if (Error error = guard(notes))
        return error;
    apply(module);
    return Error::success();
  }

private:
  Error roundByInputs() {
    const WeightFormat &format = options.format;
    return collectMoments(module, options.calibration, jobs, progress, [&](size_t t, const InputMoments &moments) {
      if (isKept(tables[t]))
        return;
      int64_t k = tables[t].k, n = tables[t].n, block = format.blockSize();
      std::vector<float> w = elementsOf(tables[t]);
      double share = chooseDamping(w, k, n, moments.first, moments.second, format.bits(), block, threads);
      auto factors = InputFactors::of(moments.all(), k, block, threads, share);
      auto result = factors ? optc::roundByInputs(w, n, *factors, format.bits(), block, threads) : std::nullopt;
      if (!result)
        return;
      codes[t] = std::move(result->codes);
      for (ContractOp op : tables[t].products)
        texts[op] = llvm::formatv("weights in {0}, a scale for each {1}, rounded with samples: results' signal over noise {2:f1} dB", format.name,
                                  format.blockSize(), result->decibels);
    });
  }

  /// Puts what was rounded by data into a copy of the module, but for what is kept.
  void apply(ModuleOp copy) {
    auto main = copy.lookupSymbol<func::FuncOp>("main");
    SmallVector<WeightTable> own = weightTables(main);
    for (auto [t, table] : llvm::enumerate(own)) {
      if (!codes[t] || isKept(table))
        continue;
      replace(table, *codes[t]);
      if (copy == module)
        for (ContractOp op : table.products)
          noteLowered(main, op, texts[op]);
    }
  }

  /// What the format makes of a table.
  std::optional<std::vector<float>> roundedOf(size_t t, ArrayRef<float> w) {
    if (!codes[t])
      return roundedWeights(w, tables[t].k, tables[t].n, options.format);
    std::vector<float> out(w.size());
    for (int64_t i = 0; i < tables[t].k; ++i)
      for (int64_t j = 0; j < tables[t].n; ++j)
        out[i * tables[t].n + j] = valueOf(*codes[t], i, j);
    return out;
  }

  Error rank() { return options.pipeline.bfloat ? rankByOutputs() : rankByResults(); }

  Layer layerOf(const WeightTable &table) {
    Layer layer{{}, nameOf(table)};
    for (ContractOp op : table.products)
      layer.ops.push_back(op);
    return layer;
  }

  /// Tables by how far their own results are off, the worst first.
  Error rankByResults() {
    Error error = collectMoments(module, options.guard.golden, jobs, progress, [&](size_t t, const InputMoments &moments) {
      if (isKept(tables[t]))
        return;
      std::vector<float> w = elementsOf(tables[t]);
      auto rounded = roundedOf(t, w);
      auto factors = InputFactors::of(moments.all(), tables[t].k, tables[t].k, threads);
      if (!rounded || !factors)
        return;
      for (size_t i = 0; i < w.size(); ++i)
        (*rounded)[i] = w[i] - (*rounded)[i];
      layers.push_back(layerOf(tables[t]));
      layers.back().quality = resultDecibels(w, *rounded, tables[t].n, *factors, threads);
      layers.back().reason = llvm::formatv("in {0} the noise of its own results is {1:f1} dB below them", options.format.name, layers.back().quality);
    });
    if (error)
      return error;
    // What they read is not observed: they are ranked as if it was alike in all columns.
    for (const WeightTable &table : further) {
      std::vector<float> w = elementsOf(table);
      auto rounded = roundedWeights(w, table.k, table.n, options.format);
      if (isKept(table) || !rounded)
        continue;
      layers.push_back(layerOf(table));
      layers.back().quality = signalToNoise(w, *rounded);
      layers.back().reason = llvm::formatv("in {0} the noise of its weights is {1:f1} dB below them", options.format.name, layers.back().quality);
    }
    llvm::sort(layers);
    return Error::success();
  }

  /// Layers by how far each of them alone in bf16 puts the model's outputs off, the worst first.
  Error rankByOutputs() {
    for (ArrayRef<WeightTable> list : {ArrayRef(tables), ArrayRef(further)})
      for (const WeightTable &table : list)
        if (!isKept(table))
          layers.push_back(layerOf(table));
    // Lowered as arithmetic only.
    function.walk([&](Operation *op) {
      if (isa<ConvOp, AttentionOp>(op) && !op->hasAttr(kKeepFloat))
        layers.push_back({{op}, nodesOf(op->getLoc()).front()});
    });
    progress("compile with switches");
    OpBuilder b(module.getContext());
    for (auto [i, layer] : llvm::enumerate(layers))
      for (Operation *op : layer.ops)
        op->setAttr(kSwitch, b.getI64IntegerAttr(int64_t(i)));
    NativeModel switched;
    Error error = switched.build(module, jobs, createSwitchRounding());
    for (const Layer &layer : layers)
      for (Operation *op : layer.ops)
        op->removeAttr(kSwitch);
    if (error)
      return error;
    std::vector<HostValue> switches;
    for (size_t i = 0; i < layers.size(); ++i) {
      switches.push_back(HostValue::allocate(DType::boolean, {}));
      *switches.back().as<bool>() = false;
    }
    for (auto [i, layer] : llvm::enumerate(layers)) {
      progress("rank layers " + std::to_string(i + 1) + "/" + std::to_string(layers.size()));
      *switches[i].as<bool>() = true;
      Deviation alone;
      if (Error error = golden.measure(switched, switches, kRankSets, alone))
        return error;
      *switches[i].as<bool>() = false;
      layer.quality = -alone.error;
      layer.reason = llvm::formatv("in bf16 it alone puts the outputs' error at {0}", percentText(alone.error));
    }
    llvm::sort(layers);
    return Error::success();
  }

  void keepFirst(size_t count) {
    for (auto [i, layer] : llvm::enumerate(layers))
      for (Operation *op : layer.ops)
        if (i < count)
          op->setAttr(kKeepFloat, StringAttr::get(module.getContext(), layer.reason));
        else
          op->removeAttr(kKeepFloat);
  }

  Error measure(size_t kept) {
    keepFirst(kept);
    progress("compile and measure with " + std::to_string(kept) + " of " + std::to_string(layers.size()) + " layers in f32");
    OwningOpRef<ModuleOp> copy = module.clone();
    apply(*copy);
    NativeModel model;
    if (Error error = model.build(*copy, jobs, {}, options.pipeline))
      return error;
    return golden.measure(model, {}, kAll, deviation);
  }

  Error guard(std::vector<std::string> &notes) {
    progress("compile the reference");
    NativeModel f32;
    if (Error error = f32.build(module, jobs))
      return error;
    if (Error error = golden.open(options.guard.golden, f32))
      return error;
    if (Error error = measure(0))
      return error;
    Deviation plain = deviation;
    double most = options.guard.maxError;
    if (plain.error > most) {
      if (Error error = rank())
        return error;
      if (Error error = measure(layers.size()))
        return error;
      if (deviation.error > most)
        return cannotHold(plain, f32);
      // `many` holds.
      size_t few = 1, many = layers.size();
      while (few < many) {
        size_t middle = few + (many - few) / 2;
        if (Error error = measure(middle))
          return error;
        if (deviation.error <= most)
          many = middle;
        else
          few = middle + 1;
      }
      if (Error error = measure(many))
        return error;
      for (const Layer &layer : ArrayRef(layers).take_front(many))
        notes.push_back("node '" + layer.name + (options.pipeline.bfloat ? "' stays in f32: " : "' keeps weights in f32: ") + layer.reason);
    }
    notes.push_back(llvm::formatv("the outputs differ from the golden ones by {0}, --max-error allows {1}", percentText(deviation.error), percentText(most)));
    notes.push_back(accuracyText(deviation));
    noteAccuracy(function, accuracyNoteOf(deviation, "relative_l2", most, golden.size()));
    return Error::success();
  }

  Error cannotHold(const Deviation &plain, NativeModel &f32) {
    Deviation products = deviation;
    if (Error error = golden.measure(f32, {}, kAll, deviation))
      return error;
    bool holdsInFloats = deviation.error <= options.guard.maxError;
    const Deviation &best = holdsInFloats ? products : deviation;
    Error error = Error::at("", llvm::formatv("the outputs differ from the golden ones by {0} with all {1} in f32 (output '{2}'), --max-error allows {3}",
                                              percentText(best.error), holdsInFloats ? "products" : "layers", best.output, percentText(options.guard.maxError)));
    error.hint = llvm::formatv("with all in {0} it is {1}, in f32 {2}", options.format.name, percentText(plain.error), percentText(deviation.error));
    error.exitCode = ExitCode::policy;
    return error;
  }

  ModuleOp module;
  func::FuncOp function;
  const WeightOptions &options;
  unsigned jobs, threads;
  const Progress &progress;
  SmallVector<WeightTable> tables;
  /// Products that samples neither round nor rank.
  SmallVector<WeightTable> further;
  /// By table: rounded by data.
  std::vector<std::optional<BlockCodes>> codes;
  llvm::DenseMap<Operation *, std::string> texts;
  /// Those that go back first.
  SmallVector<Layer> layers;
  GoldenSets golden;
  Deviation deviation;
};

} // namespace

Error optc::prepareWeights(ModuleOp module, const WeightOptions &options, unsigned jobs, const Progress &progress, std::vector<std::string> &notes) {
  return Rounding(module, options, jobs, progress).run(notes);
}
