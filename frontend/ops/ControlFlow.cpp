//===- ControlFlow.cpp - If, Loop, Scan ------------------------------------===//
//
// Bodies use values from around them directly. An If whose condition is known becomes the taken
// branch. A Scan is a loop that gathers its slices:
//
//   Scan(init, x[n,3])  ⇒  loop trips n init(init) { gather x, i ... yield true, state, out }
//
// Carried types are found by trying: the body is imported with the initial types, and where a
// dim that it yields differs, again with a symbol of its own for that dim.
//
//===----------------------------------------------------------------------===//

#include "frontend/Branches.h"
#include "frontend/GraphImporter.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

Results importIf(Node &n) {
  auto &onTrue = n.subgraph("then_branch"), &onFalse = n.subgraph("else_branch");
  n.expect(dimsMayMatch(numElements(n.dims(n.tensor(0))), DimExpr(1)), "the condition must be one bool");
  auto take = [&](onnx::GraphProto &branch, Block &block) {
    return n.graph.importSubgraph(branch, block, {});
  };
  if (auto known = n.constantIntegers(n[0]); known && known->size() == 1) {
    auto results = take((*known)[0] ? onTrue : onFalse, *n.b.getInsertionBlock());
    if (!results)
      throw NodeError{}; // reported where it happened
    return *results;
  }
  return makeIf(
      n, n[0], [&](Block &block) { return take(onTrue, block); },
      [&](Block &block) { return take(onFalse, block); });
}

/// What Loop and Scan have in common.
struct LoopForm {
  Value trips, condition;
  SmallVector<Value> init;
  /// The number of iterations where it is known before the loop.
  std::optional<DimExpr> count;
  /// The body's first output is the condition to go on.
  bool yieldsCondition;
  /// The graph's inputs, from the iteration and the carried values.
  llvm::function_ref<SmallVector<Value>(Node &, Value, ArrayRef<Value>)> arguments;
};

/// One carried value's type, and which of its dims the loop changes.
struct Carried {
  Type type;
  llvm::SmallBitVector changes;
};

/// Widens the carried types by what the body yielded; true when one changed.
bool widen(Node &n, MutableArrayRef<Carried> carried, ArrayRef<Value> yielded) {
  bool changed = false;
  for (auto [i, c] : llvm::enumerate(carried)) {
    Type now = yielded[i].getType();
    auto tensor = dyn_cast<RankedTensorType>(c.type);
    if (!tensor || !isa<RankedTensorType>(now)) {
      llvm::StringSet<> none;
      Type merged = mergeTypes(n, c.type, now, none, [](size_t) { return DimExpr::symbol("_"); });
      changed |= merged != c.type;
      c.type = merged;
      continue;
    }
    n.expect(tensor.getElementType() == elementOf(yielded[i]),
             "carried value " + Twine(i) + " changes its element type");
    if (tensor.getRank() != n.rank(yielded[i]))
      n.unsupported("unsupported: carried value " + Twine(i) + " changes its rank");
    Dims dims = dimsOf(c.type), other = n.dims(yielded[i]);
    c.changes.resize(dims.size());
    for (size_t d = 0; d < dims.size(); ++d)
      if (!c.changes[d] && dims[d] != other[d]) {
        c.changes.set(d);
        dims[d] = n.freshSize(i, d);
        changed = true;
      }
    c.type = tensorType(dims, tensor.getElementType());
  }
  return changed;
}

Results importLoopForm(Node &n, onnx::GraphProto &body, const LoopForm &form) {
  llvm::StringSet<> visible = n.graph.symbolsInUse();
  SmallVector<Carried> carried;
  for (Value v : form.init)
    carried.push_back({v.getType(), {}});
  std::unique_ptr<Region> region;
  Results yielded;
  auto names = n.graph.nodeNamesInUse();
  do {
    n.graph.restoreNodeNames(names);
    region = std::make_unique<Region>();
    Block &block = region->emplaceBlock();
    auto builder = atEndOf(block, n.context());
    Node inner(n.proto, n.opset, n.location, builder, n.allOrNull(), n.graph);
    Value iteration = block.addArgument(RankedTensorType::get({}, n.i64()), n.location);
    SmallVector<Value> values;
    for (const Carried &c : carried)
      values.push_back(block.addArgument(c.type, n.location));
    auto results = n.graph.importSubgraph(body, block, form.arguments(inner, iteration, values));
    if (!results)
      throw NodeError{}; // reported where it happened
    yielded = *results;
    if (!form.yieldsCondition)
      yielded.insert(yielded.begin(), inner.scalarInteger(n.boolean(), 1));
    n.expect(yielded.size() >= carried.size() + 1, "the body has too few outputs");
  } while (widen(n, carried, ArrayRef<Value>(yielded).slice(1, carried.size())));

  n.expect(isa<RankedTensorType>(yielded[0].getType()), "the body's condition must be a tensor");
  auto going = n.constantIntegers(yielded[0]);
  bool runsToTheEnd = !form.condition && going && *going == SmallVector<int64_t>{1};
  auto builder = atEndOf(region->front(), n.context());
  Node inner(n.proto, n.opset, n.location, builder, n.allOrNull(), n.graph);
  yielded[0] = inner.reshape(yielded[0], {});
  builder.create<YieldOp>(n.location, yielded);

  SmallVector<Type> types;
  for (auto [i, c] : llvm::enumerate(carried)) {
    Type type = c.type;
    if (isa<RankedTensorType>(type) && c.changes.any()) {
      Dims dims = dimsOf(type);
      for (unsigned d : c.changes.set_bits())
        dims[d] = n.freshSize(i, d);
      type = tensorType(dims, cast<RankedTensorType>(type).getElementType());
    }
    types.push_back(type);
  }
  for (size_t i = carried.size() + 1; i < yielded.size(); ++i) {
    size_t output = i - 1;
    if (!isa<RankedTensorType>(yielded[i].getType()))
      n.unsupported("unsupported: a sequence as scan output");
    Dims dims = n.dims(yielded[i]);
    for (auto [d, dim] : llvm::enumerate(dims)) {
      bool seen = true;
      dim.forEachSymbol([&](StringRef symbol) { seen &= visible.contains(symbol); });
      if (!seen)
        dim = n.freshSize(output, d + 1);
    }
    dims.insert(dims.begin(), form.count && runsToTheEnd ? *form.count : n.freshSize(output, 0));
    types.push_back(tensorType(dims, elementOf(yielded[i])));
  }

  OperationState state(n.location, LoopOp::getOperationName());
  LoopOp::build(n.b, state, types, form.trips, form.condition, form.init);
  state.regions.clear();
  state.addRegion(std::move(region));
  Operation *op = n.b.create(state);
  return Results(op->result_begin(), op->result_end());
}

Results importLoop(Node &n) {
  onnx::GraphProto &body = n.subgraph("body");
  LoopForm form;
  form.yieldsCondition = true;
  if (n.optional(0)) {
    Value trips = n.tensor(0);
    form.trips = n.reshape(n.cast(trips, n.i64()), {});
    if (auto known = symbolicElements(trips); known && known->size() == 1)
      form.count = DimExpr::max((*known)[0], 0);
  }
  if (n.optional(1)) {
    Value condition = n.tensor(1);
    auto known = n.constantIntegers(condition);
    if (!known || *known != SmallVector<int64_t>{1})
      form.condition = n.reshape(condition, {});
  }
  for (size_t i = 2; i < n.size(); ++i)
    form.init.push_back(n[i]);
  auto arguments = [&](Node &inner, Value iteration, ArrayRef<Value> values) {
    // The body only runs while the condition holds.
    SmallVector<Value> all{iteration, inner.scalarInteger(n.boolean(), 1)};
    all.append(values.begin(), values.end());
    return all;
  };
  form.arguments = arguments;
  return importLoopForm(n, body, form);
}

/// An attribute with one entry a scan value, counted from the front for axes.
int64_t entry(Node &n, StringRef name, size_t i) {
  auto list = n.integers(name);
  n.expect(list.empty() || i < list.size(), "attribute '" + name + "' has too few entries");
  return list.empty() ? 0 : list[i];
}

Results importScan(Node &n) {
  onnx::GraphProto &body = n.subgraph("body");
  int64_t scanned = n.integer("num_scan_inputs"), states = int64_t(n.size()) - scanned;
  n.expect(scanned >= 1 && states >= 0, "num_scan_inputs does not fit the number of inputs");
  LoopForm form;
  form.yieldsCondition = false;
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < scanned; ++i)
    axes.push_back(n.axis(entry(n, "scan_input_axes", i), n.rank(n[states + i])));
  form.count = n.dims(n[states])[axes[0]];
  form.trips = n.fromDims({*form.count}, RankedTensorType::get({}, n.i64()));
  for (int64_t i = 0; i < states; ++i)
    form.init.push_back(n[i]);
  auto arguments = [&](Node &inner, Value iteration, ArrayRef<Value> values) {
    SmallVector<Value> all(values.begin(), values.end());
    for (int64_t i = 0; i < scanned; ++i) {
      Value at = iteration;
      if (entry(n, "scan_input_directions", i)) // from the last to the first
        at = inner.make<SubOp>(inner.fromDims({*form.count - DimExpr(1)}, at.getType()), at);
      all.push_back(inner.make<GatherOp>(n[states + i], at, axes[i]));
    }
    return all;
  };
  form.arguments = arguments;
  Results out = importLoopForm(n, body, form);
  for (size_t i = states; i < out.size(); ++i) {
    int64_t rank = n.rank(out[i]), k = i - states;
    if (entry(n, "scan_output_directions", k)) {
      Dims starts(rank, DimExpr(0)), strides(rank, DimExpr(1));
      starts[0] = n.dims(out[i])[0] - DimExpr(1);
      strides[0] = -1;
      out[i] = n.makeAs<SliceOp>(out[i].getType(), out[i], DimsAttr::get(n.context(), starts),
                                 DimsAttr::get(n.context(), strides));
    }
    int64_t axis = n.axis(entry(n, "scan_output_axes", k), rank);
    auto permutation = llvm::to_vector(llvm::seq<int64_t>(1, rank));
    permutation.insert(permutation.begin() + axis, 0);
    out[i] = n.transpose(out[i], permutation);
  }
  return out;
}

Results importBatchedScan(Node &n) { n.unsupported("unsupported: the batched form of Scan (opset 8)"); }

} // namespace

void optc::registerControlFlow(Registry &r) {
  r.domain = "";
  r.add("If", 1, importIf, Takes::objects);
  r.add("Loop", 1, importLoop, Takes::objects);
  r.add("Scan", 8, importBatchedScan);
  r.add("Scan", 9, importScan);
}
