//===- GenerateDeviceCode.cpp - A model's kernels for GPUs ----------------===//

#include "codegen/gpu/GenerateDeviceCode.h"
#include "codegen/plan/Instructions.h"
#include <map>

using namespace mlir;
using namespace optc;

namespace {

/// Instructions for what a launch is given, over the kernel's symbols s0, s1, ...; handles are registers.
class LaunchProgram : public DimExpr::Visitor {
public:
  explicit LaunchProgram(DeviceKernel &kernel) : kernel(kernel) {}

  RegisterId registerOf(const DimExpr &expr) { return RegisterId(expr.visit(*this)); }
  std::vector<RegisterId> registersOf(ArrayRef<DimExpr> list) {
    std::vector<RegisterId> registers;
    for (const DimExpr &expr : list)
      registers.push_back(registerOf(expr));
    return registers;
  }

  int64_t constant(int64_t value) override {
    auto [it, isNew] = constants.try_emplace(value, kernel.registers);
    if (isNew) {
      Instruction instruction;
      instruction.value = value;
      add(instruction);
    }
    return it->second;
  }
  int64_t symbol(StringRef name) override {
    // Sizes that come from values keep their sign: $s1.
    int64_t number = 0;
    [[maybe_unused]] bool isOther = name.ltrim("$s").getAsInteger(10, number);
    assert(!isOther && "symbols of canonical kernels are numbered");
    return number;
  }
  int64_t apply(StringRef function, const std::vector<int64_t> &args) override {
    return add(instructionOf(function, args));
  }

private:
  int64_t add(Instruction instruction) {
    instruction.target = kernel.registers++;
    kernel.program.push_back(instruction);
    return instruction.target;
  }

  DeviceKernel &kernel;
  std::map<int64_t, RegisterId> constants;
};

DeviceKernel launchOf(const CudaKernel &from) {
  DeviceKernel kernel;
  kernel.symbol = from.symbol;
  kernel.sizes = kernel.registers = uint32_t(from.symbols.size());
  kernel.threads = uint32_t(from.threads);
  kernel.sharedBytes = uint32_t(from.sharedBytes);
  kernel.residentBlocks = uint32_t(from.residentBlocks);
  kernel.checksIndices = from.checksIndices;
  LaunchProgram program(kernel);
  kernel.blocks = program.registerOf(from.blocks);
  auto registerOf = [&](const std::optional<DimExpr> &expr) { return expr ? program.registerOf(*expr) : kNone; };
  kernel.workspace = registerOf(from.workspace);
  kernel.counters = registerOf(from.counters);
  kernel.repeats = registerOf(from.repeats);
  kernel.counted = registerOf(from.counted);
  for (const DeviceTensorMap &map : from.maps)
    kernel.maps.push_back({map.operand, program.registerOf(map.offset), program.registersOf(map.sizes), program.registersOf(map.strides),
                           {map.box.begin(), map.box.end()}});
  return kernel;
}

} // namespace

llvm::Expected<DeviceCode> optc::generateDeviceCode(func::FuncOp model, ArrayRef<GpuTarget> targets,
                                                    llvm::function_ref<SmallVector<std::string>(Operation *)> nodesOf, size_t kernelsPerUnit, CompileUnits compile) {
  DeviceCode code;
  std::vector<CudaSource> sources;
  for (const GpuTarget &target : targets) {
    sources.push_back(emitCuda(model, target, nodesOf, KernelNames::byContent));
    if (!target.isPortable)
      for (const auto &refusal : sources.back().refusals)
        code.refusals.try_emplace(refusal.first(), refusal.second);
  }
  std::vector<DeviceUnit> units;
  for (auto [target, source] : llvm::zip(targets, sources)) {
    if (target.isPortable && llvm::any_of(source.refusals, [&](const auto &refusal) { return !code.refusals.contains(refusal.first()); }))
      continue;
    // Numbers are the same in all images.
    llvm::erase_if(source.kernels, [&](const CudaKernel &kernel) { return code.refusals.contains(kernel.text); });
    if (source.kernels.empty())
      continue;
    DeviceImage image;
    image.architecture = uint32_t(target.architecture());
    image.isPtx = target.isPortable;
    for (ArrayRef<CudaKernel> rest = source.kernels; !rest.empty(); rest = rest.drop_front(std::min(kernelsPerUnit, rest.size()))) {
      ArrayRef<CudaKernel> kernels = rest.take_front(kernelsPerUnit);
      units.push_back({unitOf(kernels), target});
      for (const CudaKernel &kernel : kernels) {
        code.numbers.try_emplace(kernel.text, uint32_t(image.kernels.size()));
        image.kernels.push_back(launchOf(kernel));
        image.kernels.back().module = uint32_t(image.modules.size());
      }
      image.modules.emplace_back();
    }
    code.images.push_back(std::move(image));
  }
  auto compiled = compile(units);
  if (!compiled)
    return compiled.takeError();
  size_t unit = 0;
  for (DeviceImage &image : code.images)
    for (DeviceModule &module : image.modules) {
      const std::string &bytes = (*compiled)[unit++];
      module = {code.contents.size(), bytes.size()};
      // Text ends in a zero; machine code is aligned.
      code.contents += bytes;
      code.contents.resize((code.contents.size() + 16) / 16 * 16);
    }
  return code;
}
