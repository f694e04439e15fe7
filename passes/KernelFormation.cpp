//===- KernelFormation.cpp - What the kernel-forming passes share ---------===//

#include "passes/KernelFormation.h"
#include "codegen/kernel/SmallFloat.h"
#include "ir/Shape.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace optc;

bool optc::hasEmittableTypes(Operation *op, bool gpu) {
  auto emittable = [gpu](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return false;
    Type e = tensor.getElementType();
    if (gpu && isNarrow(e))
      return true;
    if (e.isF32() || e.isF64() || e.isF16() || e.isBF16())
      return true;
    auto integer = dyn_cast<IntegerType>(e);
    return integer && (integer.getWidth() == 1 || integer.getWidth() >= 8);
  };
  return llvm::all_of(op->getOperandTypes(), emittable) && llvm::all_of(op->getResultTypes(), emittable);
}

bool optc::isSplatConstant(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant && constant.getValue().isSplat();
}

bool optc::isFree(Operation *op) {
  if (auto dequantize = dyn_cast<DequantizeOp>(op))
    return elementOf(dequantize.getX()).isInteger(8);
  auto broadcast = dyn_cast<BroadcastOp>(op);
  return broadcast && broadcast.getX().getType() != broadcast.getType();
}

KernelOp optc::buildKernel(ArrayRef<Operation *> ops, ArrayRef<Value> results, StringRef kind, Operation *position,
                           llvm::function_ref<void(OpBuilder &, Operation *, IRMapping &)> clone) {
  llvm::SmallPtrSet<Operation *, 32> inside(ops.begin(), ops.end());
  llvm::SetVector<Value> operands;
  SmallVector<Location> locations;
  for (Operation *op : ops) {
    locations.push_back(op->getLoc());
    for (Value operand : op->getOperands())
      if (!isSplatConstant(operand) && (!operand.getDefiningOp() || !inside.contains(operand.getDefiningOp())))
        operands.insert(operand);
  }
  OpBuilder builder(position);
  Location location = builder.getFusedLoc(locations);
  SmallVector<Type> types;
  for (Value result : results)
    types.push_back(result.getType());
  auto kernel = builder.create<KernelOp>(location, types, operands.getArrayRef(), kind);
  Block *body = builder.createBlock(&kernel.getBody());
  IRMapping mapping;
  for (Value operand : operands)
    mapping.map(operand, body->addArgument(operand.getType(), operand.getLoc()));
  for (Operation *op : ops) {
    for (Value operand : op->getOperands())
      if (isSplatConstant(operand) && !mapping.contains(operand))
        mapping.map(operand, builder.clone(*operand.getDefiningOp())->getResult(0));
    clone(builder, op, mapping);
  }
  SmallVector<Value> yielded;
  for (Value result : results)
    yielded.push_back(mapping.lookup(result));
  builder.create<YieldOp>(location, yielded);
  for (auto [result, replacement] : llvm::zip(results, kernel.getResults()))
    Value(result).replaceAllUsesWith(replacement);
  return kernel;
}
