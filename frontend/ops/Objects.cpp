//===- Objects.cpp - Sequences, optionals, strings, images -----------------===//
//
// All become `optc.library` calls by the operator's name in snake case. A sequence's type holds what
// its elements have in common; a dim in which they differ has no expression:
//
//   SequenceConstruct(x[2,3], y[4,3])  ⇒  optc.library "sequence_construct" : !optc.sequence<tensor<?x3xf32>>
//
//===----------------------------------------------------------------------===//

#include "frontend/Branches.h"
#include "frontend/GraphImporter.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// The element type of a sequence that holds values of both types.
Type common(Node &n, Type a, Type b) {
  return mergeTypes(n, a, b, n.graph.symbolsInUse(), [](size_t) { return DimExpr::symbol("_"); });
}

Type elementOfSequence(Node &n, Value x) {
  auto type = dyn_cast<SequenceType>(x.getType());
  n.expect(bool(type), "expected a sequence");
  return type.getElement();
}

/// The type of a tensor taken out of an object: dims without expression become symbols that this node
/// defines.
Type taken(Node &n, Type type) {
  if (isa<UnrankedTensorType>(type))
    if (auto declared = dyn_cast_or_null<RankedTensorType>(n.declaredType(0)))
      type = declared;
  if (isa<UnrankedTensorType>(type))
    n.unsupported("unsupported: the rank of the result is not known");
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return type;
  Dims dims = dimsOf(type);
  for (auto [i, d] : llvm::enumerate(dims))
    if (d == DimExpr::symbol("_"))
      d = n.freshSize(0, i);
  return tensorType(dims, tensor.getElementType());
}

Results sequenceConstruct(Node &n) {
  n.expect(n.size() > 0, "expected at least one input");
  Type element = n[0].getType();
  for (size_t i = 1; i < n.size(); ++i)
    element = common(n, element, n[i].getType());
  return n.library("sequence_construct", Type(SequenceType::get(n.context(), element)), n.all(),
                   n.parameters());
}
Results sequenceEmpty(Node &n) {
  Type element = UnrankedTensorType::get(n.element(n.integer("dtype", 1)));
  return n.library("sequence_empty", Type(SequenceType::get(n.context(), element)), {}, n.parameters());
}
Results sequenceAt(Node &n) {
  return n.library("sequence_at", taken(n, elementOfSequence(n, n[0])), n.all(), n.parameters());
}
Results sequenceInsert(Node &n) {
  Type element = common(n, elementOfSequence(n, n[0]), n[1].getType());
  return n.library("sequence_insert", Type(SequenceType::get(n.context(), element)), n.all(), n.parameters());
}
Results sequenceErase(Node &n) {
  return n.library("sequence_erase", n[0].getType(), n.all(), n.parameters());
}
Results sequenceLength(Node &n) {
  return n.library("sequence_length", Type(RankedTensorType::get({}, n.i64())), n.all(), n.parameters());
}

Results splitToSequence(Node &n) {
  Dims dims = n.dims(n[0]);
  int64_t axis = n.axis(n.integer("axis", 0), dims.size());
  if (n.optional(1) || n.flag("keepdims", true)) {
    dims[axis] = n.optional(1) ? DimExpr::symbol("_") : DimExpr(1);
  } else {
    dims.erase(dims.begin() + axis);
  }
  Type element = tensorType(dims, elementOf(n[0]));
  return n.library("split_to_sequence", Type(SequenceType::get(n.context(), element)), n.all(),
                   n.parameters());
}
Results concatFromSequence(Node &n) {
  Type type = taken(n, elementOfSequence(n, n[0]));
  auto tensor = dyn_cast<RankedTensorType>(type);
  n.expect(bool(tensor), "expected a sequence of tensors");
  Dims dims = dimsOf(type);
  bool stacks = n.flag("new_axis");
  int64_t axis = n.axis(n.integer("axis"), dims.size() + stacks);
  if (stacks)
    dims.insert(dims.begin() + axis, n.freshSize(0, axis));
  else
    dims[axis] = n.freshSize(0, axis);
  return n.library("concat_from_sequence", Type(tensorType(dims, tensor.getElementType())), n.all(),
                   n.parameters());
}

Results makeOptional(Node &n) {
  if (n.optional(0))
    return n.library("optional_make", Type(OptionalType::get(n.context(), n[0].getType())), n.all(), {});
  const auto *type = n.attribute("type");
  n.expect(type && type->has_tp(), "expected an input or the attribute 'type'");
  return n.library("optional_make",
                   Type(OptionalType::get(n.context(), n.graph.importType(type->tp(), n.outputName(0)))), {},
                   {});
}
Results optionalHasElement(Node &n) {
  Value x = n.optional(0);
  if (!x || !isa<OptionalType>(x.getType()))
    return {n.scalarInteger(n.boolean(), x ? 1 : 0)};
  return n.library("optional_has", Type(RankedTensorType::get({}, n.boolean())), n.all(), {});
}
Results optionalGetElement(Node &n) {
  auto type = dyn_cast<OptionalType>(n[0].getType());
  if (!type)
    return {n[0]};
  return n.library("optional_get", taken(n, type.getElement()), n.all(), {});
}

//===- Strings and images -----------------------------------------------------===//

Results stringConcat(Node &n) {
  auto x = n.together({n[0], n[1]});
  return n.library("string_concat", x[0].getType(), x, {});
}
Results regexFullMatch(Node &n) {
  return n.library("regex_full_match", Type(tensorType(n.dims(n[0]), n.boolean())), n.all(), n.parameters());
}
Results stringNormalizer(Node &n) {
  Dims dims = n.dims(n[0]);
  n.expect(!dims.empty(), "expected a vector of strings");
  if (!n.texts("stopwords").empty())
    dims.back() = n.freshSize(0, dims.size() - 1);
  return n.library("string_normalizer", Type(tensorType(dims, elementOf(n[0]))), n.all(), n.parameters());
}
Results stringSplit(Node &n) {
  Dims dims = n.dims(n[0]), parts = dims;
  parts.push_back(n.freshSize(0, dims.size()));
  return n.library("string_split", {tensorType(parts, elementOf(n[0])), tensorType(dims, n.i64())}, n.all(),
                   n.parameters());
}
Results tfIdfVectorizer(Node &n) {
  Dims dims = n.dims(n[0]);
  auto indexes = n.integers("ngram_indexes");
  int64_t size = indexes.empty() ? 0 : *llvm::max_element(indexes) + 1;
  n.expect(!dims.empty() && size >= 0, "expected a vector or matrix");
  dims.back() = size;
  return n.library("tf_idf_vectorizer", Type(tensorType(dims, n.f32())), n.all(), n.parameters());
}
Results imageDecoder(Node &n) {
  DimExpr channels = n.text("pixel_format", "RGB") == "Grayscale" ? 1 : 3;
  Type type = tensorType({n.freshSize(0, 0), n.freshSize(0, 1), channels}, n.b.getIntegerType(8, false));
  return n.library("image_decoder", type, n.all(), n.parameters());
}

} // namespace

void optc::registerObjects(Registry &r) {
  r.domain = "";
  r.add("ConcatFromSequence", 11, concatFromSequence, Takes::objects);
  r.add("ImageDecoder", 20, imageDecoder);
  r.add("Optional", 15, makeOptional, Takes::objects);
  r.add("OptionalGetElement", 15, optionalGetElement, Takes::objects);
  r.add("OptionalHasElement", 15, optionalHasElement, Takes::objects);
  r.add("RegexFullMatch", 20, regexFullMatch);
  r.add("SequenceAt", 11, sequenceAt, Takes::objects);
  r.add("SequenceConstruct", 11, sequenceConstruct, Takes::objects);
  r.add("SequenceEmpty", 11, sequenceEmpty);
  r.add("SequenceErase", 11, sequenceErase, Takes::objects);
  r.add("SequenceInsert", 11, sequenceInsert, Takes::objects);
  r.add("SequenceLength", 11, sequenceLength, Takes::objects);
  r.add("SplitToSequence", 11, splitToSequence);
  r.add("StringConcat", 20, stringConcat);
  r.add("StringNormalizer", 10, stringNormalizer);
  r.add("StringSplit", 20, stringSplit);
  r.add("TfIdfVectorizer", 9, tfIdfVectorizer);
}
