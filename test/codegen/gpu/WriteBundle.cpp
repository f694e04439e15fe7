//===- WriteBundle.cpp - Kernels for a GPU to be tried on -----------------===//
//
//   gpu-bundle FOLDER TARGET MODELS...
//
// Compiles the kernels of the given models (ONNX, text or binary) and of those in Models.h to cubins, and writes
// what a machine with a GPU needs to run and check them (Bundle.h). Needs NVRTC, no GPU.
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
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

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
  llvm::Error add(mlir::ModuleOp module, llvm::ArrayRef<Sizes> sizes, bool timed);
  llvm::Error finish();
  size_t count() const { return bundle.cases.size(); }

private:
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

/// All kernels of a model, in each of the sizes.
llvm::Error BundleWriter::add(mlir::ModuleOp module, llvm::ArrayRef<Sizes> sizes, bool timed) {
  mlir::PassManager passes(module.getContext());
  buildPipeline(passes);
  if (failed(passes.run(module)))
    return makeError("the passes failed");
  CudaSource source = emitCuda(module.lookupSymbol<mlir::func::FuncOp>("main"), target,
                               [](mlir::Operation *) { return llvm::SmallVector<std::string>(); });
  if (!source.problems.empty())
    return makeError(source.problems.front());
  auto image = nvrtc.compile(source.text, target, Nvrtc::Output::cubin);
  if (!image)
    return image.takeError();
  std::string cubin = std::to_string(cubins++) + ".cubin";
  llvm::raw_fd_ostream os(folder + "/" + cubin, error);
  os << *image;
  for (const CudaKernel &kernel : source.kernels)
    for (const Sizes &s : kernel.symbols.empty() ? sizes.take_front() : sizes)
      if (llvm::Error failure = addCase(kernel, s, timed, cubin))
        return failure;
  return llvm::Error::success();
}

llvm::Error BundleWriter::addCase(const CudaKernel &kernel, const Sizes &given, bool timed, const std::string &cubin) {
  constexpr int64_t kMostCompared = 1 << 16, kSamples = 4096;
  KernelOp op = kernel.op;
  // Symbols of models from files have names of their own.
  Sizes sizes = given;
  for (const std::string &symbol : kernel.symbols)
    sizes.try_emplace(symbol, given.lookup("n"));
  BundleCase c{cubin, kernel.symbol, "", blocksOf(kernel, sizes), kernel.threads, 0, kernel.checksIndices, timed, 0,
               sizeArguments(kernel, sizes), {}, {}};
  std::vector<HostValue> inputs;
  for (mlir::Type type : op.getOperandTypes()) {
    inputs.push_back(randomOperand(type, sizes, seed));
    c.operands.push_back({inputs.back().type, inputs.back().dims, seed++});
  }
  auto results = evaluateKernel(op, inputs, sizes);
  if (!results)
    return results.takeError();
  for (auto [i, result] : llvm::enumerate(*results)) {
    auto operand = inPlaceOperand(op, i);
    int64_t samples = result.size() > kMostCompared ? kSamples : 0;
    c.results.push_back({result.type, result.dims, toleranceOf(result.type), operand ? int64_t(*operand) : -1, samples,
                         int64_t(expected.tell())});
    const char *data = static_cast<const char *>(result.data);
    size_t width = sizeOf(result.type);
    if (samples == 0)
      expected.write(data, result.bytes());
    for (int64_t at : samplePositions(result.size(), samples))
      expected.write(data + at * width, width);
  }
  c.what = summaryOf(c, op);
  bundle.cases.push_back(std::move(c));
  return llvm::Error::success();
}

llvm::Error BundleWriter::finish() {
  expected.close();
  if (error)
    return makeError(folder + ": " + error.message());
  Status status = bundle.write(folder);
  return status.ok() ? llvm::Error::success() : makeError(status.message);
}

llvm::Error writeBundle(const std::string &folder, llvm::StringRef targetName, llvm::ArrayRef<char *> models) {
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
  if (llvm::Error failure = writer.add(*largeModels(context), kSmall, true))
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
