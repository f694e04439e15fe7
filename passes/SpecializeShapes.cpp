//===- SpecializeShapes.cpp - Fixes symbolic dims --------------------------===//
//
//   specialize-shapes{bindings=batch=1,seq=128}
//   tensor<?x?x768xf32, #optc.dims<["batch", "seq", 768]>>   ⇒   tensor<1x128x768xf32>
//
// Symbols become constants in all types and size attributes. What was a size computed at run time is then a constant for
// the passes that follow, and loops and tiles have known bounds.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "passes/Passes.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace optc {
#define GEN_PASS_DEF_SPECIALIZESHAPES
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct SpecializeShapes : optc::impl::SpecializeShapesBase<SpecializeShapes> {
  using SpecializeShapesBase::SpecializeShapesBase;

  void runOnOperation() override {
    llvm::StringMap<DimExpr> values;
    for (const std::string &binding : bindings) {
      auto [symbol, text] = StringRef(binding).split('=');
      int64_t value;
      if (symbol.empty() || text.getAsInteger(10, value) || value < 0) {
        getOperation()->emitError("'") << binding << "' is no binding of a symbol to a size";
        return signalPassFailure();
      }
      values[symbol] = DimExpr(value);
    }
    if (values.empty())
      return;
    auto fixed = [&](const Dims &dims) {
      Dims out;
      for (const DimExpr &d : dims)
        out.push_back(d.substitute([&](StringRef s) -> std::optional<DimExpr> {
          auto it = values.find(s);
          return it == values.end() ? std::nullopt : std::optional(it->second);
        }));
      return out;
    };
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](DimsAttr dims) -> std::optional<std::pair<Attribute, WalkResult>> {
      return std::make_pair(Attribute(DimsAttr::get(&getContext(), fixed(dims.dims()))), WalkResult::skip());
    });
    replacer.addReplacement([&](RankedTensorType type) -> std::optional<std::pair<Type, WalkResult>> {
      if (!isa_and_nonnull<DimsAttr>(type.getEncoding()))
        return std::nullopt;
      return std::make_pair(Type(tensorType(fixed(dimsOf(type)), type.getElementType())), WalkResult::skip());
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true, /*replaceLocs=*/false, /*replaceTypes=*/true);
  }
};

} // namespace
