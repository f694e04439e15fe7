//===- Emulation.cpp - Printed CUDA against the evaluator -----------------===//
//
// Kernels are printed for a GPU, compiled as host C++ on top of emulate.h, and run on random values; each
// result is compared with what the evaluator makes of the kernel's ops. No GPU and no CUDA are needed.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/CudaSource.h"
#include "codegen/kernel/Kernel.h"
#include "ir/eval/Evaluate.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <random>

using namespace optc;
using mlir::cast;
using mlir::dyn_cast;

namespace {

using Sizes = llvm::StringMap<int64_t>;
constexpr size_t kGuard = 64; // bytes behind a result that nobody may write

/// A folder that goes with the test.
struct ScratchFolder {
  llvm::SmallString<128> path;
  ScratchFolder() { (void)llvm::sys::fs::createUniqueDirectory("optc-emulation", path); }
  ~ScratchFolder() { (void)llvm::sys::fs::remove_directories(path); }
};

std::vector<int64_t> sizesOf(mlir::Type type, const Sizes &sizes) {
  std::vector<int64_t> dims;
  for (const DimExpr &d : dimsOf(type))
    dims.push_back(*d.evaluate([&](llvm::StringRef s) -> std::optional<int64_t> { return sizes.lookup(s); }));
  return dims;
}

/// Small numbers, so that sums stay exact enough to compare; now and then, but not in every row, what is
/// special.
HostValue randomValue(mlir::Type type, const Sizes &sizes, std::mt19937 &random) {
  HostValue value =
      HostValue::allocate(dtypeOf(cast<mlir::RankedTensorType>(type).getElementType()), sizesOf(type, sizes));
  std::uniform_real_distribution<double> small(-2, 2);
  for (int64_t i = 0; i < value.size(); ++i) {
    if (classOf(value.type) == Class::f64) {
      const double specials[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0};
      double x = random() % 97 == 0 ? specials[random() % std::size(specials)] : small(random);
      store(value, i, 1, &x);
    } else {
      int64_t x = int64_t(random() % 7) - (classOf(value.type) == Class::i64 ? 3 : 0);
      store(value, i, 1, &x);
    }
  }
  return value;
}

/// What the kernel's ops compute, one after the other.
std::vector<HostValue> evaluateKernel(KernelOp kernel, const std::vector<HostValue> &inputs,
                                      const Sizes &sizes) {
  llvm::DenseMap<mlir::Value, HostValue> values;
  for (auto [argument, input] : llvm::zip(kernel.getBody().getArguments(), inputs))
    values[argument] = input;
  std::vector<HostValue> results;
  for (mlir::Operation &op : kernel.getBody().front()) {
    if (auto constant = dyn_cast<ConstantOp>(op)) {
      values[constant] = *valueOf(constant.getValue());
      continue;
    }
    if (auto yield = dyn_cast<YieldOp>(op)) {
      for (mlir::Value v : yield.getValues())
        results.push_back(values[v]);
      break;
    }
    llvm::SmallVector<const HostValue *> operands;
    for (mlir::Value operand : referenceOperands(&op))
      operands.push_back(operand ? &values[operand] : nullptr);
    llvm::SmallVector<HostValue> outputs;
    EXPECT_EQ(evaluate(&op, operands, outputs, sizes).message, "");
    values[op.getResult(0)] = outputs.front();
  }
  return results;
}

/// What rounding may differ by: between the ops of a kernel the evaluator rounds to the type, the kernel does
/// not.
double toleranceOf(DType type) {
  switch (type) {
  case DType::f64:
    return 1e-12;
  case DType::f16:
    return 2e-2;
  case DType::bf16:
    return 4e-2;
  default:
    return 2e-5;
  }
}

void compare(const HostValue &got, const HostValue &expected, const std::string &what) {
  double tolerance = toleranceOf(got.type);
  int64_t wrong = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    bool same = true;
    double a, b;
    load(got, i, 1, &a);
    load(expected, i, 1, &b);
    if (classOf(got.type) == Class::f64)
      same = a == b || (std::isnan(a) && std::isnan(b)) ||
             std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(b));
    else
      same = a == b;
    if (!same && wrong++ == 0)
      ADD_FAILURE() << what << ": element " << i << " of " << got.size() << " is " << a << ", expected " << b;
  }
}

/// Runs each kernel once and compares its results.
void check(const CudaSource &source, void *library, const Sizes &sizes) {
  std::mt19937 random(1);
  for (const CudaKernel &kernel : source.kernels) {
    KernelOp op = kernel.op;
    std::vector<HostValue> inputs;
    for (mlir::Type type : op.getOperandTypes())
      inputs.push_back(randomValue(type, sizes, random));
    std::vector<HostValue> expected = evaluateKernel(op, inputs, sizes);
    std::vector<HostValue> outputs;
    std::vector<std::shared_ptr<unsigned char>> memory;
    std::vector<uint64_t> slots;
    // Aligned as on a device, with a guard behind.
    auto place = [&](size_t bytes) {
      size_t whole = (bytes + kGuard + 255) / 256 * 256;
      memory.emplace_back(static_cast<unsigned char *>(std::aligned_alloc(256, whole)), std::free);
      std::memset(memory.back().get(), 0xa5, whole);
      slots.push_back(reinterpret_cast<uint64_t>(memory.back().get()));
      return memory.back().get();
    };
    for (const HostValue &input : inputs)
      std::memcpy(place(input.bytes()), input.data, input.bytes());
    for (auto [i, result] : llvm::enumerate(expected)) {
      void *own = place(result.bytes());
      auto operand = inPlaceOperand(op, i);
      outputs.emplace_back(result.type, result.dims,
                           operand ? reinterpret_cast<void *>(slots[*operand]) : own);
    }
    Sizes canonical;
    for (auto [i, symbol] : llvm::enumerate(kernel.symbols)) {
      slots.push_back(sizes.lookup(symbol));
      canonical["s" + std::to_string(i)] = sizes.lookup(symbol);
    }
    int32_t error = 0;
    if (kernel.checksIndices)
      slots.push_back(reinterpret_cast<uint64_t>(&error));
    auto run = reinterpret_cast<void (*)(const uint64_t *, int64_t)>(
        dlsym(library, ("run_" + kernel.symbol).c_str()));
    ASSERT_TRUE(run);
    run(slots.data(), *kernel.blocks.evaluate(
                          [&](llvm::StringRef s) -> std::optional<int64_t> { return canonical.lookup(s); }));
    for (size_t i = 0; i < outputs.size(); ++i) {
      std::string what;
      llvm::raw_string_ostream(what) << op;
      compare(outputs[i], expected[i], what);
      const unsigned char *guard = static_cast<unsigned char *>(outputs[i].data) + outputs[i].bytes();
      EXPECT_TRUE(std::all_of(guard, guard + kGuard, [](unsigned char c) { return c == 0xa5; }))
          << what << ": written beyond its end";
    }
  }
}

/// A function, and the element types that stand for T in it.
struct Model {
  const char *elements;
  const char *text;
};

// Dims: n dynamic.
const char *kElementwise = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<?xT, #d>) -> tensor<?xT, #d> {
  %0 = optc.add %x, %y : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.mul %0, %x : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %2 = optc.max %1, %y : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  return %2 : tensor<?xT, #d>
})";
const char *kBroadcast = R"(
#d = #optc.dims<["n", 96]>
func.func @main(%x: tensor<?x96xT, #d>, %b: tensor<96xT>, %c: tensor<1xT>) -> tensor<?x96xT, #d> {
  %0 = optc.broadcast %b : (tensor<96xT>) -> tensor<?x96xT, #d>
  %1 = optc.add %x, %0 : (tensor<?x96xT, #d>, tensor<?x96xT, #d>) -> tensor<?x96xT, #d>
  %2 = optc.broadcast %c : (tensor<1xT>) -> tensor<?x96xT, #d>
  %3 = optc.sub %1, %2 : (tensor<?x96xT, #d>, tensor<?x96xT, #d>) -> tensor<?x96xT, #d>
  return %3 : tensor<?x96xT, #d>
})";
const char *kTransposed = R"(
func.func @main(%x: tensor<5x7x12xT>, %y: tensor<12x5x7xT>) -> tensor<12x5x7xT> {
  %0 = optc.transpose %x {permutation = array<i64: 2, 0, 1>} : (tensor<5x7x12xT>) -> tensor<12x5x7xT>
  %1 = optc.sub %0, %y : (tensor<12x5x7xT>, tensor<12x5x7xT>) -> tensor<12x5x7xT>
  return %1 : tensor<12x5x7xT>
})";
const char *kMask = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<?xT, #d>, %m: tensor<?xi1, #d>) -> (tensor<?xT, #d>, tensor<?xi1, #d>) {
  %0 = optc.compare %x, %y {predicate = "lt"} : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xi1, #d>
  %1 = optc.and %0, %m : (tensor<?xi1, #d>, tensor<?xi1, #d>) -> tensor<?xi1, #d>
  %2 = optc.select %1, %x, %y : (tensor<?xi1, #d>, tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  return %2, %1 : tensor<?xT, #d>, tensor<?xi1, #d>
})";
const char *kIntegers = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<?xT, #d>) -> (tensor<?xT, #d>, tensor<?xf32, #d>) {
  %0 = optc.div %x, %y : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.mod %x, %y {truncate = false} : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %2 = optc.sub %0, %1 : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %3 = optc.cast %2 : (tensor<?xT, #d>) -> tensor<?xf32, #d>
  return %2, %3 : tensor<?xT, #d>, tensor<?xf32, #d>
})";
const char *kGather = R"(
func.func @main(%x: tensor<10x8xT>, %i: tensor<3xi64>) -> tensor<3x8xT> {
  %0 = optc.gather %x, %i {axis = 0 : i64} : (tensor<10x8xT>, tensor<3xi64>) -> tensor<3x8xT>
  return %0 : tensor<3x8xT>
})";
const char *kTable = R"(
func.func @main(%i: tensor<3xi64>) -> tensor<3x64xf32> {
  %0 = optc.constant dense<[0.5, 1.5, -2.0, 0.25]> : tensor<4xT>
  %1 = optc.broadcast %0 : (tensor<4xT>) -> tensor<80x16x4xT>
  %2 = optc.reshape %1 : (tensor<80x16x4xT>) -> tensor<80x64xT>
  %3 = optc.cast %2 : (tensor<80x64xT>) -> tensor<80x64xf32>
  %4 = optc.gather %3, %i {axis = 0 : i64} : (tensor<80x64xf32>, tensor<3xi64>) -> tensor<3x64xf32>
  return %4 : tensor<3x64xf32>
})";
const char *kActivations = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>) -> tensor<?xT, #d> {
  %0 = optc.gelu %x {approximate = "none"} : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.silu %0 : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %2 = optc.softplus %1 : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %3 = optc.tanh %2 : (tensor<?xT, #d>) -> tensor<?xT, #d>
  return %3 : tensor<?xT, #d>
})";
// The second kernel writes over what the first has made.
const char *kInPlaceOps = R"(
func.func @main(%x: tensor<10x8xT>, %i: tensor<3xi64>, %y: tensor<3x8xT>) -> tensor<3x8xT> {
  %0 = optc.gather %x, %i {axis = 0 : i64} : (tensor<10x8xT>, tensor<3xi64>) -> tensor<3x8xT>
  %1 = optc.mul %0, %0 : (tensor<3x8xT>, tensor<3x8xT>) -> tensor<3x8xT>
  %2 = optc.sub %y, %1 : (tensor<3x8xT>, tensor<3x8xT>) -> tensor<3x8xT>
  return %2 : tensor<3x8xT>
})";
// Movement: an element at a time.
const char *kMovement = R"(
func.func @main(%x: tensor<4x6xT>, %y: tensor<3x6xT>) -> (tensor<7x9xT>, tensor<2x6xT>) {
  %0 = optc.concat %x, %y {axis = 0 : i64} : (tensor<4x6xT>, tensor<3x6xT>) -> tensor<7x6xT>
  %1 = optc.pad %0 {low = #optc.dims<[0, 2]>, mode = "reflect"} : (tensor<7x6xT>) -> tensor<7x9xT>
  %2 = optc.slice %x {starts = #optc.dims<[3, 5]>, strides = #optc.dims<[-2, -1]>} : (tensor<4x6xT>) -> tensor<2x6xT>
  %3 = optc.add %2, %2 : (tensor<2x6xT>, tensor<2x6xT>) -> tensor<2x6xT>
  return %1, %3 : tensor<7x9xT>, tensor<2x6xT>
})";
// Rows: of a warp's part, of a warp, of a block, in a loop, of unknown length, across.
const char *kSoftmaxes = R"(
#d = #optc.dims<[3, "n"]>
func.func @main(%a: tensor<5x10xT>, %b: tensor<9x128xT>, %c: tensor<2x2048xT>, %e: tensor<2x1000xT>, %f: tensor<3x?xT, #d>, %g: tensor<2x17x24xT>)
    -> (tensor<5x10xT>, tensor<9x128xT>, tensor<2x2048xT>, tensor<2x1000xT>, tensor<3x?xT, #d>, tensor<2x17x24xT>) {
  %0 = optc.softmax %a {axis = 1 : i64} : (tensor<5x10xT>) -> tensor<5x10xT>
  %1 = optc.softmax %b {axis = 1 : i64} : (tensor<9x128xT>) -> tensor<9x128xT>
  %2 = optc.softmax %c {axis = 1 : i64} : (tensor<2x2048xT>) -> tensor<2x2048xT>
  %3 = optc.softmax %e {axis = 1 : i64} : (tensor<2x1000xT>) -> tensor<2x1000xT>
  %4 = optc.softmax %f {axis = 1 : i64} : (tensor<3x?xT, #d>) -> tensor<3x?xT, #d>
  %5 = optc.softmax %g {axis = 1 : i64} : (tensor<2x17x24xT>) -> tensor<2x17x24xT>
  return %0, %1, %2, %3, %4, %5 : tensor<5x10xT>, tensor<9x128xT>, tensor<2x2048xT>, tensor<2x1000xT>, tensor<3x?xT, #d>, tensor<2x17x24xT>
})";
const char *kNormalize = R"(
#d = #optc.dims<["n", 768]>
func.func @main(%x: tensor<?x768xT, #d>, %r: tensor<?x768xT, #d>, %w: tensor<768xT>, %b: tensor<768xT>) -> (tensor<?x768xT, #d>, tensor<?x768xT, #d>) {
  %s = optc.add %x, %r : (tensor<?x768xT, #d>, tensor<?x768xT, #d>) -> tensor<?x768xT, #d>
  %n = optc.normalize %s scale %w bias %b {axis = 1 : i64, epsilon = 1.0e-5 : f64, kind = "layer"} : (tensor<?x768xT, #d>, tensor<768xT>, tensor<768xT>) -> tensor<?x768xT, #d>
  return %s, %n : tensor<?x768xT, #d>, tensor<?x768xT, #d>
})";
const char *kReductions = R"(
#d = #optc.dims<["n", 33]>
#r = #optc.dims<["n"]>
#w = #optc.dims<[4, "n"]>
func.func @main(%x: tensor<?x33xT, #d>, %y: tensor<4x?xT, #w>, %z: tensor<6x64xT>) -> (tensor<?xT, #r>, tensor<?xT, #r>, tensor<4xT>, tensor<?xT, #r>, tensor<6xi64>, tensor<4xi64>) {
  %0 = optc.reduce %x {axes = array<i64: 1>, kind = "sum"} : (tensor<?x33xT, #d>) -> tensor<?xT, #r>
  %1 = optc.reduce %x {axes = array<i64: 1>, kind = "max"} : (tensor<?x33xT, #d>) -> tensor<?xT, #r>
  %2 = optc.reduce %y {axes = array<i64: 1>, kind = "min"} : (tensor<4x?xT, #w>) -> tensor<4xT>
  %3 = optc.reduce %y {axes = array<i64: 0>, kind = "sum"} : (tensor<4x?xT, #w>) -> tensor<?xT, #r>
  %4 = optc.arg_reduce %z {axis = 1 : i64, kind = "max", last = false} : (tensor<6x64xT>) -> tensor<6xi64>
  %5 = optc.arg_reduce %y {axis = 1 : i64, kind = "min", last = true} : (tensor<4x?xT, #w>) -> tensor<4xi64>
  return %0, %1, %2, %3, %4, %5 : tensor<?xT, #r>, tensor<?xT, #r>, tensor<4xT>, tensor<?xT, #r>, tensor<6xi64>, tensor<4xi64>
})";

const Model kModels[] = {
    {"f32 f16 bf16 f64 i64 i8 ui16", kElementwise},
    {"f32 f16 i32", kBroadcast},
    {"f32 i8", kTransposed},
    {"f32 i64", kMask},
    {"i8 i16 i32 i64 ui8", kIntegers},
    {"f32", kGather},
    {"f16 bf16 f8E4M3FN f8E5M2", kTable},
    {"f32 i64", kInPlaceOps},
    {"f32 f16", kActivations},
    {"f32 i1", kMovement},
    {"f32 f16 bf16", kSoftmaxes},
    {"f32 f16", kNormalize},
    {"f32 f16 i8 i32 i64", kReductions},
};

/// All models as one: the arguments, ops and results of each function in turn.
mlir::OwningOpRef<mlir::ModuleOp> allModels(mlir::MLIRContext &context) {
  mlir::OpBuilder b(&context);
  mlir::Location loc = b.getUnknownLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  b.setInsertionPointToEnd(module->getBody());
  auto main = b.create<mlir::func::FuncOp>(loc, "main", b.getFunctionType({}, {}));
  mlir::Block *block = main.addEntryBlock();
  b.setInsertionPointToEnd(block);
  llvm::SmallVector<mlir::Value> results;
  for (const Model &model : kModels) {
    llvm::SmallVector<llvm::StringRef> elements;
    llvm::StringRef(model.elements).split(elements, ' ');
    for (llvm::StringRef element : elements) {
      std::string text;
      for (const char *c = model.text; *c; ++c)
        text += *c == 'T' && c[-1] == 'x' ? element.str() : std::string(1, *c);
      auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
      if (!parsed)
        return nullptr;
      auto f = parsed->lookupSymbol<mlir::func::FuncOp>("main");
      mlir::IRMapping mapping;
      for (mlir::Value argument : f.getArguments())
        mapping.map(argument, block->addArgument(argument.getType(), loc));
      for (mlir::Operation &op : f.getBody().front().without_terminator())
        b.clone(op, mapping);
      for (mlir::Value result : f.getBody().front().getTerminator()->getOperands())
        results.push_back(mapping.lookup(result));
    }
  }
  b.create<mlir::func::ReturnOp>(loc, results);
  main.setType(b.getFunctionType(block->getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(results))));
  return module;
}

} // namespace

TEST(Emulation, agreesWithTheEvaluator) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  auto module = allModels(context);
  ASSERT_TRUE(module);
  mlir::PassManager passes(&context);
  buildPipeline(passes);
  ASSERT_TRUE(succeeded(passes.run(*module)));
  CudaSource source = emitCuda(module->lookupSymbol<mlir::func::FuncOp>("main"), {"sm_90"},
                               [](mlir::Operation *) { return llvm::SmallVector<std::string>(); });
  for (const std::string &problem : source.problems)
    ADD_FAILURE() << problem;
  EXPECT_GT(source.kernels.size(), 60u);
  EXPECT_TRUE(
      llvm::any_of(source.kernels, [](const CudaKernel &k) { return inPlaceOperand(k.op, 0).has_value(); }));

  ScratchFolder folder;
  std::string file = (folder.path + "/kernels.cpp").str(), output = (folder.path + "/kernels.so").str();
  {
    std::error_code error;
    llvm::raw_fd_ostream os(file, error);
    os << "#include \"" OPTC_EMULATE "\"\n" << source.text;
    for (const CudaKernel &kernel : source.kernels)
      os << "extern \"C\" void run_" << kernel.symbol << "(const uint64_t *slots, int64_t blocks) { launch("
         << kernel.symbol << ", slots, blocks, " << kernel.threads << "); }\n";
  }
  ASSERT_EQ(llvm::sys::ExecuteAndWait(OPTC_CXX, {OPTC_CXX, "-std=c++20", "-O1", "-w", "-ffp-contract=off",
                                                 "-shared", "-fPIC", file, "-o", output}),
            0);
  void *library = dlopen(output.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(library) << dlerror();
  for (int64_t n : {1, 3, 37, 1031})
    check(source, library, {{"n", n}});
  dlclose(library);
}
