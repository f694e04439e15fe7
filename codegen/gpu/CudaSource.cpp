//===- CudaSource.cpp - A model's kernels as CUDA C++ ---------------------===//

#include "codegen/gpu/CudaSource.h"
#include "codegen/gpu/CudaPrinter.h"
#include "codegen/gpu/Generators.h"
#include "codegen/kernel/Kernel.h"
#include "ir/eval/Weight.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace optc;

static const char *const kPrelude =
#include "codegen/gpu/device.inc"
    ;

namespace {

/// What the comment over a kernel says of one use.
struct Use {
  SmallVector<std::string> nodes;
  SmallVector<std::string> symbols;
};

std::string typeText(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const DimExpr &d : dimsOf(type))
    os << (d.isConstant() ? d.str() : "(" + d.str() + ")") << "x";
  os << tensor.getElementType();
  return text;
}

std::string commentOf(DeviceFunction &f, ArrayRef<Use> uses) {
  constexpr size_t kMostNames = 8;
  std::string text = "//";
  llvm::raw_string_ostream os(text);
  SmallVector<std::string> nodes;
  for (const Use &use : uses)
    nodes.append(use.nodes.begin(), use.nodes.end());
  for (size_t i = 0; i < std::min(nodes.size(), kMostNames); ++i)
    os << (i ? ", " : " ") << "'" << nodes[i] << "'";
  if (nodes.size() > kMostNames)
    os << " and " << nodes.size() - kMostNames << " more";
  os << "\n// ";
  for (auto [i, type] : llvm::enumerate(f.kernel.getOperandTypes()))
    os << (i ? ", " : " ") << "x" << i << ": " << typeText(type);
  os << " ->";
  for (auto [i, type] : llvm::enumerate(f.kernel.getResultTypes()))
    os << (i ? ", " : " ") << "y" << i << ": " << typeText(type);
  for (auto [i, symbol] : llvm::enumerate(uses.front().symbols))
    os << (i ? ", " : "; ") << "s" << i << " = " << symbol;
  DimExpr blocks = f.blocks();
  std::string count = blocks.str();
  if (!blocks.isConstant() && f.itemsPerBlock > 1)
    count = "ceil(" + f.items.str() + " / " + std::to_string(f.itemsPerBlock) + ")";
  os << "\n//  grid " << count << ", block " << f.threads << "\n";
  return os.str();
}

/// Ops inside of the kernel name the values of their bodies.
void nameOps(KernelOp kernel) {
  MLIRContext *context = kernel.getContext();
  for (Operation &op : kernel.getBody().front())
    op.setLoc(FusedLoc::get({NameLoc::get(StringAttr::get(context, op.getName().stripDialect()))}, StringAttr::get(context, "op"), context));
}

class Emitter {
public:
  Emitter() : context(registry(), MLIRContext::Threading::DISABLED) { context.loadAllAvailableDialects(); }

  /// The kernel's definition with its comment; nullopt: its generator refuses it.
  std::optional<std::string> emit(const std::string &text, const std::string &symbol, ArrayRef<Use> uses) {
    OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(text, ParserConfig(&context));
    assert(parsed && "canonical text can be read back");
    KernelOp kernel;
    parsed->walk([&](KernelOp op) { kernel = op; });
    nameOps(kernel);
    OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
    DeviceFunction f(kernel, *module, symbol);
    if (kernel.getKind() == "loops")
      generateDeviceLoops(f);
    else if (failed(generateDeviceRows(f)))
      return std::nullopt;
    PassManager passes(&context);
    passes.addPass(createCSEPass());
    if (failed(passes.run(*module)))
      return std::nullopt;
    return commentOf(f, uses) + printCuda(f);
  }

private:
  static DialectRegistry registry() {
    DialectRegistry r;
    r.insert<OptcDialect, arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
             vector::VectorDialect>();
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

CudaSource optc::emitCuda(func::FuncOp model, const GpuTarget &target,
                          llvm::function_ref<SmallVector<std::string>(Operation *)> nodesOf) {
  CudaSource source;
  auto refuse = [&](Operation *op, StringRef what) {
    SmallVector<std::string> nodes = nodesOf(op);
    source.problems.push_back("node '" + (nodes.empty() ? "" : nodes.front()) + "' (" + what.str() + "): no kernel for " + target.name +
                              " yet: of this target there are fused elementwise ops and reductions of rows");
  };
  // Equal kernels, in order of their first use.
  std::vector<std::pair<KernelOp, SmallVector<Use>>> distinct;
  std::vector<std::string> texts;
  llvm::StringMap<size_t> numbers;
  model.walk<WalkOrder::PreOrder>([&](Operation *op) {
    auto kernel = dyn_cast<KernelOp>(op);
    if (!kernel) {
      if (!isFree(op))
        refuse(op, op->getName().stripDialect());
      return WalkResult::advance();
    }
    if (kernel.getKind() != "loops" && kernel.getKind() != "rows") {
      refuse(op, kernel.getKind());
      return WalkResult::skip();
    }
    CanonicalKernel canonical = canonicalize(kernel);
    auto [it, inserted] = numbers.try_emplace(canonical.text, texts.size());
    if (inserted) {
      texts.push_back(canonical.text);
      distinct.push_back({kernel, {}});
    }
    distinct[it->second].second.push_back({nodesOf(op), canonical.symbols});
    return WalkResult::skip();
  });
  if (!source.problems.empty())
    return source;

  source.text = kPrelude;
  Emitter emitter;
  for (size_t i = 0; i < texts.size(); ++i) {
    auto text = emitter.emit(texts[i], "optc_kernel_" + std::to_string(i), distinct[i].second);
    if (text)
      source.text += "\n" + *text;
    else
      refuse(distinct[i].first, distinct[i].first.getKind());
  }
  if (!source.problems.empty())
    source.text.clear();
  return source;
}
