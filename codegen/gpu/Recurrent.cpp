//===- Recurrent.cpp - Recurrent layers on a device -----------------------===//
//
// A launch a step (two for a GRU that resets the state before a product): the next step needs the state of
// all units, and launches that follow each other are recorded as one graph.
//
//   Recurrent<kLstm, 1, 0, 512, 1, 8, false, false>::run({s0, s1}, {x0, x1, ...}, 0.0f, GateSigmoid{...},
//   ..., workspace, error, launch)
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Recurrent.h"
#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/Generators.h"
#include "codegen/gpu/ProductEpilogue.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace optc;

static std::string numberText(Builder &b, double x) {
  return cudaConstant(b.getF32FloatAttr(float(x)), b.getF32Type(), true).text;
}

/// The functor of tile/recurrent.cuh.
static std::string functorOf(Builder &b, const Activation &f) {
  StringRef name = llvm::StringSwitch<StringRef>(f.name)
                       .Case("relu", "Relu")
                       .Case("tanh", "Tanh")
                       .Case("sigmoid", "Sigmoid")
                       .Case("affine", "Affine")
                       .Case("leakyrelu", "LeakyRelu")
                       .Case("thresholdedrelu", "ThresholdedRelu")
                       .Case("scaledtanh", "ScaledTanh")
                       .Case("hardsigmoid", "HardSigmoid")
                       .Case("elu", "Elu")
                       .Case("softsign", "Softsign")
                       .Case("softplus", "Softplus")
                       .Default("");
  return ("Gate" + name + "{" + numberText(b, f.alpha) + ", " + numberText(b, f.beta) + "}").str();
}

LogicalResult optc::generateDeviceRecurrent(DeviceFunction &f) {
  std::optional<RecurrentKernel> c = readRecurrent(f.kernel);
  if (!c || c->directions.size() > 2)
    return failure();
  RecurrentOp op = c->op();
  SmallVector<Activation> functions = activationsOf(op);
  if (functions.empty())
    return failure();
  int64_t directions = int64_t(c->directions.size()), reverse = 0;
  for (auto [d, direction] : llvm::enumerate(c->directions))
    reverse |= int64_t(direction.getReverse()) << d;

  // Rows that share the loads of the weights; fewer units a block where multiprocessors would have nothing to
  // do.
  constexpr int64_t kMostRows = 8, kUnknownRows = 4;
  std::optional<int64_t> batch = c->batch.constant();
  int64_t rows =
      batch ? std::min<int64_t>(kMostRows, llvm::PowerOf2Ceil(std::max<int64_t>(*batch, 1))) : kUnknownRows;
  DimExpr rowBlocks = DimExpr::ceildiv(c->batch, rows);
  auto blocks = (DimExpr(directions * c->panels()) * rowBlocks).constant();
  int64_t units = blocks && *blocks >= kMultiprocessors ? kUnitPanel : kUnitPanel / 2;
  f.library = {"recurrent"};
  f.threads = 256;
  f.items = DimExpr(directions * c->panels() * (kUnitPanel / units)) * rowBlocks;

  bool hasTwoProducts = c->weights.size() == 2;
  int64_t states = hasTwoProducts ? 5 : 3;
  f.useWorkspace(DimExpr(states * directions * c->hidden * 4) * c->batch);
  // Without a step, the states are still results.
  f.repeat(DimExpr::max(c->steps, 1) * DimExpr(hasTwoProducts ? 2 : 1));

  auto nameOf = [&](BlockArgument argument) {
    return argument ? f.parameters[argument.getArgNumber()].name : std::string("nullptr");
  };
  std::string results[3] = {"nullptr", "nullptr", "nullptr"};
  for (auto [i, kind] : llvm::enumerate(c->results))
    results[kind] = f.parameters[f.kernel.getNumOperands() + i].name;
  std::string operands =
      llvm::join(ArrayRef<std::string>{nameOf(c->input), nameOf(c->weights[0]),
                                       hasTwoProducts ? nameOf(c->weights[1]) : "nullptr",
                                       nameOf(c->resetBias), nameOf(c->peephole), nameOf(c->lengths),
                                       nameOf(c->h0), nameOf(c->c0), results[0], results[1], results[2]},
                 ", ");
  std::string length = c->lengths ? cudaType(elementOf(c->lengths)) : "int";
  std::string run = "Recurrent<";
  run += op.getCell() == "lstm" ? "kLstm" : op.getCell() == "gru" ? "kGru" : "kRnn";
  for (int64_t n : {directions, reverse, c->hidden, rows, units})
    run += ", " + std::to_string(n);
  run += std::string(op.getCell() == "gru" && op.getResetAfter() ? ", true" : ", false") +
         (op.getInputForget() ? ", true" : ", false") + ">::run";
  while (functions.size() < 3)
    functions.push_back({"tanh"});
  f.callLibrary(run, {f.size(c->steps), f.size(c->batch)},
                {"RecurrentOperands<" + length + ">{" + operands + "}",
                 numberText(f.b, op.getClip().convertToDouble()), functorOf(f.b, functions[0]),
                 functorOf(f.b, functions[1]), functorOf(f.b, functions[2]), "workspace",
                 f.checksIndices() ? "error" : "nullptr", "launch"});
  return success();
}
