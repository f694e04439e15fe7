//===- Conversions.cpp - Conversions of narrow types, bit for bit ---------===//
//
// Printed kernels run on every code of the formats of 8 bits and fewer, and on the numbers at which a conversion to them rounds
// another way; the evaluator's results have the same bits.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Float.h"
#include "test/codegen/gpu/EmulatedLaunch.h"
#include "test/codegen/gpu/JoinModels.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace optc;

namespace {

const char *kFloats = "f8E4M3FN f8E4M3FNUZ f8E5M2 f8E5M2FNUZ !optc.f8E8M0 !optc.f4E2M1";
const char *kIntegers = "i4 ui4 i2 ui2";

const char *kDecode = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %p: tensor<?xi1, #d>) -> (tensor<?xf32, #d>, tensor<?xf16, #d>, tensor<?xf64, #d>, tensor<?xi32, #d>, tensor<?xui8, #d>, tensor<?xi1, #d>,
    tensor<?xf8E4M3FN, #d>, tensor<?xi4, #d>, tensor<?xT, #d>) {
  %0 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xf32, #d>
  %1 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xf16, #d>
  %2 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xf64, #d>
  %3 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xi32, #d>
  %4 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xui8, #d>
  %5 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xi1, #d>
  %6 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xf8E4M3FN, #d>
  %7 = optc.cast %x : (tensor<?xT, #d>) -> tensor<?xi4, #d>
  %8 = optc.select %p, %x, %x : (tensor<?xi1, #d>, tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : tensor<?xf32, #d>, tensor<?xf16, #d>, tensor<?xf64, #d>, tensor<?xi32, #d>, tensor<?xui8, #d>, tensor<?xi1, #d>,
      tensor<?xf8E4M3FN, #d>, tensor<?xi4, #d>, tensor<?xT, #d>
})";
const char *kEncode = R"(
#d = #optc.dims<["n"]>
func.func @main(%a: tensor<?xf32, #d>, %b: tensor<?xf16, #d>, %c: tensor<?xbf16, #d>, %e: tensor<?xf64, #d>, %f: tensor<?xi64, #d>, %g: tensor<?xui32, #d>, %h: tensor<?xi8, #d>, %p: tensor<?xi1, #d>)
    -> (tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>) {
  %0 = optc.cast %a : (tensor<?xf32, #d>) -> tensor<?xT, #d>
  %1 = optc.cast %a {saturate = false} : (tensor<?xf32, #d>) -> tensor<?xT, #d>
  %2 = optc.cast %b : (tensor<?xf16, #d>) -> tensor<?xT, #d>
  %3 = optc.cast %c : (tensor<?xbf16, #d>) -> tensor<?xT, #d>
  %4 = optc.cast %e {saturate = false} : (tensor<?xf64, #d>) -> tensor<?xT, #d>
  %5 = optc.cast %f : (tensor<?xi64, #d>) -> tensor<?xT, #d>
  %6 = optc.cast %g : (tensor<?xui32, #d>) -> tensor<?xT, #d>
  %7 = optc.cast %h : (tensor<?xi8, #d>) -> tensor<?xT, #d>
  %8 = optc.cast %p : (tensor<?xi1, #d>) -> tensor<?xT, #d>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>
})";
// f8E8M0 is of scales alone.
const char *kQuantize = R"(
#d = #optc.dims<["n"]>
func.func @main(%a: tensor<?xf32, #d>, %s: tensor<?xf32, #d>, %z: tensor<?xT, #d>, %x: tensor<?xT, #d>) -> (tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xf32, #d>, tensor<?xf32, #d>) {
  %0 = optc.quantize %a, %s, %z : (tensor<?xf32, #d>, tensor<?xf32, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.quantize %a, %s {saturate = false} : (tensor<?xf32, #d>, tensor<?xf32, #d>) -> tensor<?xT, #d>
  %2 = optc.dequantize %x, %s, %z : (tensor<?xT, #d>, tensor<?xf32, #d>, tensor<?xT, #d>) -> tensor<?xf32, #d>
  %3 = optc.dequantize %x, %s : (tensor<?xT, #d>, tensor<?xf32, #d>) -> tensor<?xf32, #d>
  return %0, %1, %2, %3 : tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xf32, #d>, tensor<?xf32, #d>
})";

/// Where any of the formats rounds another way: its numbers, halfway between them, and next to both.
std::vector<double> turningPoints() {
  std::vector<double> points = {NAN, -NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e300, -1e300, 1e-300, -1e-300, 3.4028234663852886e38, 0x1p-149, 0x1.8p-149};
  auto add = [&](double x) {
    for (double v : {x, double(std::nextafterf(float(x), INFINITY)), double(std::nextafterf(float(x), -INFINITY)), std::nextafter(x, HUGE_VAL), std::nextafter(x, -HUGE_VAL)}) {
      points.push_back(v);
      points.push_back(-v);
    }
  };
  for (DType type : {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz, DType::f8e8m0, DType::f4e2m1})
    for (int code = 0; code < 256; ++code) {
      double x = decodeSmallFloat(type, uint8_t(code)), next = decodeSmallFloat(type, uint8_t(code + 1));
      if (std::isfinite(x) && x >= 0)
        add(x);
      if (std::isfinite(x) && std::isfinite(next) && next > x)
        add((x + next) / 2);
      // The last step goes on beyond the largest number.
      if (std::isfinite(x) && !(next > x) && x > 0)
        add(x + (x - decodeSmallFloat(type, uint8_t(code - 1))) / 2);
    }
  for (double integer : {127.5, 128.0, 255.0, 256.5, 32767.0, 65535.5, 2147483647.0, 4294967295.0, 0x1p53, 0x1p63, 0x1p64, 0x1p24 + 1, 0x1p32 + 0x1p9})
    add(integer);
  return points;
}

/// All codes of a narrow type; other types take the points in turn. `stride` makes pairs of operands that differ.
HostValue operandOf(mlir::Type type, const Sizes &sizes, const std::vector<double> &points, int64_t stride) {
  HostValue value = randomOperand(type, sizes, 1, Fill::finite);
  int bits = value.type == DType::f4e2m1 || value.type == DType::i4 || value.type == DType::u4 ? 4 : value.type == DType::i2 || value.type == DType::u2 ? 2 : 8;
  for (int64_t i = 0; i < value.size(); ++i) {
    int64_t at = i * stride;
    if (isNarrow(mlir::cast<mlir::RankedTensorType>(type).getElementType())) {
      int code = int(at % (1 << bits));
      bool isSigned = value.type == DType::i4 || value.type == DType::i2;
      value.as<uint8_t>()[i] = uint8_t(isSigned && code >= 1 << (bits - 1) ? code - (1 << bits) : code);
    } else {
      double x = points[size_t(at) % points.size()];
      store(value, i, 1, &x);
    }
  }
  return value;
}

class Conversions : public testing::Test {
protected:
  Conversions() : context(mlir::MLIRContext::Threading::DISABLED) { context.loadDialect<OptcDialect, mlir::func::FuncDialect>(); }

  void check(llvm::ArrayRef<Model> models) {
    auto module = joinModels(models, context);
    ASSERT_TRUE(module);
    auto source = printKernels(*module, {"sm_90"});
    ASSERT_TRUE(bool(source)) << llvm::toString(source.takeError());
    std::vector<Emulator::Kernel> kernels;
    for (const CudaKernel &kernel : source->kernels)
      kernels.push_back({kernel.symbol, kernel.threads, kernel.sharedBytes});
    Emulator emulator(source->text, kernels);
    ASSERT_TRUE(emulator.isReady());
    std::vector<double> points = turningPoints();
    Sizes sizes{{"n", int64_t(points.size()) + 3}};
    for (const CudaKernel &kernel : source->kernels) {
      KernelOp op = kernel.op;
      auto launch = launchOf(kernel, sizes, 0);
      ASSERT_TRUE(bool(launch)) << llvm::toString(launch.takeError());
      std::vector<HostValue> inputs;
      for (auto [i, type] : llvm::enumerate(op.getOperandTypes())) {
        inputs.push_back(operandOf(type, sizes, points, 2 * int64_t(i) + 1));
        std::memcpy(reinterpret_cast<void *>(launch->slots[i]), inputs.back().data, inputs.back().bytes());
      }
      auto expected = evaluateKernel(op, inputs, sizes);
      ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
      launch->run(emulator);
      for (auto [result, right] : llvm::zip(launch->results, *expected)) {
        for (int64_t i = 0; i < right.size(); ++i) {
          size_t width = sizeOf(right.type);
          double a, b;
          load(result, i, 1, &a);
          load(right, i, 1, &b);
          // A NaN has many codes.
          bool same = std::memcmp(result.as<char>() + i * int64_t(width), right.as<char>() + i * int64_t(width), width) == 0 ||
                      (classOf(right.type) == Class::f64 && std::isnan(a) && std::isnan(b));
          ASSERT_TRUE(same) << launch->what << ": element " << i << " is " << a << ", expected " << b;
        }
      }
    }
  }
  mlir::MLIRContext context;
};

} // namespace

TEST_F(Conversions, decodeEveryCode) { check({{kFloats, kDecode}, {kIntegers, kDecode}}); }
TEST_F(Conversions, encodeAtTurningPoints) { check({{kFloats, kEncode}, {kIntegers, kEncode}}); }
TEST_F(Conversions, quantizeAtTurningPoints) { check({{"f8E4M3FN f8E4M3FNUZ f8E5M2 f8E5M2FNUZ !optc.f4E2M1", kQuantize}, {kIntegers, kQuantize}}); }
