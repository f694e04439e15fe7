//===- RoundWeights.cpp - Weights in few bits, chosen with samples --------===//

#include "tools/compiler/RoundWeights.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "passes/Gptq.h"
#include "passes/QuantizedTensors.h"
#include "llvm/Support/FormatVariadic.h"
#include <thread>

using namespace mlir;
using namespace optc;

namespace {

/// One of its products is, or a gather of its rows.
bool isKept(const WeightTable &table) {
  auto isKept = [](Operation *op) { return op->hasAttr(kKeepFloat); };
  return llvm::any_of(table.products, isKept) || llvm::any_of(table.value.getUsers(), isKept);
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

} // namespace

WeightRounding::WeightRounding(ModuleOp module, WeightFormat format)
    : module(module), wanted(std::move(format)), tables(weightTables(module.lookupSymbol<func::FuncOp>("main"))), rounded(tables.size()) {}

Error WeightRounding::roundByInputs(const SampleSource &samples, unsigned jobs, const Progress &progress) {
  unsigned threads = jobs ? jobs : std::max(1u, std::thread::hardware_concurrency());
  return collectMoments(module, samples, jobs, progress, [&](size_t t, const InputMoments &moments) {
    if (isKept(tables[t]))
      return;
    int64_t k = tables[t].k, n = tables[t].n, block = wanted.blockSize();
    std::vector<float> w = elementsOf(tables[t]);
    double share = chooseDamping(w, k, n, moments.first, moments.second, wanted.bits(), block, threads);
    auto factors = InputFactors::of(moments.all(), k, block, threads, share);
    auto result = factors ? optc::roundByInputs(w, n, *factors, wanted.bits(), block, threads) : std::nullopt;
    if (result)
      rounded[t] = {std::move(result->codes), result->decibels};
  });
}

void WeightRounding::apply(ModuleOp copy) const {
  auto main = copy.lookupSymbol<func::FuncOp>("main");
  for (auto [t, table] : llvm::enumerate(weightTables(main))) {
    if (!rounded[t] || isKept(table))
      continue;
    replace(table, rounded[t]->codes);
    if (copy == module)
      for (ContractOp op : table.products)
        noteLowered(main, op, llvm::formatv("weights in {0}, a scale for each {1}, rounded with samples: results' signal over noise {2:f1} dB",
                                            wanted.name, wanted.blockSize(), rounded[t]->decibels).str());
  }
}

std::pair<const BlockCodes *, bool> WeightRounding::codesOf(mlir::Value table) const {
  for (auto [entry, result] : llvm::zip(tables, rounded))
    if (entry.value == table && result)
      return {&result->codes, entry.turned};
  return {nullptr, false};
}
