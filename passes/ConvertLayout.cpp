//===- ConvertLayout.cpp - Convolutions in channels-last ------------------===//
//
// ONNX convolutions are [N, C, spatial...]; kernels want channels innermost. Walking forward, every
// op that can work on either layout gets a twin on the channels-last twin of its operands:
//
//   y = conv x, w; z = max y, 0; p = pool z
//   =>  x' = transpose x;  y' = conv x', w' {nhwc};  z' = max y', 0;  p' = pool z' {nhwc};  p = transpose p'
//
// The first layout is made back where something still uses it; dead halves are erased. So conversions remain
// only at the edges of the region that profits.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

namespace optc {
#define GEN_PASS_DEF_CONVERTLAYOUT
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// [N, C, s...] -> [N, s..., C]
SmallVector<int64_t> toLast(int64_t rank) {
  SmallVector<int64_t> permutation{0};
  for (int64_t i = 2; i < rank; ++i)
    permutation.push_back(i);
  permutation.push_back(1);
  return permutation;
}
/// [N, s..., C] -> [N, C, s...]
SmallVector<int64_t> toFirst(int64_t rank) {
  SmallVector<int64_t> permutation{0, rank - 1};
  for (int64_t i = 1; i + 1 < rank; ++i)
    permutation.push_back(i);
  return permutation;
}
int64_t axisInLast(int64_t axis, int64_t rank) { return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1; }

template <typename T> SmallVector<T> permute(ArrayRef<T> values, ArrayRef<int64_t> permutation) {
  SmallVector<T> out;
  for (int64_t p : permutation)
    out.push_back(values[p]);
  return out;
}

class LayoutConverter {
public:
  explicit LayoutConverter(MLIRContext *context) : b(context) {}

  void convert(Block &block) {
    SmallVector<Operation *> ops;
    for (Operation &op : block.without_terminator())
      ops.push_back(&op);
    for (Operation *op : ops) {
      b.setInsertionPointAfter(op);
      if (auto transpose = dyn_cast<TransposeOp>(op); transpose && comesFromLast(transpose))
        twins[transpose.getY()] = transpose.getX();
      if (Value twin = twinOf(op)) {
        Value original = op->getResult(0);
        twins[original] = twin;
        // What does not know the twin reads this transpose.
        auto back = b.create<TransposeOp>(op->getLoc(), twin, toFirst(tensorOf(twin).getRank()));
        // Reading the result through the transpose keeps twins[] usable for later ops: they look through it.
        original.replaceAllUsesWith(back);
        twins[back] = twin;
      }
    }
  }

private:
  /// A result of a channels-last convolution that was turned back.
  static bool comesFromLast(TransposeOp op) {
    int64_t rank = tensorOf(op.getX()).getRank();
    if (rank < 3 || op.getPermutation() != ArrayRef<int64_t>(toFirst(rank)))
      return false;
    Operation *producer = op.getX().getDefiningOp();
    while (producer && (producer->hasTrait<Elementwise>() || isa<ReshapeOp, TransposeOp, SliceOp>(producer)))
      producer = producer->getOperand(0).getDefiningOp();
    auto conv = dyn_cast_or_null<ConvOp>(producer);
    return conv && conv.getLayout() == "nhwc";
  }
  Type lastType(Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return tensorType(permute<DimExpr>(dimsOf(type), toLast(tensor.getRank())), tensor.getElementType());
  }
  bool hasTwin(Value v) const { return twins.count(v); }

  /// The channels-last twin, made by a transpose where there is none yet.
  Value last(Value v) {
    if (auto it = twins.find(v); it != twins.end())
      return it->second;
    // A broadcast of few elements is redone rather than moved.
    if (auto broadcast = v.getDefiningOp<BroadcastOp>()) {
      int64_t rank = tensorOf(v).getRank();
      Dims dims = dimsOf(broadcast.getX());
      Dims full(rank - dims.size(), DimExpr(1));
      full.append(dims);
      auto ranked = b.create<ReshapeOp>(v.getLoc(), tensorType(full, elementOf(v)), broadcast.getX());
      auto moved = b.create<TransposeOp>(v.getLoc(), ranked, toLast(rank));
      return b.create<BroadcastOp>(v.getLoc(), lastType(v.getType()), moved);
    }
    return b.create<TransposeOp>(v.getLoc(), v, toLast(tensorOf(v).getRank()));
  }

  Value twinOf(Operation *op) {
    return llvm::TypeSwitch<Operation *, Value>(op)
        .Case([&](ConvOp o) -> Value {
          if (o.getLayout() == "nhwc")
            return {};
          // [O, C, k...] -> [k..., C, O]
          int64_t rank = tensorOf(o.getW()).getRank();
          SmallVector<int64_t> permutation;
          for (int64_t i = 2; i < rank; ++i)
            permutation.push_back(i);
          permutation.append({1, 0});
          Value w = b.create<TransposeOp>(o.getLoc(), o.getW(), permutation);
          auto twin = b.create<ConvOp>(o.getLoc(), lastType(o.getType()), last(o.getX()), w, o.getStrides(), o.getDilations(),
                                       o.getPadsLow(), o.getPadsHigh(), o.getGroups(), "nhwc");
          // What was decided of it holds of its twin.
          twin->setDiscardableAttrs(o->getDiscardableAttrDictionary());
          return twin;
        })
        .Case([&](ConvTransposeOp o) -> Value {
          if (o.getLayout() == "nhwc")
            return {};
          // [C, O, k...] -> [k..., C, O]
          int64_t rank = tensorOf(o.getW()).getRank();
          SmallVector<int64_t> permutation;
          for (int64_t i = 2; i < rank; ++i)
            permutation.push_back(i);
          permutation.append({0, 1});
          Value w = b.create<TransposeOp>(o.getLoc(), o.getW(), permutation);
          return b.create<ConvTransposeOp>(o.getLoc(), lastType(o.getType()), last(o.getX()), w, o.getStrides(), o.getDilations(),
                                           o.getPadsLow(), o.getPadsHigh(), o.getOutputPadding(), o.getGroups(), "nhwc");
        })
        .Case([&](PoolOp o) -> Value {
          if (o.getLayout() == "nhwc" || !hasTwin(o.getX()))
            return {};
          return b.create<PoolOp>(o.getLoc(), lastType(o.getType()), last(o.getX()), o.getKind(), o.getWindow(), o.getStrides(),
                                  o.getDilations(), o.getPadsLow(), o.getPadsHigh(), o.getCeil(), o.getCountPadding(), o.getP(), "nhwc");
        })
        .Case([&](ConcatOp o) -> Value {
          if (llvm::none_of(o.getXs(), [&](Value x) { return hasTwin(x); }))
            return {};
          SmallVector<Value> xs;
          for (Value x : o.getXs())
            xs.push_back(last(x));
          return b.create<ConcatOp>(o.getLoc(), lastType(o.getType()), xs, axisInLast(o.getAxis(), tensorOf(o.getY()).getRank()));
        })
        .Case([&](SliceOp o) -> Value {
          if (!hasTwin(o.getX()))
            return {};
          auto permutation = toLast(tensorOf(o.getX()).getRank());
          return b.create<SliceOp>(o.getLoc(), lastType(o.getType()), last(o.getX()),
                                   DimsAttr::get(b.getContext(), permute<DimExpr>(o.getStarts().dims(), permutation)),
                                   DimsAttr::get(b.getContext(), permute<DimExpr>(o.getStrides().dims(), permutation)));
        })
        .Case([&](PadOp o) -> Value {
          if (!hasTwin(o.getX()))
            return {};
          auto permutation = toLast(tensorOf(o.getX()).getRank());
          return b.create<PadOp>(o.getLoc(), lastType(o.getType()), last(o.getX()), o.getValue(),
                                 DimsAttr::get(b.getContext(), permute<DimExpr>(o.getLow().dims(), permutation)), o.getMode());
        })
        .Case([&](BroadcastOp o) -> Value {
          if (!hasTwin(o.getX()) || tensorOf(o.getX()).getRank() != tensorOf(o.getY()).getRank())
            return {};
          return b.create<BroadcastOp>(o.getLoc(), lastType(o.getType()), last(o.getX()));
        })
        .Case([&](ResizeOp o) -> Value {
          if (!hasTwin(o.getX()) || o->getNumOperands() != 1 || !o.getRoi().empty())
            return {};
          auto permutation = toLast(tensorOf(o.getX()).getRank());
          IRMapping mapping;
          mapping.map(o.getX(), last(o.getX()));
          auto twin = cast<ResizeOp>(b.clone(*o.getOperation(), mapping));
          twin.getY().setType(cast<RankedTensorType>(lastType(o.getType())));
          twin.setScales(permute<double>(o.getScales(), permutation));
          return twin.getY();
        })
        .Case([&](ReduceOp o) -> Value {
          convertReduce(o);
          return {};
        })
        .Default([&](Operation *o) -> Value { return o->hasTrait<Elementwise>() ? elementwise(o) : Value(); });
  }

  Value elementwise(Operation *op) {
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type || type.getRank() < 3 || op->getNumResults() != 1)
      return {};
    // Another activation without a twin would have to be moved: only when most operands need not be.
    unsigned with = 0, moved = 0;
    for (Value v : op->getOperands()) {
      with += hasTwin(v);
      moved += !hasTwin(v) && !isWeight(v) && !v.getDefiningOp<BroadcastOp>();
    }
    if (with == 0 || moved > with)
      return {};
    IRMapping mapping;
    for (Value v : op->getOperands())
      if (!mapping.contains(v))
        mapping.map(v, last(v));
    Operation *twin = b.clone(*op, mapping);
    twin->getResult(0).setType(lastType(type));
    return twin->getResult(0);
  }

  /// A reduction whose kept dims come in the same order needs no transpose after it.
  void convertReduce(ReduceOp op) {
    if (!hasTwin(op.getX()))
      return;
    int64_t rank = tensorOf(op.getX()).getRank();
    SmallVector<int64_t> kept, axes;
    for (int64_t i = 0; i < rank; ++i)
      if (llvm::is_contained(op.getAxes(), i))
        axes.push_back(axisInLast(i, rank));
      else
        kept.push_back(axisInLast(i, rank));
    if (!llvm::is_sorted(kept))
      return;
    llvm::sort(axes);
    auto twin = b.create<ReduceOp>(op.getLoc(), op.getType(), last(op.getX()), axes, op.getKind());
    op.getY().replaceAllUsesWith(twin);
  }

  OpBuilder b;
  llvm::DenseMap<Value, Value> twins;
};

struct ConvertLayout : optc::impl::ConvertLayoutBase<ConvertLayout> {
  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation().walk([&](Block *block) { blocks.push_back(block); });
    for (Block *block : blocks)
      LayoutConverter(&getContext()).convert(*block);
  }
};
} // namespace
