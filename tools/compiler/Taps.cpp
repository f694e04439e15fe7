//===- Taps.cpp - Tensors inside a model, made outputs --------------------===//

#include "tools/compiler/Taps.h"
#include "ir/Dialect.h"
#include "ir/Shape.h"

using namespace mlir;
using namespace optc;

namespace {

/// Brings values out of branches and loops.
class Outwards {
public:
  Outwards(func::FuncOp function, ArrayRef<Tap> taps) : top(&function.getBody().front()) {
    for (const Tap &tap : taps)
      values.push_back(tap.value);
  }

  ArrayRef<Value> atTop() {
    for (size_t i = 0; i < values.size(); ++i)
      while (values[i].getParentBlock() != top) {
        Operation *around = values[i].getParentBlock()->getParentOp();
        if (auto branch = dyn_cast<IfOp>(around))
          leaveBranch(branch, i);
        else
          leaveLoop(cast<LoopOp>(around), i);
      }
    return values;
  }

private:
  void leaveBranch(IfOp op, size_t i) {
    Value value = values[i];
    SmallVector<Type> types(op->getResultTypes());
    types.push_back(list(freshSize(), value));
    for (Region &region : op->getRegions()) {
      Operation *yield = region.front().getTerminator();
      OpBuilder b(yield);
      bool isHere = value.getParentRegion() == &region;
      yield->insertOperands(yield->getNumOperands(), isHere ? flat(b, value) : none(b, value));
    }
    OperationState state(op.getLoc(), op->getName());
    state.addOperands(op->getOperands());
    state.addTypes(types);
    values[i] = replace(op, state, types.size() - 1);
  }

  void leaveLoop(LoopOp op, size_t i) {
    Value value = values[i];
    unsigned position = op.getInit().size();
    SmallVector<Type> types(op->getResultTypes());
    types.insert(types.begin() + position, list(freshSize(), value));
    Block &body = op.getBody().front();
    DimExpr before = freshSize();
    Value soFar = body.addArgument(list(before, value), op.getLoc());
    OpBuilder b(body.getTerminator());
    Value now = b.create<ConcatOp>(op.getLoc(), list(before + numElements(dimsOf(value)), value), ValueRange{soFar, flat(b, value)}, 0);
    body.getTerminator()->insertOperands(position + 1, now); // the condition comes first
    b.setInsertionPoint(op);
    SmallVector<Value> init(op.getInit());
    init.push_back(none(b, value));
    OperationState state(op.getLoc(), op->getName());
    LoopOp::build(b, state, types, op.getTripCount(), op.getCondition(), init);
    state.regions.clear();
    values[i] = replace(op, state, position);
  }

  /// The op as `state` says, with the regions of `op` and one more result, which is returned.
  Value replace(Operation *op, OperationState &state, unsigned position) {
    OpBuilder b(op);
    state.addAttributes(llvm::to_vector(op->getDiscardableAttrs()));
    for (Region &region : op->getRegions())
      state.addRegion()->takeBody(region);
    Operation *twin = b.create(state);
    for (OpResult result : op->getResults()) {
      unsigned number = result.getResultNumber();
      Value same = twin->getResult(number < position ? number : number + 1);
      result.replaceAllUsesWith(same);
      for (Value &value : values)
        if (value == result)
          value = same;
    }
    op->erase();
    return twin->getResult(position);
  }

  DimExpr freshSize() { return DimExpr::symbol("$tap." + std::to_string(sizes++)); }
  static Type list(const DimExpr &n, Value like) { return tensorType({n}, elementOf(like)); }
  static Value flat(OpBuilder &b, Value value) {
    return b.create<ReshapeOp>(value.getLoc(), list(numElements(dimsOf(value)), value), value);
  }
  static Value none(OpBuilder &b, Value like) {
    auto type = RankedTensorType::get({0}, elementOf(like));
    return b.create<ConstantOp>(like.getLoc(), DenseElementsAttr::get(type, ArrayRef<Attribute>()));
  }

  Block *top;
  SmallVector<Value> values;
  unsigned sizes = 0;
};

} // namespace

void optc::addOutputs(func::FuncOp function, ArrayRef<Tap> taps) {
  Operation *terminator = function.getBody().front().getTerminator();
  Builder b(function.getContext());
  Outwards outwards(function, taps);
  for (auto [tap, value] : llvm::zip(taps, outwards.atTop())) {
    auto name = b.getDictionaryAttr(b.getNamedAttr("optc.name", b.getStringAttr("tap:" + tap.name)));
    function.insertResult(function.getNumResults(), value.getType(), name);
    terminator->insertOperands(terminator->getNumOperands(), value);
  }
}
