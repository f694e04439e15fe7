//===- WeightTest.cpp - What is known at compile time ---------------------===//

#include "ir/eval/Weight.h"
#include "ir/Dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace optc;

namespace {

class WeightTest : public testing::Test {
protected:
  WeightTest() { context.loadDialect<OptcDialect, mlir::func::FuncDialect>(); }

  /// Whether the operands of the function's return are weights.
  std::vector<bool> weights(const std::string &body) {
    module = mlir::parseSourceString<mlir::ModuleOp>(body, &context);
    std::vector<bool> are;
    if (module)
      for (mlir::Value v : (*module->getOps<mlir::func::FuncOp>().begin()).getBody().front().getTerminator()->getOperands())
        are.push_back(isWeight(v));
    return are;
  }

  /// Columns of a by rows of b: the attributes of a contraction.
  const std::string product = "{lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}";

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(WeightTest, ConstantsAndWhatIsNotMuchLarger) {
  EXPECT_THAT(weights(R"(func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    %c = optc.constant dense<1.0> : tensor<4xf32>
    %n = optc.neg %c : (tensor<4xf32>) -> tensor<4xf32>
    %y = optc.add %x, %n : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    return %c, %n, %y : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  })"),
              testing::ElementsAre(true, true, false));
}

// 4 MB out of 4 kB are not packaged by themselves, but may be part of what is.
TEST_F(WeightTest, LargeBroadcast) {
  EXPECT_THAT(weights(R"(func.func @f() -> tensor<1024x1024xf32> {
    %c = optc.constant dense<1.0> : tensor<1024xf32>
    %b = optc.broadcast %c : (tensor<1024xf32>) -> tensor<1024x1024xf32>
    return %b : tensor<1024x1024xf32>
  })"),
              testing::ElementsAre(false));
  EXPECT_THAT(weights(R"(func.func @f(%i: tensor<2xi64>) -> tensor<1024x1024xf32> {
    %c = optc.constant dense<1.0> : tensor<1024xf32>
    %w = optc.constant dense<2.0> : tensor<1024x1024xf32>
    %b = optc.broadcast %c : (tensor<1024xf32>) -> tensor<1024x1024xf32>
    %s = optc.mul %w, %b : (tensor<1024x1024xf32>, tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
    return %s : tensor<1024x1024xf32>
  })"),
              testing::ElementsAre(true));
}

// w + b * a of rank 1, the product reshaped: each part is a weight, though b * a alone is larger than 1 MB and its factors.
TEST_F(WeightTest, ProductAddedToAWeight) {
  EXPECT_THAT(weights(R"(func.func @f() -> (tensor<1024x1024xf32>, tensor<1024x1024xf32>) {
    %b = optc.constant dense<1.0> : tensor<1024x1xf32>
    %a = optc.constant dense<1.0> : tensor<1x1024xf32>
    %w = optc.constant dense<2.0> : tensor<1024x1024xf32>
    %p = optc.contract %b, %a )" + product + R"( : (tensor<1024x1xf32>, tensor<1x1024xf32>) -> tensor<1024x1024xf32>
    %t = optc.transpose %p {permutation = array<i64: 1, 0>} : (tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
    %s = optc.add %w, %t : (tensor<1024x1024xf32>, tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
    return %s, %w : tensor<1024x1024xf32>, tensor<1024x1024xf32>
  })"),
              testing::ElementsAre(true, true));
  // The product's moved value is asked for itself: only the sum reads it.
  unsigned asked = 0;
  module->walk([&](mlir::Operation *op) {
    if (mlir::isa<TransposeOp, ContractOp>(op)) {
      EXPECT_TRUE(isWeight(op->getResult(0)));
      ++asked;
    }
  });
  EXPECT_EQ(asked, 2u);
}

// A product that another reader needs whole is none.
TEST_F(WeightTest, ProductReadWhole) {
  weights(R"(func.func @f(%x: tensor<2x1024xf32>) -> tensor<2x1024xf32> {
    %b = optc.constant dense<1.0> : tensor<1024x1xf32>
    %a = optc.constant dense<1.0> : tensor<1x1024xf32>
    %p = optc.contract %b, %a )" +
          product + R"( : (tensor<1024x1xf32>, tensor<1x1024xf32>) -> tensor<1024x1024xf32>
    %y = optc.contract %x, %p )" +
          product + R"( : (tensor<2x1024xf32>, tensor<1024x1024xf32>) -> tensor<2x1024xf32>
    return %y : tensor<2x1024xf32>
  })");
  unsigned asked = 0;
  module->walk([&](ContractOp op) {
    EXPECT_FALSE(isWeight(op.getY()));
    ++asked;
  });
  EXPECT_EQ(asked, 2u);
}

// Products of one activation, one on the other a hundred deep, as attention's are: asking takes no longer than the chain is.
TEST_F(WeightTest, ProductsOfActivations) {
  std::string body = "func.func @f(%v0: tensor<4x4xf32>) -> tensor<4x4xf32> {\n";
  for (int i = 0; i < 100; ++i) {
    std::string v = "%v" + std::to_string(i), n = std::to_string(i);
    body += "%p" + n + " = optc.contract " + v + ", " + v + product + " : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>\n";
    body += "%v" + std::to_string(i + 1) + " = optc.add %p" + n + ", %p" + n + " : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>\n";
  }
  EXPECT_THAT(weights(body + "return %v100 : tensor<4x4xf32>\n}"), testing::ElementsAre(false));
}

// x + x a hundred times: each value is looked at once, and what it counts does not overflow.
TEST_F(WeightTest, SharedExpressions) {
  std::string body = "func.func @f() -> tensor<4x4xf32> {\n%v0 = optc.constant dense<1.0> : tensor<4x4xf32>\n";
  for (int i = 0; i < 100; ++i) {
    std::string v = "%v" + std::to_string(i);
    body += "%v" + std::to_string(i + 1) + " = optc.add " + v + ", " + v + " : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>\n";
  }
  EXPECT_THAT(weights(body + "return %v100 : tensor<4x4xf32>\n}"), testing::ElementsAre(true));
}

} // namespace
