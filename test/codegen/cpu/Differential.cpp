//===- Differential.cpp - Compiled ops against the evaluator --------------===//

#include "Differential.h"
#include "codegen/cpu/CompileKernels.h"
#include "codegen/package/Package.h"
#include "codegen/plan/PlanBuilder.h"
#include "ir/eval/Evaluate.h"
#include "passes/Pipelines.h"
#include "runtime/Model.h"
#include "runtime/ThreadPool.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include <cmath>
#include <random>

using namespace optc;
using namespace optc::test;
using mlir::cast;
using mlir::dyn_cast;
using mlir::failed;

std::string optc::test::typeText(const std::vector<std::string> &dims, const std::string &element) {
  std::string shape, encoding;
  bool dynamic = false;
  for (const std::string &d : dims) {
    bool constant = d.find_first_not_of("0123456789") == std::string::npos;
    dynamic |= !constant;
    shape += (constant ? d : "?") + "x";
    encoding += (encoding.empty() ? "" : ", ") + (constant ? d : "\"" + d + "\"");
  }
  return "tensor<" + shape + element + (dynamic ? ", #optc.dims<[" + encoding + "]>>" : ">");
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

namespace {

const double kSpecials[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 0.5, -0.5, 2, -2, 1e-45, -1e-45, 1e-39, -1e-39,
                            1.1754944e-38, 3.4028235e38, -3.4028235e38, 65504, -65504, 1.5, 2.5, -2.5, 0.49999997, 3, 1e-8,
                            1.5707964, 3.1415927, -3.1415927, 6.2831855, 100.5, 1e4, -1e5, 1e6, 1e10, -1e22, 8388609, 88.6, 88.73,
                            -87.3, -87.4, -100, -103.9, -104, 16, -20, 0.99999994, -0.99999994, 1.0000001, 1e-4, -1e-4, 9.1, -9.1};

double magnitude(std::mt19937 &random, double low, double high) {
  std::uniform_real_distribution<double> exponent(low, high);
  double x = std::exp2(exponent(random));
  return random() & 1 ? -x : x;
}

void fillFloats(HostValue &value, const Argument &argument, std::mt19937 &random) {
  std::uniform_real_distribution<double> unit(0, 1);
  size_t shift = random();
  for (int64_t i = 0; i < value.size(); ++i) {
    double x = 0;
    switch (argument.fill) {
    case Fill::any:
      // Specials meet every other special of a second operand, as the shift differs; then small ones and all magnitudes.
      if (i < 128 || i % 8 == 0)
        x = kSpecials[(size_t(i) + shift) % std::size(kSpecials)];
      else
        x = i % 2 ? magnitude(random, -4, 7) : i % 4 ? magnitude(random, -20, 20) : magnitude(random, -149, 127);
      break;
    case Fill::moderate: x = 4 * unit(random) - 2; break;
    case Fill::positive: x = 4 * unit(random) + 1e-3; break;
    case Fill::wide: x = i % 8 ? magnitude(random, -4, 30) : 0; break;
    case Fill::index: x = std::floor(unit(random) * double(argument.limit)); break;
    }
    store(value, i, 1, &x);
  }
}

void fillIntegers(HostValue &value, const Argument &argument, std::mt19937 &random) {
  size_t width = 8 * sizeOf(value.type);
  size_t shift = random();
  for (int64_t i = 0; i < value.size(); ++i) {
    uint64_t bits = uint64_t(random()) << 32 | random();
    int64_t x = int64_t(bits);
    if (argument.fill == Fill::index) {
      x = int64_t(bits % uint64_t(2 * argument.limit)) - argument.limit;
    } else if (argument.fill != Fill::any) {
      x = argument.fill == Fill::positive ? int64_t(bits % 4) + 1 : int64_t(bits % 7) - 3;
    } else if (i % 2 == 0) {
      const uint64_t top = uint64_t(1) << (width - 1);
      const uint64_t specials[] = {0, 1, uint64_t(-1), top, top - 1, 2, 3, uint64_t(-3), 7, width, width - 1, 100};
      x = int64_t(specials[(size_t(i / 2) + shift) % std::size(specials)]);
    }
    if (value.type == DType::boolean)
      x &= 1;
    store(value, i, 1, &x);
  }
}

HostValue makeInput(mlir::Type type, const Argument &argument, const llvm::StringMap<int64_t> &symbols, std::mt19937 &random) {
  std::vector<int64_t> dims;
  for (const DimExpr &d : dimsOf(type))
    dims.push_back(*d.evaluate([&](llvm::StringRef s) -> std::optional<int64_t> { return symbols.lookup(s); }));
  HostValue value = HostValue::allocate(dtypeOf(cast<mlir::RankedTensorType>(type).getElementType()), dims);
  if (classOf(value.type) == Class::f64)
    fillFloats(value, argument, random);
  else
    fillIntegers(value, argument, random);
  return value;
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

/// Spacing of a float type's numbers at magnitude x.
double spacing(DType type, double x) {
  int digits = type == DType::f64 ? 53 : type == DType::f32 ? 24 : type == DType::f16 ? 11 : 8;
  int lowest = type == DType::f64 ? -1074 : type == DType::f32 ? -149 : type == DType::f16 ? -24 : -133;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(1, std::max(exponent - digits, lowest));
}

/// Empty when every element is within the bound.
std::string compare(const HostValue &got, const HostValue &expected, Bound bound, std::vector<HostValue> const &inputs) {
  if (got.type != expected.type || got.dims != expected.dims)
    return "type or shape differs";
  auto report = [&](int64_t i, const std::string &a, const std::string &b, double error) {
    std::string text = "element " + std::to_string(i) + " of " + std::to_string(got.size()) + " is " + a + ", expected " + b;
    if (error > 0)
      text += " (" + std::to_string(error) + " ulps)";
    for (const HostValue &input : inputs)
      if (input.size() == got.size()) {
        double x;
        load(input, i, 1, &x);
        char buffer[64];
        snprintf(buffer, sizeof buffer, ", of %.9g", x);
        text += buffer;
      }
    return text;
  };
  if (classOf(expected.type) != Class::f64) {
    for (int64_t i = 0; i < got.size(); ++i) {
      int64_t a, b;
      load(got, i, 1, &a);
      load(expected, i, 1, &b);
      if (a != b)
        return report(i, std::to_string(a), std::to_string(b), 0);
    }
    return "";
  }
  std::string worst;
  double worstError = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    double a, b;
    load(got, i, 1, &a);
    load(expected, i, 1, &b);
    double error = 0, unit = spacing(expected.type, std::isfinite(b) ? b : 0);
    if (std::isnan(a) != std::isnan(b))
      error = INFINITY;
    else if (std::isnan(b) || a == b)
      error = b == 0 && std::signbit(a) != std::signbit(b) ? 0.25 : 0;
    else if (std::isinf(a) && !std::isinf(b))
      // Rounding may carry the largest number over.
      error = std::fabs(b) >= 0.999 * (expected.type == DType::f16 ? 65504 : expected.type == DType::f64 ? 1.7976931e308 : 3.38e38)
                  ? 1 : INFINITY;
    else
      error = std::isinf(b) ? INFINITY : std::fabs(a - b) / unit;
    if (error > bound.ulps && !(std::fabs(a - b) <= bound.absolute && error != 0.25) && error > worstError) {
      char x[64], y[64];
      snprintf(x, sizeof x, "%.9g", a);
      snprintf(y, sizeof y, "%.9g", b);
      worst = report(i, x, y, error);
      worstError = error;
    }
  }
  return worst;
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

struct ScratchFolder {
  llvm::SmallString<128> path;
  ScratchFolder() { (void)llvm::sys::fs::createUniqueDirectory("optc-differential", path); }
  ~ScratchFolder() { (void)llvm::sys::fs::remove_directories(path); }
};

/// One function with all functions' arguments, ops and results; each op's location is its case's name.
mlir::OwningOpRef<mlir::ModuleOp> merge(mlir::ModuleOp parts, const std::vector<Case> &cases) {
  mlir::MLIRContext *context = parts.getContext();
  mlir::OpBuilder b(context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(module->getBody());
  auto main = b.create<mlir::func::FuncOp>(b.getUnknownLoc(), "main", b.getFunctionType({}, {}));
  mlir::Block *block = main.addEntryBlock();
  b.setInsertionPointToEnd(block);
  llvm::SmallVector<mlir::Value> results;
  size_t i = 0;
  for (auto f : parts.getOps<mlir::func::FuncOp>()) {
    auto location = mlir::NameLoc::get(b.getStringAttr(cases[i++].name));
    mlir::IRMapping mapping;
    for (mlir::Value argument : f.getArguments())
      mapping.map(argument, block->addArgument(argument.getType(), location));
    for (mlir::Operation &op : f.getBody().front().without_terminator())
      b.clone(op, mapping)->setLoc(location);
    results.push_back(mapping.lookup(f.getBody().front().getTerminator()->getOperand(0)));
  }
  b.create<mlir::func::ReturnOp>(b.getUnknownLoc(), results);
  main.setType(b.getFunctionType(block->getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(results))));
  return module;
}

/// Cases by the kind of step that their ops ended in.
void checkSteps(const Plan &plan, const std::vector<Case> &cases) {
  llvm::StringMap<bool> inKernel, inLibrary;
  for (const Step &step : plan.frames[0].steps) {
    llvm::SmallVector<llvm::StringRef> names;
    llvm::StringRef(step.name).split(names, '+');
    for (llvm::StringRef name : names)
      (step.kind == Step::Kind::kernel ? inKernel : inLibrary)[name] = true;
  }
  for (const Case &c : cases)
    if (c.library.empty()) {
      EXPECT_TRUE(inKernel.lookup(c.name)) << c.name << ": in no kernel";
      EXPECT_FALSE(inLibrary.lookup(c.name)) << c.name << ": a library step";
    } else {
      EXPECT_TRUE(inLibrary.lookup(c.name)) << c.name << ": now a kernel; drop it from the exceptions (" << c.library << ")";
    }
}

/// What the ops of a function compute, one after the other, on host values.
HostValue evaluateFunction(mlir::func::FuncOp f, const std::vector<HostValue> &inputs, const llvm::StringMap<int64_t> &symbols) {
  llvm::DenseMap<mlir::Value, HostValue> values;
  for (auto [argument, input] : llvm::zip(f.getArguments(), inputs))
    values[argument] = input;
  for (mlir::Operation &op : f.getBody().front()) {
    if (op.hasTrait<mlir::OpTrait::IsTerminator>())
      return values[op.getOperand(0)];
    if (auto constant = dyn_cast<ConstantOp>(op)) {
      values[constant] = *valueOf(constant.getValue());
      continue;
    }
    llvm::SmallVector<const HostValue *> operands;
    for (mlir::Value operand : referenceOperands(&op))
      operands.push_back(operand ? &values[operand] : nullptr);
    llvm::SmallVector<HostValue> outputs;
    Status status = evaluate(&op, operands, outputs, symbols);
    EXPECT_EQ(status.message, "") << op.getName().getStringRef().str();
    for (auto [result, output] : llvm::zip(op.getResults(), outputs))
      values[result] = output;
  }
  return {};
}

} // namespace

void Batch::check(const std::vector<Sizes> &runs) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  std::string text;
  for (auto [i, c] : llvm::enumerate(cases)) {
    text += "func.func @f" + std::to_string(i) + "(";
    for (auto [k, a] : llvm::enumerate(c.arguments))
      text += (k ? ", %" : "%") + std::to_string(k) + ": " + a.type;
    text += ") -> " + c.result + " {\n" + c.body + "\nreturn %y : " + c.result + "\n}\n";
  }
  auto parts = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(parts) << text.substr(0, 2000);
  auto module = merge(*parts, cases);
  mlir::PassManager passes(&context);
  buildPipeline(passes);
  ASSERT_TRUE(succeeded(passes.run(*module)));
  auto built = buildPlan(module->lookupSymbol<mlir::func::FuncOp>("main"));
  ASSERT_TRUE(succeeded(built));
  checkSteps(built->plan, cases);
  auto cpu = parseCpuTarget(target);
  ASSERT_TRUE(bool(cpu)) << llvm::toString(cpu.takeError());
  auto objects = compileKernels(built->kernelTexts, built->kernelNames, *cpu, ThreadPool::availableCores());
  ASSERT_TRUE(bool(objects)) << llvm::toString(objects.takeError());
  ScratchFolder folder;
  std::string path = (folder.path + "/model.so").str();
  auto failure = writeArtefact(*built, {{cpu->name, cpu->suffix, cpu->features, std::move(*objects)}}, path);
  ASSERT_FALSE(bool(failure)) << llvm::toString(std::move(failure));

  std::string error;
  auto model = Model::open(path, error);
  ASSERT_TRUE(model) << error;
  auto session = model->borrow(2);
  std::mt19937 random(1);
  for (const Sizes &sizes : runs) {
    llvm::StringMap<int64_t> symbols;
    std::string label;
    for (const auto &[name, size] : sizes) {
      symbols[name] = size;
      label += " " + name + "=" + std::to_string(size);
    }
    std::vector<std::vector<HostValue>> inputs;
    std::vector<const HostValue *> pointers;
    size_t i = 0;
    for (auto f : parts->getOps<mlir::func::FuncOp>()) {
      inputs.emplace_back();
      for (auto [argument, type] : llvm::zip(cases[i].arguments, f.getArgumentTypes()))
        inputs.back().push_back(makeInput(type, argument, symbols, random));
      ++i;
    }
    for (auto &list : inputs)
      for (auto &value : list)
        pointers.push_back(&value);
    std::vector<HostValue> outputs(cases.size());
    Status status = session->run(pointers, outputs);
    ASSERT_EQ(status.message, "") << label;
    i = 0;
    for (auto f : parts->getOps<mlir::func::FuncOp>()) {
      HostValue expected = evaluateFunction(f, inputs[i], symbols);
      std::string difference = compare(outputs[i], expected, cases[i].bound, inputs[i]);
      EXPECT_EQ(difference, "") << cases[i].name << label;
      ++i;
    }
  }
  model->giveBack(std::move(session));
}
