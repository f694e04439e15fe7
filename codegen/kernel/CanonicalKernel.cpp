//===- CanonicalKernel.cpp - The text that identifies a kernel ------------===//

#include "codegen/kernel/Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace optc;

/// Calls visit for each symbol of the op's and its region's types and attributes; the order depends on the
/// kernel alone.
static void forEachSymbol(KernelOp kernel, llvm::function_ref<void(StringRef)> visit) {
  AttrTypeWalker walker;
  walker.addWalk([&](DimsAttr dims) {
    for (const DimExpr &d : dims.dims())
      d.forEachSymbol(visit);
  });
  auto walkOp = [&](Operation *op) {
    for (Type type : op->getOperandTypes())
      walker.walk(type);
    walker.walk(op->getAttrDictionary());
    for (Type type : op->getResultTypes())
      walker.walk(type);
  };
  walkOp(kernel);
  for (Operation &op : kernel.getBody().front())
    walkOp(&op);
}

SmallVector<std::string> optc::kernelSymbols(KernelOp kernel) {
  SmallVector<std::string> symbols;
  forEachSymbol(kernel, [&](StringRef s) {
    if (!llvm::is_contained(symbols, s))
      symbols.push_back(s.str());
  });
  return symbols;
}

/// What may be negative stays so: other symbols are simplified as sizes.
static std::string canonicalSymbol(StringRef symbol, size_t i) { return (symbol.starts_with("$") ? "$s" : "s") + std::to_string(i); }

SmallVector<std::string> optc::registerSymbols(KernelOp canonical) {
  SmallVector<std::string> symbols = kernelSymbols(canonical), ordered(symbols.size());
  for (const std::string &symbol : symbols) {
    size_t i;
    if (!StringRef(symbol).ltrim("$s").getAsInteger(10, i) && i < ordered.size())
      ordered[i] = symbol;
  }
  return ordered;
}

std::string CanonicalKernel::hash() const { return llvm::utohexstr(llvm::xxh3_64bits(text), /*LowerCase=*/true, 16); }

std::string optc::tensorText(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const DimExpr &d : dimsOf(type))
    os << (d.isConstant() ? d.str() : "(" + d.str() + ")") << "x";
  os << tensor.getElementType();
  return text;
}

CanonicalKernel optc::canonicalize(KernelOp kernel) {
  MLIRContext *context = kernel.getContext();
  CanonicalKernel result;
  result.symbols = kernelSymbols(kernel);
  llvm::StringMap<DimExpr> renamed;
  for (auto [i, symbol] : llvm::enumerate(result.symbols))
    renamed[symbol] = DimExpr::symbol(canonicalSymbol(symbol, i));
  auto renameIn = [&](DimsAttr dims) -> DimsAttr {
    Dims out;
    for (const DimExpr &d : dims.dims())
      out.push_back(d.substitute([&](StringRef s) -> std::optional<DimExpr> { return renamed.lookup(s); }));
    return DimsAttr::get(context, out);
  };

  // module { func @kernel(operands) { optc.kernel ... } }
  OpBuilder builder(context);
  Location none = UnknownLoc::get(context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(none);
  builder.setInsertionPointToEnd(module->getBody());
  auto function = builder.create<func::FuncOp>(
      none, "kernel", builder.getFunctionType(kernel.getOperandTypes(), kernel.getResultTypes()));
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  IRMapping mapping;
  for (auto [from, to] : llvm::zip(kernel.getOperands(), entry->getArguments()))
    mapping.map(from, to);
  // An operand that is passed twice stays two arguments.
  auto clone = cast<KernelOp>(builder.clone(*kernel.getOperation(), mapping));
  clone->setOperands(entry->getArguments());
  builder.create<func::ReturnOp>(none, clone.getResults());

  AttrTypeReplacer replacer;
  replacer.addReplacement([&](DimsAttr dims) -> std::optional<std::pair<Attribute, WalkResult>> {
    return std::make_pair(Attribute(renameIn(dims)), WalkResult::skip());
  });
  replacer.recursivelyReplaceElementsIn(*module, /*replaceAttrs=*/true, /*replaceLocs=*/false, /*replaceTypes=*/true);
  llvm::raw_string_ostream os(result.text);
  module->print(os, OpPrintingFlags().enableDebugInfo(false));
  return result;
}
