//===- WriteBundle.cpp - Kernels for a GPU to be tried on -----------------===//
//
//   gpu-bundle FOLDER TARGET MODELS...
//
// Compiles the kernels of the given models (ONNX, text or binary) and of those in Models.h to cubins, and
// writes what a machine with a GPU needs to run and check them (Bundle.h). Needs NVRTC, no GPU.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Nvrtc.h"
#include "codegen/kernel/Kernel.h"
#include "frontend/Importer.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/codegen/gpu/Bundle.h"
#include "test/codegen/gpu/EvaluateKernel.h"
#include "test/codegen/gpu/KernelValues.h"
#include "test/codegen/gpu/Models.h"
#include "test/codegen/gpu/TileProducts.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <array>

using namespace optc;
using mlir::cast;

namespace {

llvm::Error makeError(const std::string &message) { return llvm::createStringError(message); }

/// "mul,add: f32 8x16, f32 16 -> f32 8x16"
std::string summaryOf(const BundleCase &c, KernelOp op) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (mlir::Operation &inner : op.getBody().front())
    if (!mlir::isa<YieldOp, ConstantOp, ReshapeOp>(inner))
      os << (text.empty() ? "" : ",") << inner.getName().stripDialect();
  auto list = [&](const auto &tensors, const char *separator) {
    for (const auto &t : tensors) {
      os << separator << nameOf(t.type) << ' ';
      llvm::interleave(t.dims, os, "x");
      separator = ", ";
    }
  };
  list(c.operands, ": ");
  list(c.results, " -> ");
  return text;
}

class BundleWriter {
public:
  BundleWriter(std::string folder, GpuTarget target, Nvrtc &nvrtc)
      : folder(std::move(folder)), target(std::move(target)), nvrtc(nvrtc),
        expected(this->folder + "/expected", error) {
    bundle.target = this->target.name;
  }
  llvm::Error add(mlir::ModuleOp module, llvm::ArrayRef<Sizes> sizes, bool timed,
                  const char *printedFor = nullptr);
  /// Products, too large to be evaluated: compared in kRows rows, which `cut` computes.
  llvm::Error addProducts(mlir::ModuleOp module, mlir::ModuleOp cut, const char *printedFor = nullptr);
  static constexpr int64_t kRows = 16;
  /// The tile library's products in every type and layout (TileProducts.h).
  llvm::Error addTileProducts();
  llvm::Error finish();
  size_t count() const { return bundle.cases.size(); }

private:
  llvm::Expected<CudaSource> compile(mlir::ModuleOp module, std::string *cubin, const char *printedFor);
  llvm::Error writeCubin(const std::string &text, std::string &cubin);
  BundleCase describe(const CudaKernel &kernel, const Sizes &sizes, bool timed, const std::string &cubin,
                      std::vector<HostValue> &inputs);
  void expect(BundleCase &c, KernelOp op, size_t i, const Sizes &sizes, const HostValue &whole,
              const std::vector<int64_t> &positions);
  /// The elements at `positions`; of none all.
  void writeExpected(const Value &whole, const std::vector<int64_t> &positions);
  llvm::Error addCase(const CudaKernel &kernel, const Sizes &sizes, bool timed, const std::string &cubin);

  std::string folder;
  GpuTarget target;
  Nvrtc &nvrtc;
  std::error_code error;
  llvm::raw_fd_ostream expected;
  Bundle bundle;
  int cubins = 0;
  uint64_t seed = 0;
};

/// Lowers the module and prints its kernels, for an older chip where one is named; compiles them where a
/// cubin is asked for, and gives its name.
llvm::Expected<CudaSource> BundleWriter::compile(mlir::ModuleOp module, std::string *cubin,
                                                 const char *printedFor) {
  mlir::PassManager passes(module.getContext());
  PipelineOptions options;
  options.gpu = true;
  buildPipeline(passes, options);
  if (failed(passes.run(module)))
    return makeError("the passes failed");
  CudaSource source =
      emitCuda(module.lookupSymbol<mlir::func::FuncOp>("main"), printedFor ? GpuTarget{printedFor} : target,
               [](mlir::Operation *) { return llvm::SmallVector<std::string>(); });
  if (!source.problems.empty())
    return makeError(source.problems.front());
  if (cubin)
    if (llvm::Error failure = writeCubin(source.text, *cubin))
      return std::move(failure);
  return source;
}

llvm::Error BundleWriter::writeCubin(const std::string &text, std::string &cubin) {
  auto image = nvrtc.compile(text, target);
  if (!image)
    return image.takeError();
  cubin = std::to_string(cubins++) + ".cubin";
  llvm::raw_fd_ostream os(folder + "/" + cubin, error);
  os << *image;
  return llvm::Error::success();
}

/// All kernels of a model, in each of the sizes.
llvm::Error BundleWriter::add(mlir::ModuleOp module, llvm::ArrayRef<Sizes> sizes, bool timed,
                              const char *printedFor) {
  std::string cubin;
  auto source = compile(module, &cubin, printedFor);
  if (!source)
    return source.takeError();
  for (const CudaKernel &kernel : source->kernels)
    for (const Sizes &s : kernel.symbols.empty() ? sizes.take_front() : sizes)
      if (llvm::Error failure = addCase(kernel, s, timed, cubin))
        return failure;
  return llvm::Error::success();
}

/// The launch and its operands.
BundleCase BundleWriter::describe(const CudaKernel &kernel, const Sizes &sizes, bool timed,
                                  const std::string &cubin, std::vector<HostValue> &inputs) {
  KernelOp op = kernel.op;
  BundleCase c{cubin,
               kernel.symbol,
               "",
               blocksOf(kernel, sizes),
               kernel.threads,
               kernel.sharedBytes,
               kernel.residentBlocks,
               kernel.checksIndices,
               timed,
               0,
               sizeArguments(kernel, sizes),
               {},
               {},
               {}};
  for (auto [i, type] : llvm::enumerate(op.getOperandTypes())) {
    inputs.push_back(randomOperand(type, sizes, seed, fillOf(op, i)));
    c.operands.push_back({inputs.back().type, inputs.back().dims, seed++, fillOf(op, i)});
  }
  for (const DeviceTensorMap &map : kernel.maps)
    c.maps.push_back(mapOf(map, kernel, sizes));
  LaunchCounts counts = launchesOf(kernel, sizes);
  c.workspace = counts.workspace;
  c.counters = counts.counters;
  c.counted = counts.counted;
  c.repeats = counts.repeats;
  return c;
}

/// Result i, whose elements at `positions` are in `some`; no positions: all are.
void BundleWriter::expect(BundleCase &c, KernelOp op, size_t i, const Sizes &sizes, const HostValue &whole,
                          const std::vector<int64_t> &positions) {
  auto operand = inPlaceOperand(op, i);
  c.results.push_back({whole.type, whole.dims, toleranceOf(whole.type, longestSum(op, sizes)),
                       operand ? int64_t(*operand) : -1, int64_t(positions.size()),
                       int64_t(expected.tell())});
  writeExpected(whole, positions);
}

void BundleWriter::writeExpected(const Value &whole, const std::vector<int64_t> &positions) {
  const char *data = static_cast<const char *>(whole.data);
  size_t width = sizeOf(whole.type);
  if (positions.empty())
    expected.write(data, whole.bytes());
  for (int64_t at : positions)
    expected.write(data + at * width, width);
}

llvm::Error BundleWriter::addCase(const CudaKernel &kernel, const Sizes &given, bool timed,
                                  const std::string &cubin) {
  constexpr int64_t kMostCompared = 1 << 16, kSamples = 4096;
  // Symbols of models from files have names of their own.
  Sizes sizes = given;
  for (const std::string &symbol : kernel.symbols)
    if (!isDefinedBy(kernel.op, symbol))
      sizes.try_emplace(symbol, given.lookup("n"));
  std::vector<HostValue> inputs;
  seed = acceptedSeed(kernel.op, sizes, seed);
  BundleCase c = describe(kernel, sizes, timed, cubin, inputs);
  auto results = evaluateKernel(kernel.op, inputs, sizes);
  if (!results)
    return results.takeError();
  for (auto [i, result] : llvm::enumerate(*results))
    expect(c, kernel.op, i, sizes, result,
           samplePositions(result.size(), result.size() > kMostCompared ? kSamples : 0));
  c.sizes = sizeArguments(kernel, withDefined(kernel.op, *results, sizes));
  c.what = summaryOf(c, kernel.op);
  bundle.cases.push_back(std::move(c));
  return llvm::Error::success();
}

llvm::Error BundleWriter::addProducts(mlir::ModuleOp module, mlir::ModuleOp cutModule,
                                      const char *printedFor) {
  std::string cubin;
  auto source = compile(module, &cubin, printedFor);
  if (!source)
    return source.takeError();
  auto cut = compile(cutModule, nullptr, printedFor);
  if (!cut)
    return cut.takeError();
  for (auto [kernel, small] : llvm::zip_equal(source->kernels, cut->kernels)) {
    std::vector<HostValue> inputs, rows;
    BundleCase c = describe(kernel, {}, true, cubin, inputs);
    c.flops = double(*scheduleOf(kernel.op).flops.constant());
    for (auto [whole, type] : llvm::zip(inputs, small.op.getOperandTypes())) {
      HostValue &part = rows.emplace_back(HostValue::allocate(whole.type, sizesOf(type, {})));
      // Operands with fewer rows have those that are compared, others are as they are.
      BundleResult whose{whole.type, whole.dims, 0, -1, 0, 0};
      whose.rows = part.dims == whole.dims ? 0 : kRows;
      whose.rowDim =
          std::mismatch(part.dims.begin(), part.dims.end(), whole.dims.begin()).first - part.dims.begin();
      size_t width = sizeOf(whole.type);
      if (whose.rows == 0)
        std::memcpy(part.data, whole.data, whole.bytes());
      for (auto [i, from] : llvm::enumerate(whose.positions()))
        std::memcpy(part.as<char>() + i * width, whole.as<char>() + from * width, width);
    }
    auto results = evaluateKernel(small.op, rows, {});
    if (!results)
      return results.takeError();
    HostValue &y = results->front();
    std::vector<int64_t> dims = sizesOf(kernel.op.getResult(0).getType(), {});
    BundleResult &expectation = c.results.emplace_back(BundleResult{
        y.type, dims, toleranceOf(y.type, longestSum(kernel.op, {})), -1, 0, int64_t(expected.tell())});
    expectation.rows = kRows;
    expectation.rowDim = std::mismatch(dims.begin(), dims.end(), y.dims.begin()).first - dims.begin();
    expected.write(static_cast<const char *>(y.data), y.bytes());
    c.what = summaryOf(c, kernel.op) + (printedFor ? std::string(", as for ") + printedFor : "");
    bundle.cases.push_back(std::move(c));
  }
  return llvm::Error::success();
}

llvm::Error BundleWriter::addTileProducts() {
  std::string cubin;
  if (llvm::Error failure = writeCubin(tileProductSource(target), cubin))
    return failure;
  for (const TileProduct &p : tileProducts(target))
    for (auto [batch, rows, columns, depth] :
         {std::array<int64_t, 4>{1, 128, 256, 256}, {3, 133, 200, 80}, {1, 1000, 520, 784}}) {
      std::vector<Value> operands;
      Value y;
      BundleCase c = tileProductCase(p, batch, rows, columns, depth, operands, y);
      c.cubin = cubin;
      BundleResult &result = c.results.front();
      result.offset = int64_t(expected.tell());
      // Some of the largest: there are many products.
      constexpr int64_t kMostCompared = 1 << 17;
      result.samples = y.size() > kMostCompared ? kMostCompared / 2 : 0;
      writeExpected(y, result.positions());
      bundle.cases.push_back(std::move(c));
    }
  return llvm::Error::success();
}

llvm::Error BundleWriter::finish() {
  expected.close();
  if (error)
    return makeError(folder + ": " + error.message());
  Status status = bundle.write(folder);
  return status.ok() ? llvm::Error::success() : makeError(status.message);
}

llvm::Error writeBundle(const std::string &folder, llvm::StringRef targetName,
                        llvm::ArrayRef<char *> models) {
  auto target = parseGpuTarget(targetName);
  if (!target)
    return target.takeError();
  auto nvrtc = Nvrtc::open("");
  if (!nvrtc)
    return nvrtc.takeError();
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return makeError(folder + ": " + error.message());
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  BundleWriter writer(folder, *target, **nvrtc);
  const Sizes kSmall[] = {{{"n", 37}}, {{"n", 1}}, {{"n", 3}}, {{"n", 1031}}};
  for (const char *model : models) {
    ImportResult imported = importModel(model, context);
    if (!imported.module)
      return makeError(std::string(model) + " cannot be imported");
    if (llvm::Error failure = writer.add(*imported.module, kSmall, false))
      return llvm::joinErrors(makeError(model), std::move(failure));
  }
  if (llvm::Error failure = writer.add(*smallModels(context), kSmall, false))
    return failure;
  for (auto *models : {smallLibrary, smallRecurrent, smallProducts, smallSplits, anyRows, wideConvolution, smallAttention, smallDecoding})
    if (llvm::Error failure = writer.add(*models(context), kSmall, false))
      return failure;
  if (llvm::Error failure = writer.addTileProducts())
    return failure;
  // What is printed for older chips runs on newer ones too.
  for (auto *models : {smallProducts, smallSplits, anyRows, smallAttention})
    if (llvm::Error failure = writer.add(*models(context), kSmall, false, "sm_80"))
      return failure;
  if (llvm::Error failure = writer.add(*largeModels(context), kSmall, true))
    return failure;
  for (const char *printedFor : {static_cast<const char *>(nullptr), "sm_80"})
    for (auto *models : {attentionModels, productModels})
      if (llvm::Error failure = writer.addProducts(*models(context, 0), *models(context, BundleWriter::kRows), printedFor))
        return failure;
  llvm::outs() << writer.count() << " launches of kernels for " << targetName << "\n";
  return writer.finish();
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    llvm::errs() << "gpu-bundle: give a folder and a target\n";
    return 1;
  }
  if (llvm::Error error = writeBundle(argv[1], argv[2], llvm::ArrayRef(argv, argc).drop_front(3))) {
    llvm::errs() << "gpu-bundle: " << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  return 0;
}
