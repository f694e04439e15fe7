//===- CostModelTest.cpp - Estimates in the order of what was measured ----===//

#include "codegen/kernel/CostModel.h"
#include <gtest/gtest.h>

using namespace optc;

namespace {

double ratio(const char *level, const ProductSize &size, ProductForm form) {
  const MachineModel &machine = *machineModel(level);
  return productCost(machine, size, form) / productCost(machine, size, ProductForm::f32);
}

ProductSize matmul(double m, double k, double n) {
  ProductSize size;
  size.m = m, size.k = k, size.n = n;
  size.constantRhs = true;
  return size;
}

ProductSize conv(double pixels, double channels, double out, double taps, bool winograd = false) {
  ProductSize size = matmul(pixels, channels * taps, out);
  size.kind = ProductSize::Kind::conv;
  size.taps = taps;
  size.winograd = winograd;
  return size;
}

/// Times in 8 bits over times in f32 of compiled products, as they were measured; without what a quantisation behind them takes.
TEST(CostModel, IsNearMeasuredRatios) {
  struct Row {
    const char *level;
    ProductSize size;
    double measured;
  };
  const Row rows[] = {
      {"sse", matmul(128, 768, 768), 0.61},          {"avx2", matmul(128, 768, 768), 0.80},         {"avx2-vnni", matmul(128, 768, 768), 0.31},
      {"avx512", matmul(128, 768, 768), 0.97},       {"avx512-vnni", matmul(128, 768, 768), 0.28},  {"amx", matmul(128, 768, 768), 0.13},
      {"avx2", matmul(1, 768, 3072), 0.47},          {"avx512-vnni", matmul(1, 768, 3072), 0.27},   {"amx", matmul(1, 768, 3072), 0.28},
      {"avx2", conv(3136, 16, 64, 1), 0.97},         {"avx512", conv(3136, 16, 64, 1), 1.03},       {"avx512-vnni", conv(196, 256, 256, 1), 0.29},
      {"avx2", conv(784, 64, 128, 9), 0.84},         {"avx512-vnni", conv(784, 64, 128, 9), 0.24},  {"amx", conv(784, 64, 128, 9), 0.08},
      {"avx512-vnni", conv(3136, 64, 64, 9, true), 0.72}, {"amx", conv(3136, 64, 64, 9, true), 0.23}, {"avx2-vnni", conv(3136, 64, 64, 9, true), 0.72},
  };
  for (const Row &row : rows) {
    double estimated = ratio(row.level, row.size, ProductForm::bytes);
    EXPECT_LT(estimated, row.measured * 1.35) << row.level << " m=" << row.size.m << " k=" << row.size.k;
    EXPECT_GT(estimated, row.measured / 1.35) << row.level << " m=" << row.size.m << " k=" << row.size.k;
  }
}

TEST(CostModel, WinogradBeatsBytesWithoutADotProduct) {
  for (const char *level : {"sse", "avx2", "avx512"})
    EXPECT_GT(ratio(level, conv(3136, 64, 64, 9, true), ProductForm::bytes), 1) << level;
}

/// A dot product of bytes makes depthwise convolutions faster; pairs of 16 bits are no faster than floats.
TEST(CostModel, DepthwiseTakesDotProducts) {
  ProductSize size = conv(784, 1, 144, 25);
  size.kind = ProductSize::Kind::depthwise;
  for (const char *level : {"avx2-vnni", "avx512-vnni", "amx"})
    EXPECT_LT(ratio(level, size, ProductForm::bytes), 1) << level;
  for (const char *level : {"avx2", "avx512"})
    EXPECT_GT(ratio(level, size, ProductForm::bytes), 1) << level;
}

TEST(CostModel, CodedWeightsHelpFewRowsOnly) {
  for (const MachineModel &machine : machineModels()) {
    EXPECT_LT(ratio(machine.name.data(), matmul(1, 768, 3072), ProductForm::codedWeights), 0.5) << machine.name.data();
    EXPECT_GT(ratio(machine.name.data(), matmul(512, 768, 768), ProductForm::codedWeights), 0.9) << machine.name.data();
  }
}

TEST(CostModel, MemoryIsDearerThanACache) {
  const MachineModel &machine = *machineModel("avx2");
  EXPECT_LT(machine.traffic(1 << 18) * 4, machine.traffic(1 << 20) * 1.5);
  EXPECT_GT(machine.traffic(1 << 24), 16 * machine.traffic(1 << 20));
}

} // namespace
