//===- CanonicalKernel.cpp - The text that identifies a kernel ------------===//

#include "codegen/kernel/Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace optc;

CanonicalKernel optc::canonicalize(KernelOp kernel) {
  MLIRContext *context = kernel.getContext();
  CanonicalKernel result;
  llvm::StringMap<std::string> renamed;
  auto rename = [&](StringRef symbol) {
    auto [it, inserted] = renamed.try_emplace(symbol, "");
    if (inserted) {
      it->second = "s" + std::to_string(result.symbols.size());
      result.symbols.push_back(symbol.str());
    }
    return it->second;
  };
  auto renameIn = [&](DimsAttr dims) -> DimsAttr {
    Dims out;
    for (const DimExpr &d : dims.dims()) {
      d.forEachSymbol([&](StringRef s) { rename(s); });
      out.push_back(d.substitute([&](StringRef s) -> std::optional<DimExpr> { return DimExpr::symbol(rename(s)); }));
    }
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
