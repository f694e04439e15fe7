//===- CollapseDims.cpp - Merges neighbouring dims of a kernel ------------===//
//
// Dims of different tensors that stand for the same loop form a class (an elementwise op ties its operands' dims to
// its result's, a reduction those that stay). Two classes are merged when they are neighbours, in the same order,
// wherever either of them appears:
//
//   x[1,64,56,56] + broadcast b[64,1,1]   ⇒   x[64,3136] + broadcast b[64,1]
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "passes/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

namespace optc {
#define GEN_PASS_DEF_COLLAPSEDIMS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Class of a dim of size 1, which every shape drops.
constexpr int kUnit = -1;

class Collapse {
public:
  explicit Collapse(KernelOp kernel) : kernel(kernel) {}
  /// False when an op is not understood or nothing changes.
  bool run();

private:
  bool tie(Operation *op);
  void add(Value v);
  /// The dims of two values are the same loop.
  bool same(Value a, size_t i, Value b, size_t j);
  bool merge();
  SmallVector<SmallVector<int>> groupsOf(Value v);
  Dims shapeOf(Value v);
  void rebuild();
  Value cloneOp(OpBuilder &b, Operation *op, IRMapping &mapping);

  KernelOp kernel;
  SmallVector<Value> values;
  llvm::DenseMap<Value, SmallVector<int>> ids; // by dim; kUnit: size 1
  SmallVector<int> parent;                     // union-find over ids
  SmallVector<DimExpr> size;
  llvm::DenseSet<int> fixed; // a class whose index an op uses
  llvm::DenseMap<int, int> next; // class -> the class merged behind it
  int find(int c) { return parent[c] == c ? c : parent[c] = find(parent[c]); }
  int classOf(Value v, size_t i) { return ids[v][i] == kUnit ? kUnit : find(ids[v][i]); }
};

void Collapse::add(Value v) {
  if (ids.count(v))
    return;
  SmallVector<int> own;
  for (const DimExpr &d : dimsOf(v)) {
    if (d == DimExpr(1)) {
      own.push_back(kUnit);
      continue;
    }
    own.push_back(parent.size());
    parent.push_back(parent.size());
    size.push_back(d);
  }
  ids[v] = own;
  values.push_back(v);
}

bool Collapse::same(Value a, size_t i, Value b, size_t j) {
  int x = ids[a][i], y = ids[b][j];
  if (x == kUnit || y == kUnit)
    return x == y;
  if (size[x] != size[y])
    return false;
  parent[find(x)] = find(y);
  return true;
}

bool Collapse::tie(Operation *op) {
  for (Value v : op->getOperands())
    add(v);
  if (op->getNumResults() != 1)
    return false;
  Value result = op->getResult(0);
  add(result);
  size_t rank = tensorOf(result).getRank();
  if (op->hasTrait<Elementwise>()) {
    for (Value v : op->getOperands())
      for (size_t i = 0; i < rank; ++i)
        if (!same(v, i, result, i))
          return false;
    return true;
  }
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](ConstantOp) { return true; })
      .Case([&](BroadcastOp o) {
        size_t from = tensorOf(o.getX()).getRank(), missing = rank - from;
        for (size_t i = 0; i < from; ++i)
          if (ids[o.getX()][i] != kUnit && !same(o.getX(), i, result, i + missing))
            return false;
        return true;
      })
      .Case([&](TransposeOp o) {
        for (auto [i, p] : llvm::enumerate(o.getPermutation()))
          if (!same(o.getX(), p, result, i))
            return false;
        return true;
      })
      .Case([&](ReshapeOp o) {
        // Dims of size 1 come and go; other reshapes are not understood.
        SmallVector<size_t> a, b;
        for (size_t i = 0; i < ids[o.getX()].size(); ++i)
          if (ids[o.getX()][i] != kUnit)
            a.push_back(i);
        for (size_t i = 0; i < rank; ++i)
          if (ids[result][i] != kUnit)
            b.push_back(i);
        if (a.size() != b.size())
          return false;
        for (auto [i, j] : llvm::zip(a, b))
          if (!same(o.getX(), i, result, j))
            return false;
        return true;
      })
      .Case<ReduceOp, ArgReduceOp>([&](auto o) {
        SmallVector<int64_t> axes;
        if constexpr (std::is_same_v<decltype(o), ReduceOp>)
          axes.assign(o.getAxes().begin(), o.getAxes().end());
        else
          axes = {int64_t(o.getAxis())};
        size_t next = 0;
        bool some = false;
        for (size_t i = 0; i < ids[o.getX()].size(); ++i) {
          if (llvm::is_contained(axes, int64_t(i)))
            some |= ids[o.getX()][i] != kUnit;
          else if (!same(o.getX(), i, result, next++))
            return false;
        }
        if constexpr (std::is_same_v<decltype(o), ArgReduceOp>)
          fixed.insert(ids[o.getX()][axes[0]]);
        return some;
      })
      .Default([](Operation *) { return false; });
}

/// Links each class to the one that always follows it directly.
bool Collapse::merge() {
  llvm::DenseSet<int> fixedClasses;
  for (int c : fixed)
    fixedClasses.insert(find(c));
  constexpr int kNoOne = -2, kSeveral = -3;
  llvm::DenseMap<int, int> after, before; // neighbour by class
  bool twice = false;
  for (Value v : values) {
    SmallVector<int> order;
    for (size_t i = 0; i < ids[v].size(); ++i)
      if (int c = classOf(v, i); c != kUnit) {
        twice |= llvm::is_contained(order, c);
        order.push_back(c);
      }
    auto note = [&](llvm::DenseMap<int, int> &map, int c, int neighbour) {
      auto [it, inserted] = map.try_emplace(c, neighbour);
      if (!inserted && it->second != neighbour)
        it->second = kSeveral;
    };
    for (size_t i = 0; i < order.size(); ++i) {
      note(after, order[i], i + 1 < order.size() ? order[i + 1] : kNoOne);
      note(before, order[i], i > 0 ? order[i - 1] : kNoOne);
    }
  }
  if (twice)
    return false;
  for (auto [c, n] : after)
    if (n >= 0 && before[n] == c && !fixedClasses.contains(c) && !fixedClasses.contains(n))
      next[c] = n;
  return true;
}

/// The dims of a value after merging: lists of classes.
SmallVector<SmallVector<int>> Collapse::groupsOf(Value v) {
  SmallVector<SmallVector<int>> groups;
  for (size_t i = 0; i < ids[v].size(); ++i) {
    int c = classOf(v, i);
    if (c == kUnit)
      continue;
    auto it = groups.empty() ? next.end() : next.find(groups.back().back());
    if (it != next.end() && it->second == c)
      groups.back().push_back(c);
    else
      groups.push_back({c});
  }
  return groups;
}

Dims Collapse::shapeOf(Value v) {
  Dims dims;
  for (const SmallVector<int> &group : groupsOf(v)) {
    DimExpr d = 1;
    for (int c : group)
      d = d * size[c];
    dims.push_back(d);
  }
  return dims;
}

Value Collapse::cloneOp(OpBuilder &b, Operation *op, IRMapping &mapping) {
  Location loc = op->getLoc();
  Value result = op->getResult(0);
  Type type = tensorType(shapeOf(result), elementOf(result));
  auto groupIndex = [&](Value v, size_t dim) -> int64_t {
    for (auto [g, group] : llvm::enumerate(groupsOf(v)))
      if (llvm::is_contained(group, classOf(v, dim)))
        return g;
    return -1;
  };
  if (op->hasTrait<Elementwise>()) {
    Operation *clone = b.clone(*op, mapping);
    clone->getResult(0).setType(type);
    return clone->getResult(0);
  }
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](ConstantOp o) -> Value {
        return b.create<ConstantOp>(loc, cast<DenseElementsAttr>(o.getValue()).resizeSplat(cast<ShapedType>(type)));
      })
      .Case([&](ReshapeOp o) { return mapping.lookup(o.getX()); })
      .Case([&](BroadcastOp o) -> Value {
        // 1 where the operand has no such dim.
        SmallVector<SmallVector<int>> from = groupsOf(o.getX());
        Dims aligned;
        for (auto [g, d] : llvm::zip(groupsOf(result), shapeOf(result)))
          aligned.push_back(llvm::is_contained(from, g) ? d : DimExpr(1));
        Value x = mapping.lookup(o.getX());
        auto first = llvm::find_if(aligned, [](const DimExpr &d) { return d != DimExpr(1); });
        aligned = Dims(first, aligned.end());
        Type alignedType = tensorType(aligned, elementOf(x));
        if (x.getType() != alignedType)
          x = b.create<ReshapeOp>(loc, alignedType, x);
        return x.getType() == type ? x : b.create<BroadcastOp>(loc, type, x);
      })
      .Case([&](TransposeOp o) -> Value {
        SmallVector<int64_t> permutation;
        SmallVector<SmallVector<int>> from = groupsOf(o.getX());
        for (const SmallVector<int> &g : groupsOf(result))
          permutation.push_back(llvm::find(from, g) - from.begin());
        return b.create<TransposeOp>(loc, type, mapping.lookup(o.getX()), b.getDenseI64ArrayAttr(permutation));
      })
      .Case([&](ReduceOp o) -> Value {
        SmallVector<int64_t> axes;
        for (int64_t axis : o.getAxes())
          if (int64_t g = groupIndex(o.getX(), axis); g >= 0 && !llvm::is_contained(axes, g))
            axes.push_back(g);
        llvm::sort(axes);
        auto reduce = b.create<ReduceOp>(loc, type, mapping.lookup(o.getX()), b.getDenseI64ArrayAttr(axes), o.getKindAttr());
        reduce->setDiscardableAttrs(o->getDiscardableAttrDictionary());
        return reduce;
      })
      .Case([&](ArgReduceOp o) -> Value {
        int64_t axis = groupIndex(o.getX(), o.getAxis());
        return b.create<ArgReduceOp>(loc, type, mapping.lookup(o.getX()), axis, o.getKind(), o.getLast());
      });
}

void Collapse::rebuild() {
  OpBuilder b(kernel);
  Location loc = kernel.getLoc();
  Block &body = kernel.getBody().front();
  auto viewAs = [&](Value v, Type type) -> Value {
    return v.getType() == type ? v : b.create<ReshapeOp>(loc, type, v);
  };
  SmallVector<Value> operands;
  SmallVector<Type> types;
  for (auto [operand, argument] : llvm::zip(kernel.getOperands(), body.getArguments()))
    operands.push_back(viewAs(operand, tensorType(shapeOf(argument), elementOf(argument))));
  auto yield = cast<YieldOp>(body.getTerminator());
  for (Value v : yield.getValues())
    types.push_back(tensorType(shapeOf(v), elementOf(v)));
  auto collapsed = b.create<KernelOp>(loc, types, operands, kernel.getKind());
  {
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(&collapsed.getBody());
    IRMapping mapping;
    for (auto [operand, argument] : llvm::zip(operands, body.getArguments()))
      mapping.map(argument, block->addArgument(operand.getType(), argument.getLoc()));
    for (Operation &op : body.without_terminator())
      mapping.map(op.getResult(0), cloneOp(b, &op, mapping));
    SmallVector<Value> yielded;
    for (Value v : yield.getValues())
      yielded.push_back(mapping.lookup(v));
    b.create<YieldOp>(loc, yielded);
  }
  for (auto [from, to] : llvm::zip(kernel.getResults(), collapsed.getResults()))
    from.replaceAllUsesWith(viewAs(to, from.getType()));
  kernel.erase();
}

bool Collapse::run() {
  Block &body = kernel.getBody().front();
  for (Value argument : body.getArguments())
    add(argument);
  for (Operation &op : body.without_terminator())
    if (!tie(&op))
      return false;
  if (!merge())
    return false;
  if (llvm::all_of(values, [&](Value v) { return shapeOf(v).size() == dimsOf(v).size(); }))
    return false;
  rebuild();
  return true;
}

struct CollapseDims : optc::impl::CollapseDimsBase<CollapseDims> {
  void runOnOperation() override {
    SmallVector<KernelOp> kernels;
    getOperation().walk([&](KernelOp kernel) {
      if (kernel.getKind() == "loops" || kernel.getKind() == "rows")
        kernels.push_back(kernel);
    });
    for (KernelOp kernel : kernels)
      Collapse(kernel).run();
  }
};
} // namespace
