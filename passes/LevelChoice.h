//===- LevelChoice.h - 8 bits that gain on every level ----------*- C++ -*-===//
//
// One choice of layers for all CPU levels of an artefact, as they share its weights and plan: a layer that is cheaper in f32 on
// one of them stays there on all. Taking a layer away may make its neighbours' conversions too dear, so the levels
// choose again until none takes another. What reads the model's input may stay in f32 at some cost.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_LEVELCHOICE_H
#define OPTC_PASSES_LEVELCHOICE_H

#include "codegen/kernel/CostModel.h"
#include "passes/PrecisionGraph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

/// On a quantised product: why it computes in f32.
inline constexpr llvm::StringLiteral kComputeFloat = "optc.compute_float";

/// The models of these levels; an error names the one that is unknown.
mlir::FailureOr<llvm::SmallVector<const MachineModel *>> machinesOf(mlir::func::FuncOp function, llvm::ArrayRef<std::string> levels);

class LevelChoice {
public:
  /// `graphOf` gives the same layers for every level, with its costs.
  LevelChoice(llvm::ArrayRef<const MachineModel *> machines, llvm::function_ref<PrecisionGraph(const MachineModel &)> graphOf);

  const PrecisionLabels &inBytes() const { return labels; }
  /// Takes the layers that read one of the model's inputs into f32, where that is a small part of the estimated time: why, or
  /// nullopt. An input is real: its rounding is what most of a convolutional network's error comes from.
  std::optional<std::string> readInputInFloat(llvm::ArrayRef<int> layers);
  /// Why a layer stays in f32.
  std::string reason(int layer) const;
  /// The regions left in f32, for the report.
  void note(mlir::func::FuncOp function, llvm::function_ref<mlir::Operation *(int)> opOf) const;

private:
  struct Region : PrecisionGraph::Region {
    llvm::StringRef level;
  };
  std::vector<PrecisionGraph> graphs; // by level
  PrecisionLabels labels;
  std::vector<Region> regions;
  std::vector<int> regionOf; // by layer; -1: in 8 bits
};

} // namespace optc

#endif // OPTC_PASSES_LEVELCHOICE_H
