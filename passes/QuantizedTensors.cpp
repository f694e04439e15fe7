//===- QuantizedTensors.cpp - Which tensors 8 bits pay for ----------------===//

#include "passes/QuantizedTensors.h"
#include "codegen/kernel/AttentionCodes.h"
#include "ir/Locations.h"
#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/Match.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

static bool isF32(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

std::string optc::readQuantizableLayer(Operation *op, QuantizableLayer &layer) {
  layer = {op, {}, -1};
  if (!isF32(op->getResult(0)) || !isF32(op->getOperand(0)) || !isF32(op->getOperand(1)))
    return "it does not compute in f32";
  if (isWeight(op->getOperand(0)) && (isa<ConvOp>(op) || isWeight(op->getOperand(1))))
    return "it reads constants only";
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    if (!isF32(attention.getV()))
      return "it does not compute in f32";
    if (!fitsByteAttention(attention))
      return "its heads are no groups of 4 (q, k) and 16 (v) elements";
    layer.activations = {0, 1, 2};
    return "";
  }
  if (isa<ConvOp>(op)) {
    if (!isWeight(op->getOperand(1)))
      return "its weights are not constant";
    layer.activations = {0};
    layer.weight = 1;
    return "";
  }
  auto contract = cast<ContractOp>(op);
  if (contract.getLhsContract().empty())
    return "it sums over no dim";
  for (unsigned i : {1u, 0u})
    if (layer.weight < 0 && isWeight(op->getOperand(i)))
      layer.weight = int(i);
    else
      layer.activations.insert(layer.activations.begin(), i);
  return "";
}

int64_t optc::weightChannelAxis(const QuantizableLayer &layer) {
  if (isa<ConvOp>(layer.op))
    return cast<ConvOp>(layer.op).getLayout() == "nhwc" ? tensorOf(layer.op->getOperand(1)).getRank() - 1 : 0;
  auto contract = cast<ContractOp>(layer.op);
  bool isRight = layer.weight == 1;
  ArrayRef<int64_t> batch = isRight ? contract.getRhsBatch() : contract.getLhsBatch();
  ArrayRef<int64_t> contracted = isRight ? contract.getRhsContract() : contract.getLhsContract();
  int64_t axis = tensorOf(layer.op->getOperand(layer.weight)).getRank() - 1;
  while (axis >= 0 && (llvm::is_contained(batch, axis) || llvm::is_contained(contracted, axis)))
    --axis;
  return axis;
}

int64_t optc::resultChannelAxis(const QuantizableLayer &layer) {
  if (layer.weight < 0 || weightChannelAxis(layer) < 0)
    return -1;
  int64_t last = tensorOf(layer.op->getResult(0)).getRank() - 1;
  if (auto conv = dyn_cast<ConvOp>(layer.op))
    return conv.getLayout() == "nhwc" ? last : 1;
  // Batch dims, those of the left operand, those of the right.
  auto contract = cast<ContractOp>(layer.op);
  return layer.weight == 1 ? last : tensorOf(contract.getLhs()).getRank() - int64_t(contract.getLhsContract().size()) - 1;
}

/// The operands whose elements the op only moves, all of them activations; none for other ops.
static SmallVector<Value> movedBy(Operation *op) {
  SmallVector<Value> moved = llvm::TypeSwitch<Operation *, SmallVector<Value>>(op)
      .Case<ReshapeOp, TransposeOp, SliceOp, BroadcastOp>([](Operation *o) { return SmallVector<Value>{o->getOperand(0)}; })
      .Case([](ConcatOp o) { return SmallVector<Value>(o.getXs()); })
      .Case([](GatherOp o) { return SmallVector<Value>{o->getOperand(0)}; })
      .Case([](PoolOp o) { return o.getKind() == "max" ? SmallVector<Value>{o.getX()} : SmallVector<Value>(); })
      .Case([](PadOp o) {
        // Zero has a code of its own, other values may not.
        bool isExact = o.getMode() != "constant" || !o.getValue() || splatValue(o.getValue()) == 0.0;
        return isExact ? SmallVector<Value>{o.getX()} : SmallVector<Value>();
      })
      .Case([](ResizeOp o) {
        bool isExact = o.getMode() == "nearest" && o.getCoordinates() != "tf_crop_and_resize";
        return isExact ? SmallVector<Value>{o.getX()} : SmallVector<Value>();
      })
      .Default([](Operation *) { return SmallVector<Value>(); });
  if (!llvm::all_of(moved, [](Value v) { return isF32(v) && !isWeight(v); }))
    return {};
  return moved;
}

void optc::forEachOp(func::FuncOp function, llvm::function_ref<void(Operation *)> visit) {
  function.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    visit(op);
    return isa<KernelOp>(op) ? WalkResult::skip() : WalkResult::advance();
  });
}

void optc::forEachTensor(func::FuncOp function, llvm::function_ref<void(Value)> visit) {
  llvm::for_each(function.getArguments(), visit);
  forEachOp(function, [&](Operation *op) {
    llvm::for_each(op->getResults(), visit);
    for (Region &region : op->getRegions())
      if (!isa<KernelOp>(op))
        llvm::for_each(region.getArguments(), visit);
  });
}

QuantizedTensors::QuantizedTensors(func::FuncOp function, llvm::function_ref<bool(const QuantizableLayer &)> isLowered) {
  forEachOp(function, [&](Operation *op) {
    unsigned position = positions.size();
    positions[op] = position;
    QuantizableLayer layer;
    if (isa<ConvOp, ContractOp, AttentionOp>(op) && readQuantizableLayer(op, layer).empty() && isLowered(layer)) {
      lowered.push_back(layer);
      writers[op->getResult(0)] = op;
    } else if (op->hasTrait<Elementwise>()) {
      // It joins the kernel of the last layer among its operands.
      Operation *writer = nullptr;
      for (Value operand : op->getOperands())
        if (Operation *w = operand.hasOneUse() ? writers.lookup(operand) : nullptr)
          if (w->getBlock() == op->getBlock() && (!writer || positions[writer] < positions[w]))
            writer = w;
      if (writer)
        writers[op->getResult(0)] = writer;
    }
  });
  // q, k and v may be parts of one tensor, of ranges that have nothing in common.
  for (const QuantizableLayer &layer : lowered)
    for (unsigned i : layer.activations)
      demand(layer.op->getOperand(i), /*throughSlices=*/!isa<AttentionOp>(layer.op));
  for (size_t i = 0; i < found.size(); ++i) // grows meanwhile
    followBack(found[i]);

  forEachTensor(function, [&](Value value) {
    if (found.contains(value))
      ordered.push_back(value);
  });
}

void QuantizedTensors::demand(Value value, bool throughSlices) {
  SmallVector<Value> open{value};
  while (!open.empty()) {
    Value v = open.pop_back_val();
    if (!demanded.insert(v).second)
      continue;
    Operation *op = v.getDefiningOp();
    SmallVector<Value> sources = op && (throughSlices || !isa<SliceOp>(op)) ? movedBy(op) : SmallVector<Value>();
    if (sources.empty())
      found.insert(v);
    for (Value source : sources) {
      classes.unionSets(v.getAsOpaquePointer(), source.getAsOpaquePointer());
      open.push_back(source);
    }
  }
}

SmallVector<Value> QuantizedTensors::sourcesOf(Value operand) const {
  SmallVector<Value> open{operand}, sources;
  llvm::DenseSet<Value> seen;
  while (!open.empty()) {
    Value v = open.pop_back_val();
    if (!seen.insert(v).second)
      continue;
    if (found.contains(v)) {
      sources.push_back(v);
      continue;
    }
    if (Operation *op = v.getDefiningOp())
      llvm::append_range(open, movedBy(op));
  }
  return sources;
}

/// True when one kernel computes both: `value` is never in memory.
bool QuantizedTensors::staysInRegisters(Value value, Operation *user) const {
  Operation *producer = value.getDefiningOp();
  if (!producer || !value.hasOneUse() || !user->hasTrait<Elementwise>() || producer->getBlock() != user->getBlock())
    return false;
  Operation *writer = writers.lookup(value);
  if (!writer)
    return producer->hasTrait<Elementwise>();
  return writer == writers.lookup(user->getResult(0));
}

/// Demands the layers' results that `tensor` is computed from by cheap ops.
void QuantizedTensors::followBack(Value tensor) {
  SmallVector<Value> open{tensor};
  while (!open.empty()) {
    Operation *op = open.pop_back_val().getDefiningOp();
    if (!op || op->getNumResults() != 1)
      continue;
    auto reduce = dyn_cast<ReduceOp>(op);
    bool isCheap = op->hasTrait<Elementwise>() || isa<PoolOp, ResizeOp>(op) || (reduce && reduce.getKind() == "mean");
    if (!isCheap)
      continue;
    for (Value operand : op->getOperands())
      if (!isF32(operand) || isWeight(operand))
        continue;
      else if (staysInRegisters(operand, op))
        open.push_back(operand);
      else if (writers.contains(operand))
        demand(operand);
  }
}

//===----------------------------------------------------------------------===//
// What is written on the IR
//===----------------------------------------------------------------------===//

/// Where the range of a value is written: on an argument of the function, else on an op under a name of its own.
struct RangePlace {
  func::FuncOp function;
  unsigned argument = 0;
  Operation *op = nullptr;
  std::string name = kRange.str();
};
static RangePlace placeOf(Value value) {
  RangePlace place;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    place.op = argument.getOwner()->getParentOp();
    place.function = dyn_cast<func::FuncOp>(place.op);
    place.argument = argument.getArgNumber();
    place.name += ".argument" + std::to_string(place.argument);
  } else {
    place.op = value.getDefiningOp();
    if (unsigned number = cast<OpResult>(value).getResultNumber())
      place.name += ".result" + std::to_string(number);
  }
  return place;
}

std::optional<ElementRange> optc::rangeOf(Value value) {
  RangePlace place = placeOf(value);
  Attribute attribute = place.function ? place.function.getArgAttr(place.argument, kRange) : place.op->getAttr(place.name);
  auto pair = dyn_cast_or_null<DenseF64ArrayAttr>(attribute);
  return pair && pair.size() == 2 ? std::optional(ElementRange{pair[0], pair[1]}) : std::nullopt;
}

void optc::setRange(Value value, ElementRange range) {
  auto pair = DenseF64ArrayAttr::get(value.getContext(), {range.low, range.high});
  RangePlace place = placeOf(value);
  if (place.function)
    place.function.setArgAttr(place.argument, kRange, pair);
  else
    place.op->setAttr(place.name, pair);
}

void optc::clearRanges(Operation *op) {
  for (NamedAttribute attribute : llvm::to_vector(op->getDiscardableAttrs()))
    if (attribute.getName().getValue().starts_with(kRange))
      op->removeAttr(attribute.getName());
  if (auto function = dyn_cast<func::FuncOp>(op))
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      function.removeArgAttr(i, kRange);
}

llvm::DenseMap<Value, std::string> optc::nameTensors(func::FuncOp function) {
  llvm::DenseMap<Value, std::string> names;
  llvm::StringMap<unsigned> taken;
  auto give = [&](Value value, std::string name) {
    unsigned number = taken[name]++;
    names[value] = number == 0 ? name : name + "#" + std::to_string(number);
  };
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "optc.name");
    give(argument, name ? name.str() : "input_" + std::to_string(argument.getArgNumber()));
  }
  // An importer makes constants and broadcasts at its node, too: what the node computes goes first.
  for (bool isPrepared : {false, true})
    forEachTensor(function, [&](Value value) {
      Operation *op = value.getDefiningOp();
      if (names.contains(value) || isa_and_nonnull<ConstantOp, BroadcastOp>(op) != isPrepared)
        return;
      auto nodes = nodesOf(value.getLoc());
      give(value, !nodes.empty() ? nodes.front() : op ? op->getName().stripDialect().str() : "carried");
    });
  return names;
}
