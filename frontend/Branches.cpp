//===- Branches.cpp - Control flow that several families need -------------===//

#include "frontend/Branches.h"
#include "frontend/GraphImporter.h"

using namespace mlir;
using namespace optc;

/// More choices of axes than this are refused.
static constexpr int64_t kMaxChoices = 64;

Type optc::mergeTypes(Node &n, Type a, Type b, const llvm::StringSet<> &visible,
                      llvm::function_ref<DimExpr(size_t)> fresh) {
  if (auto x = dyn_cast<SequenceType>(a))
    if (auto y = dyn_cast<SequenceType>(b))
      return SequenceType::get(n.context(), mergeTypes(n, x.getElement(), y.getElement(), visible,
                                                       [](size_t) { return DimExpr::symbol("_"); }));
  if (auto x = dyn_cast<OptionalType>(a))
    if (auto y = dyn_cast<OptionalType>(b))
      return OptionalType::get(n.context(), mergeTypes(n, x.getElement(), y.getElement(), visible,
                                                       [](size_t) { return DimExpr::symbol("_"); }));
  auto x = dyn_cast<TensorType>(a), y = dyn_cast<TensorType>(b);
  if (!x || !y)
    n.unsupported("unsupported: a value that is a tensor on one path and an object on the other");
  n.expect(x.getElementType() == y.getElementType(), "element types differ between two paths");
  // The elements of an empty sequence have no rank yet.
  if (isa<UnrankedTensorType>(a))
    return b;
  if (isa<UnrankedTensorType>(b))
    return a;
  if (x.getRank() != y.getRank())
    n.unsupported("unsupported: ranks differ between two paths");
  Dims dims = dimsOf(a), other = dimsOf(b);
  for (auto [i, d] : llvm::enumerate(dims)) {
    bool seen = true;
    d.forEachSymbol([&](StringRef symbol) { seen &= visible.contains(symbol); });
    if (d != other[i] || !seen)
      d = fresh(i);
  }
  return tensorType(dims, x.getElementType());
}

Results optc::makeIf(Node &n, Value condition, Branch onTrue, Branch onFalse) {
  llvm::StringSet<> visible = n.graph.symbolsInUse();
  OperationState state(n.location, IfOp::getOperationName());
  state.addOperands(n.reshape(condition, {}));
  SmallVector<Results> yielded;
  bool failed = false;
  for (Branch branch : {onTrue, onFalse}) {
    Block &block = state.addRegion()->emplaceBlock();
    auto values = branch(block);
    failed |= !values;
    yielded.push_back(values.value_or(Results()));
    atEndOf(block, n.context()).create<YieldOp>(n.location, yielded.back());
  }
  if (failed)
    throw NodeError{}; // reported where it happened
  n.expect(yielded[0].size() == yielded[1].size(), "the branches have different numbers of outputs");
  for (size_t i = 0; i < yielded[0].size(); ++i)
    state.addTypes(mergeTypes(n, yielded[0][i].getType(), yielded[1][i].getType(), visible,
                              [&](size_t axis) { return n.freshSize(i, axis); }));
  Operation *op = n.b.create(state);
  return Results(op->result_begin(), op->result_end());
}

/// All tuples of `count` different numbers below `rank`.
static SmallVector<SmallVector<int64_t>> tuples(int64_t count, int64_t rank) {
  SmallVector<SmallVector<int64_t>> all{{}};
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<SmallVector<int64_t>> longer;
    for (const auto &t : all)
      for (int64_t a = 0; a < rank; ++a)
        if (!llvm::is_contained(t, a)) {
          longer.push_back(t);
          longer.back().push_back(a);
        }
    all = std::move(longer);
    if (all.size() > size_t(kMaxChoices))
      break;
  }
  return all;
}

static Results choose(Node &n, Value code, int64_t rank, ArrayRef<SmallVector<int64_t>> choices,
                      llvm::function_ref<Results(Node &, ArrayRef<int64_t>)> import) {
  if (choices.size() == 1)
    return import(n, choices.front());
  int64_t wanted = 0;
  for (int64_t axis : choices.front())
    wanted = wanted * rank + axis;
  Value isThis = n.make<CompareOp>(code, n.scalarInteger(n.i64(), wanted), "eq");
  auto inside = [&](Block &block, ArrayRef<SmallVector<int64_t>> rest) -> std::optional<Results> {
    auto builder = atEndOf(block, n.context());
    Node inner(n.proto, n.opset, n.location, builder, n.allOrNull(), n.graph);
    return choose(inner, code, rank, rest, import);
  };
  return makeIf(
      n, isThis, [&](Block &block) { return inside(block, choices.take_front(1)); },
      [&](Block &block) { return inside(block, choices.drop_front(1)); });
}

Results optc::withAxes(Node &n, Value axes, int64_t rank,
                       llvm::function_ref<Results(Node &, ArrayRef<int64_t>)> import,
                       llvm::function_ref<bool(ArrayRef<int64_t>)> isPossible) {
  if (auto known = n.constantIntegers(axes))
    return import(n, *known);
  if (!tensorOf(axes).hasStaticShape() || rank == 0)
    n.unsupported("unsupported: axes of unknown number");
  int64_t count = tensorOf(axes).getNumElements();
  auto choices = tuples(count, rank);
  llvm::erase_if(choices, [&](ArrayRef<int64_t> axes) { return !isPossible(axes); });
  n.expect(!choices.empty(), "no choice of axes fits the input");
  if (choices.size() > size_t(kMaxChoices))
    n.unsupported("unsupported: axes that arrive at run time, with more than " + Twine(kMaxChoices) +
                  " choices");
  // The axes, counted from the front, as the digits of one number.
  Value list = n.reshape(n.cast(axes, n.i64()), {count});
  Value digits = n.make<ModOp>(list, n.full(list, double(rank)), false);
  SmallVector<int64_t> weights(count, 1);
  for (int64_t i = count - 2; i >= 0; --i)
    weights[i] = weights[i + 1] * rank;
  Value code = n.make<ReduceOp>(n.make<MulOp>(digits, n.integersOf(weights)), ArrayRef<int64_t>(0), "sum");
  return choose(n, code, rank, choices, import);
}
