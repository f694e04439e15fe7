//===- LowerRecurrentTest.cpp - Lowered layers by the evaluator -----------===//
//
// The functions of LowerRecurrent.mlir give the same before and after the pass: what the kernels hold states
// what they compute, packed weights included.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Evaluate.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include <gtest/gtest.h>
#include <random>

using namespace optc;
using mlir::cast;
using mlir::dyn_cast;

namespace {

using HostValues = std::vector<HostValue>;

/// What a block's terminator returns, kernels' regions included.
HostValues run(mlir::Block &block, const HostValues &inputs, const llvm::StringMap<int64_t> &symbols) {
  llvm::DenseMap<mlir::Value, HostValue> values;
  for (auto [argument, input] : llvm::zip(block.getArguments(), inputs))
    values[argument] = input;
  auto valuesOf = [&](mlir::ValueRange range) {
    HostValues list;
    for (mlir::Value v : range)
      list.push_back(values[v]);
    return list;
  };
  for (mlir::Operation &op : block.without_terminator()) {
    HostValues results;
    if (auto constant = dyn_cast<ConstantOp>(op)) {
      results = {*valueOf(constant.getValue())};
    } else if (auto kernel = dyn_cast<KernelOp>(op)) {
      results = run(kernel.getBody().front(), valuesOf(kernel.getOperands()), symbols);
    } else {
      llvm::SmallVector<const HostValue *> operands;
      for (mlir::Value operand : referenceOperands(&op))
        operands.push_back(operand ? &values[operand] : nullptr);
      llvm::SmallVector<HostValue> outputs;
      Status status = evaluate(&op, operands, outputs, symbols);
      EXPECT_EQ(status.message, "") << op.getName().getStringRef().str();
      results.assign(outputs.begin(), outputs.end());
    }
    for (auto [result, value] : llvm::zip(op.getResults(), results))
      values[result] = value;
  }
  return valuesOf(block.getTerminator()->getOperands());
}

} // namespace

TEST(LowerRecurrent, KernelsStateWhatTheyCompute) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  auto module =
      mlir::parseSourceFile<mlir::ModuleOp>(OPTC_TEST_DATA "/../passes/LowerRecurrent.mlir", &context);
  ASSERT_TRUE(module);
  mlir::OwningOpRef<mlir::ModuleOp> lowered = module->clone();
  mlir::PassManager passes(&context);
  passes.addNestedPass<mlir::func::FuncOp>(createLowerRecurrent());
  ASSERT_TRUE(succeeded(passes.run(*lowered)));

  llvm::StringMap<int64_t> symbols{{"t", 4}, {"b", 3}, {"other", 3}};
  std::mt19937 random(1);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (auto [before, after] :
       llvm::zip(module->getOps<mlir::func::FuncOp>(), lowered->getOps<mlir::func::FuncOp>())) {
    HostValues inputs;
    for (mlir::Type type : before.getArgumentTypes()) {
      std::vector<int64_t> dims;
      for (const DimExpr &d : dimsOf(type))
        dims.push_back(
            *d.evaluate([&](llvm::StringRef s) -> std::optional<int64_t> { return symbols.lookup(s); }));
      inputs.push_back(
          HostValue::allocate(dtypeOf(cast<mlir::RankedTensorType>(type).getElementType()), dims));
      for (int64_t i = 0; i < inputs.back().size(); ++i) {
        double x = unit(random);
        store(inputs.back(), i, 1, &x);
      }
    }
    HostValues expected = run(before.getBody().front(), inputs, symbols),
               got = run(after.getBody().front(), inputs, symbols);
    ASSERT_EQ(expected.size(), got.size());
    for (auto [x, y] : llvm::zip(expected, got)) {
      ASSERT_EQ(x.dims, y.dims);
      for (int64_t i = 0; i < x.size(); ++i) {
        double a, b;
        load(x, i, 1, &a);
        load(y, i, 1, &b);
        EXPECT_NEAR(a, b, 1e-5) << before.getName().str() << " at " << i;
      }
    }
  }
}
