//===- CudaSource.cpp - A model's kernels as CUDA C++ ---------------------===//

#include "codegen/gpu/CudaSource.h"
#include "codegen/gpu/CudaPrinter.h"
#include "codegen/gpu/Generators.h"
#include "codegen/kernel/Kernel.h"
#include "ir/eval/Weight.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace optc;

static const char *const kPrelude =
#include "codegen/gpu/device.inc"
    ;
/// The tile library's files, in the order in which they build on each other.
static const std::pair<llvm::StringRef, const char *> kLibrary[] = {
#include "codegen/gpu/tile.inc"
};

namespace {

/// A model's names are anybody's: one may not end the comment that it stands in.
std::string inComment(StringRef name) {
  std::string text = name.str();
  for (char &c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f' || c == '\\')
      c = '?';
  return text;
}

std::string typeText(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const DimExpr &d : dimsOf(type))
    os << (d.isConstant() ? d.str() : "(" + d.str() + ")") << "x";
  os << tensor.getElementType();
  return text;
}

/// What a reader wants to know of a kernel; `nodes` of all of its uses.
std::string commentOf(DeviceFunction &f, const CudaKernel &kernel, ArrayRef<std::string> nodes) {
  constexpr size_t kMostNames = 8;
  std::string text = "//";
  llvm::raw_string_ostream os(text);
  for (size_t i = 0; i < std::min(nodes.size(), kMostNames); ++i)
    os << (i ? ", " : " ") << "'" << inComment(nodes[i]) << "'";
  if (nodes.size() > kMostNames)
    os << " and " << nodes.size() - kMostNames << " more";
  os << "\n// ";
  for (auto [i, type] : llvm::enumerate(f.kernel.getOperandTypes()))
    os << (i ? ", " : " ") << "x" << i << ": " << typeText(type);
  os << " ->";
  for (auto [i, type] : llvm::enumerate(f.kernel.getResultTypes())) {
    os << (i ? ", " : " ") << "y" << i;
    if (auto operand = inPlaceOperand(f.kernel, i))
      os << " in x" << *operand;
    os << ": " << typeText(type);
  }
  for (auto [i, symbol] : llvm::enumerate(kernel.symbols))
    os << (i ? ", " : "; ") << "s" << i << " = " << symbol;
  DimExpr blocks = f.blocks();
  std::string count = blocks.str();
  if (!blocks.isConstant() && f.itemsPerBlock > 1)
    count = "ceil(" + f.items.str() + " / " + std::to_string(f.itemsPerBlock) + ")";
  os << "\n//  grid " << (f.isPersistent ? "at most " : "") << count << ", block " << f.threads;
  if (f.sharedBytes)
    os << ", " << f.sharedBytes << " bytes of shared memory";
  os << "\n";
  return os.str();
}

/// Ops inside of the kernel name the values of their bodies.
void nameOps(KernelOp kernel) {
  MLIRContext *context = kernel.getContext();
  for (Operation &op : kernel.getBody().front())
    op.setLoc(FusedLoc::get({NameLoc::get(StringAttr::get(context, op.getName().stripDialect()))},
                            StringAttr::get(context, "op"), context));
}

class Emitter {
public:
  Emitter() : context(registry(), MLIRContext::Threading::DISABLED) { context.loadAllAvailableDialects(); }

  /// The kernel's definition with its comment, and its launch; an error: why there is none.
  llvm::Expected<std::string> emit(const std::string &text, const GpuTarget &target, CudaKernel &kernel,
                                   ArrayRef<std::string> nodes) {
    OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(text, ParserConfig(&context));
    assert(parsed && "canonical text can be read back");
    KernelOp op;
    parsed->walk([&](KernelOp found) { op = found; });
    nameOps(op);
    OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
    DeviceFunction f(op, *module, kernel.symbol);
    if (op.getKind() == "rows") {
      if (failed(generateDeviceRows(f)))
        return llvm::createStringError("its reductions are not along one dim of one space");
    } else if (op.getKind() == "matmul") {
      if (failed(generateDeviceMatmul(f, target)))
        return llvm::createStringError("the form of its product has no kernel");
    } else if (op.getKind() == "conv") {
      if (failed(generateDeviceConv(f)))
        return llvm::createStringError("convolutions have kernels for f32 over one or two dims alone");
    } else if (op.getKind() == "depthwise") {
      if (failed(generateDeviceDepthwise(f)))
        return llvm::createStringError("depthwise convolutions have kernels for f32 over one or two dims alone");
    } else if (op.getKind() == "attention") {
      if (failed(generateDeviceAttention(f, target)))
        return llvm::createStringError(
            "attention has kernels for sm_90 alone, of 16-bit floats and heads of 64 or 128");
    } else if (!generateDeviceTranspose(f)) {
      generateDeviceLoops(f);
    }
    PassManager passes(&context);
    passes.addPass(createCSEPass());
    if (failed(passes.run(*module)))
      return llvm::createStringError("its code is not valid");
    // From the last op backwards, so that what only dead ops use goes too.
    module->walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *dead) {
      if (isOpTriviallyDead(dead))
        dead->erase();
    });
    if (Operation *unknown = findUnprintable(f))
      return llvm::createStringError("there is no CUDA C++ for " + unknown->getName().getStringRef().str());
    kernel.blocks = f.blocks();
    kernel.threads = f.threads;
    kernel.isPersistent = f.isPersistent;
    kernel.sharedBytes = f.sharedBytes;
    // In the model's context, and by the model's names.
    kernel.maps = f.maps;
    for (DeviceTensorMap &map : kernel.maps)
      map.element = elementOf(kernel.op.getOperand(map.operand));
    for (llvm::StringRef file : f.library)
      library.insert(file);
    kernel.checksIndices = f.checksIndices();
    return commentOf(f, kernel, nodes) + printCuda(f);
  }

  /// Files of the tile library that the kernels so far need.
  llvm::StringSet<> library;

private:
  static DialectRegistry registry() {
    DialectRegistry r;
    r.insert<OptcDialect, arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
             scf::SCFDialect, vector::VectorDialect>();
    return r;
  }
  MLIRContext context;
};

/// Leaves no step: made when the artefact is, a view, or nothing.
bool isFree(Operation *op) {
  if (isa<func::FuncOp, func::ReturnOp, YieldOp, ReshapeOp>(op))
    return true;
  return op->getNumResults() > 0 &&
         llvm::all_of(op->getResults(), [](Value v) { return isa<NoneType>(v.getType()) || isWeight(v); });
}

} // namespace

std::string optc::deviceLibrary(llvm::function_ref<bool(StringRef)> isNeeded) {
  std::string text = kPrelude;
  for (const auto &[file, source] : kLibrary)
    if (isNeeded(file))
      text += "\n" + std::string(source);
  return text;
}

CudaSource optc::emitCuda(func::FuncOp model, const GpuTarget &target,
                          llvm::function_ref<SmallVector<std::string>(Operation *)> nodesOf,
                          llvm::function_ref<bool(StringRef text)> isWanted) {
  CudaSource source;
  std::string others = target.name + " has kernels for fused elementwise ops, row reductions, matrix products and convolutions only";
  auto refuse = [&](Operation *op, StringRef what, const std::string &why) {
    SmallVector<std::string> nodes = nodesOf(op);
    std::string node = nodes.empty() ? "a step" : "node '" + nodes.front() + "'";
    source.problems.push_back(node + " (" + what.str() + "): " + why);
  };
  // Equal kernels, in order of their first use.
  std::vector<std::string> texts;
  std::vector<SmallVector<std::string>> nodes;
  llvm::StringMap<size_t> numbers;
  model.walk<WalkOrder::PreOrder>([&](Operation *op) {
    auto kernel = dyn_cast<KernelOp>(op);
    if (!kernel) {
      if (!isFree(op))
        refuse(op, op->getName().stripDialect(), others);
      return WalkResult::advance();
    }
    CanonicalKernel canonical = canonicalize(kernel);
    if (!llvm::is_contained({"loops", "rows", "matmul", "conv", "depthwise", "attention"}, kernel.getKind())) {
      refuse(op, kernel.getKind(), others);
      source.refusals.try_emplace(canonical.text, others);
      return WalkResult::skip();
    }
    if (isWanted && !isWanted(canonical.text))
      return WalkResult::skip();
    auto [it, inserted] = numbers.try_emplace(canonical.text, texts.size());
    if (inserted) {
      source.kernels.push_back({"optc_kernel_" + std::to_string(texts.size()), kernel, canonical.text, canonical.symbols});
      texts.push_back(canonical.text);
      nodes.emplace_back();
    }
    nodes[it->second].append(nodesOf(op));
    return WalkResult::skip();
  });
  std::string kernels;
  Emitter emitter;
  for (size_t i = 0; i < texts.size(); ++i) {
    CudaKernel &kernel = source.kernels[i];
    auto text = emitter.emit(texts[i], target, kernel, nodes[i]);
    if (text) {
      kernels += "\n" + *text;
      continue;
    }
    std::string why = llvm::toString(text.takeError());
    refuse(kernel.op, kernel.op.getKind(), why);
    source.refusals.try_emplace(kernel.text, why);
  }
  llvm::erase_if(source.kernels, [&](const CudaKernel &kernel) { return source.refusals.contains(kernel.text); });
  source.text = deviceLibrary([&](StringRef file) { return emitter.library.contains(file); }) + kernels;
  return source;
}
