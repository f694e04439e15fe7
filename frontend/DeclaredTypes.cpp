//===- DeclaredTypes.cpp - Types that a graph states ----------------------===//

#include "frontend/GraphImporter.h"
#include "frontend/Tensors.h"

using namespace mlir;
using namespace optc;

static constexpr int64_t kMaxRank = 64;

/// No dim of a tensor in a sequence or optional can be read off the object: those that are not constant stay open.
static Type withoutSymbols(Type type) {
  if (!isa<RankedTensorType>(type))
    return type;
  Dims dims = dimsOf(type);
  for (DimExpr &d : dims)
    if (!d.isConstant())
      d = DimExpr::symbol("_");
  return tensorType(dims, cast<RankedTensorType>(type).getElementType());
}

Type GraphImporter::importType(const onnx::TypeProto &type, StringRef name) {
  if (type.has_sequence_type())
    return SequenceType::get(&context, withoutSymbols(importType(type.sequence_type().elem_type(), name)));
  if (type.has_optional_type())
    return OptionalType::get(&context, withoutSymbols(importType(type.optional_type().elem_type(), name)));
  if (!type.has_tensor_type())
    throw NodeError{ProblemKind::unsupported,
                    "unsupported type: neither a tensor nor a sequence or optional of them"};
  Type element = elementType(&context, type.tensor_type().elem_type());
  if (!type.tensor_type().has_shape())
    return UnrankedTensorType::get(element);
  const auto &shape = type.tensor_type().shape();
  if (shape.dim_size() > kMaxRank)
    throw NodeError{ProblemKind::badModel, "rank " + std::to_string(shape.dim_size()) + " is too large"};
  Dims dims;
  for (auto [i, d] : llvm::enumerate(shape.dim())) {
    if (d.has_dim_value()) {
      if (d.dim_value() < 0 || d.dim_value() > (int64_t(1) << 40))
        throw NodeError{ProblemKind::badModel,
                        "dim " + std::to_string(i) + " is " + std::to_string(d.dim_value())};
      dims.push_back(d.dim_value());
    } else if (auto expression = declaredExpression(d.dim_param())) {
      dims.push_back(*expression);
    } else if (!d.dim_param().empty() && d.dim_param().find_first_not_of("?-1 ") != std::string::npos) {
      std::string symbol = DimExpr::symbolName(d.dim_param());
      symbol.erase(0, StringRef(symbol).find_first_not_of('$')); // `$` is kept for bound values
      symbols.insert(symbol);
      dims.push_back(DimExpr::symbol(symbol));
    } else {
      dims.push_back(DimExpr::symbol(freshSymbol(DimExpr::symbolName(name) + "." + std::to_string(i))));
    }
  }
  return tensorType(dims, element);
}

std::optional<DimExpr> GraphImporter::declaredExpression(StringRef text) const {
  // Sums of products, whose numbers' product is below 2^63.
  constexpr size_t kLongest = 100, kMostDigits = 18;
  if (text.size() > kLongest || text.contains('(') || size_t(llvm::count_if(text, llvm::isDigit)) > kMostDigits)
    return std::nullopt;
  // A hyphen within a name is none that subtracts.
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '-' && !(i > 0 && text[i - 1] == ' ') && !(i + 1 < text.size() && llvm::isDigit(text[i + 1])))
      return std::nullopt;
  auto expression = DimExpr::parse(text);
  if (!expression || expression->isConstant() || expression->asSymbol())
    return std::nullopt;
  bool areInputs = true;
  expression->forEachSymbol([&](StringRef symbol) { areInputs &= inputSymbols.contains(symbol); });
  return areInputs ? expression : std::nullopt;
}

Type GraphImporter::declaredType(StringRef name) {
  auto it = current ? current->declared.find(name) : llvm::StringMap<const onnx::TypeProto *>::iterator();
  if (!current || it == current->declared.end())
    return {};
  try {
    return importType(*it->second, name);
  } catch (const NodeError &) {
    return {};
  }
}
