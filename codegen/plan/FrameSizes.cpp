//===- FrameSizes.cpp - Registers and the shape program -------------------===//
//
// A dim expression becomes instructions where it is first needed:
//
//   tensor<?x4xf32, [batch, 4]>  ->  r0 = dim 0 of input 0;  r1 = 4;  r2 = mul r0, r1; ...
//
// Instructions whose operands are known on entry run there, so that sizes of the arena are known
// before the first step; the rest run just before the step that needs them.
//
//===----------------------------------------------------------------------===//

#include "codegen/plan/FrameBuilder.h"
#include "codegen/plan/Instructions.h"
#include "ir/eval/Evaluate.h"

using namespace mlir;
using namespace optc;

namespace optc {
/// Emits an expression's instructions; handles are registers.
struct ProgramEmitter : DimExpr::Visitor {
  explicit ProgramEmitter(FrameBuilder &builder) : builder(builder) {}
  FrameBuilder &builder;

  int64_t constant(int64_t value) override { return builder.constantRegister(value); }
  int64_t symbol(StringRef name) override { return builder.symbolRegister(name); }
  int64_t apply(StringRef function, const std::vector<int64_t> &args) override {
    Instruction instruction = instructionOf(function, args);
    bool known = llvm::all_of(args, [&](int64_t r) { return builder.knownOnEntry[r]; });
    instruction.target = builder.newRegister();
    builder.knownOnEntry.push_back(known);
    builder.frame.program.push_back(instruction);
    return instruction.target;
  }
};
} // namespace optc

RegisterId FrameBuilder::constantRegister(int64_t value) {
  auto [it, inserted] = constants.try_emplace(value, 0);
  if (inserted) {
    it->second = newRegister();
    knownOnEntry.push_back(true);
    Instruction instruction;
    instruction.target = it->second;
    instruction.value = value;
    frame.program.push_back(instruction);
  }
  return it->second;
}

RegisterId FrameBuilder::symbolRegister(StringRef symbol) {
  if (auto it = symbols.find(symbol); it != symbols.end())
    return it->second;
  if (!parent)
    return kNone;
  RegisterId outer = parent->symbolRegister(symbol);
  if (outer == kNone)
    return kNone;
  RegisterId inner = newRegister();
  knownOnEntry.push_back(true);
  frame.inherited.push_back({outer, inner});
  return symbols[symbol] = inner;
}

bool FrameBuilder::isDefined(const DimExpr &expr) {
  bool defined = true;
  expr.forEachSymbol([&](StringRef s) { defined &= symbolRegister(s) != kNone; });
  return defined;
}

RegisterId FrameBuilder::expressionRegister(const DimExpr &expr) {
  if (!isDefined(expr))
    return kNone;
  auto [it, inserted] = expressions.try_emplace(expr.str(), 0);
  if (inserted) {
    ProgramEmitter emitter(*this);
    RegisterId r = RegisterId(expr.visit(emitter));
    expressions[expr.str()] = r;
    return r;
  }
  return it->second;
}

void FrameBuilder::bindInputs(ArrayRef<mlir::Value> inputs) {
  SmallVector<std::pair<DimBinding, DimExpr>> others; // may be of symbols that later inputs bring
  for (auto [input, value] : llvm::enumerate(inputs)) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    for (auto [axis, dim] : llvm::enumerate(dimsOf(value))) {
      DimBinding binding{uint32_t(input), uint32_t(axis)};
      auto symbol = dim.asSymbol();
      if (symbol && !symbols.count(*symbol) && (!parent || parent->symbolRegister(*symbol) == kNone)) {
        binding.target = newRegister();
        knownOnEntry.push_back(true);
        symbols[*symbol] = binding.target;
        frame.bindings.push_back(binding);
      } else if (!dim.isConstant() || parent) { // a constant dim of the model's input is checked against its port
        binding.check = true;
        others.push_back({binding, dim});
      }
    }
  }
  for (auto &[binding, dim] : others)
    if ((binding.target = expressionRegister(dim)) != kNone)
      frame.bindings.push_back(binding);
}

void FrameBuilder::defineResultDims(Operation *op, Step &step) {
  for (OpResult result : op->getResults()) {
    if (!isa<RankedTensorType>(result.getType()))
      continue;
    for (auto [axis, dim] : llvm::enumerate(dimsOf(result.getType()))) {
      auto symbol = dim.asSymbol();
      if (!symbol || symbolRegister(*symbol) != kNone)
        continue;
      RegisterId r = newRegister();
      knownOnEntry.push_back(false);
      symbols[*symbol] = r;
      step.definitions.push_back({result.getResultNumber(), uint32_t(axis), r});
    }
  }
}

FailureOr<std::vector<RegisterId>> FrameBuilder::dimRegisters(Operation *op, Type type) {
  std::vector<RegisterId> registers;
  for (const DimExpr &dim : dimsOf(type)) {
    RegisterId r = expressionRegister(dim);
    if (r == kNone)
      return op->emitError("the size '") << dim.str() << "' is not determined by the inputs";
    registers.push_back(r);
  }
  return registers;
}

RegisterId FrameBuilder::byteRegister(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return expressionRegister(numElements(dimsOf(type)) * DimExpr(int64_t(sizeOf(dtypeOf(tensor.getElementType())))));
}
