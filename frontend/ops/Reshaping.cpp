//===- Reshaping.cpp - Reshape, Transpose, Expand, Concat, Split ... -------===//
//
// Shape operands become dim expressions in result types (Node::elements), so most of the nodes
// that computed them have no use afterwards:
//
//   Reshape(x[batch,4,8], [0,-1])  ⇒  optc.reshape x : [batch,32]
//
//===----------------------------------------------------------------------===//

#include "frontend/Branches.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

Results reshape(Node &n) {
  Value x = n[0];
  Dims in = n.dims(x), out;
  if (!tensorOf(n[1]).hasStaticShape()) {
    // The rank is not known from the operand; the model may declare the result.
    auto declared = dyn_cast_or_null<RankedTensorType>(n.declaredType(0));
    if (!declared)
      n.unsupported("unsupported: the rank of the result is not known");
    return {n.reshape(x, dimsOf(declared))};
  }
  n.expect(n.rank(n[1]) == 1, "shape must be a vector");
  out = n.elements(n[1]);
  bool allowZero = n.flag("allowzero");
  int64_t inferred = -1;
  for (auto [i, d] : llvm::enumerate(out)) {
    DimExpr copied = i < in.size() ? in[i] : DimExpr(0);
    if (auto c = d.constant()) {
      n.expect(*c >= -1, "shape has the entry " + Twine(*c));
      n.expect(*c != -1 || inferred < 0, "shape has two entries -1");
      if (*c == -1)
        inferred = i;
      else if (*c == 0 && !allowZero) {
        n.expect(i < in.size(),
                 "entry " + Twine(i) + " of shape is 0, but the input has rank " + Twine(in.size()));
        d = copied;
      }
    } else if (!allowZero && !(d - DimExpr(1)).isNonNegative()) {
      // A size is 0 only if the dim it came from is; then copying gives the same.
      if (!d.isNonNegative())
        d = DimExpr::ifeq(d, 0, copied, d);
    }
  }
  DimExpr total = numElements(in), rest(1);
  for (size_t i = 0; i < out.size(); ++i)
    if (int64_t(i) != inferred)
      rest = rest * out[i];
  if (inferred >= 0) {
    auto exact = DimExpr::divideExactly(total, rest);
    n.expect(!(total.isConstant() && rest.isConstant()) || rest == DimExpr(0) || exact,
             "cannot divide " + total.str() + " elements by " + rest.str());
    out[inferred] = exact ? *exact : DimExpr::floordiv(total, rest);
  } else {
    // An entry read at run time may be the -1: then the product of all is minus the product of the others.
    for (DimExpr &d : out)
      if (!d.isNonNegative())
        d = DimExpr::ifeq(d, -1, DimExpr::floordiv(total, DimExpr(0) - rest), d);
  }
  return {n.reshape(x, out)};
}

Results flatten(Node &n) {
  Dims in = n.dims(n[0]);
  int64_t rank = in.size(), axis = n.integer("axis", 1);
  n.expect(axis >= -rank && axis <= rank, "axis " + Twine(axis) + " is out of range for rank " + Twine(rank));
  axis += axis < 0 ? rank : 0;
  ArrayRef<DimExpr> dims = in;
  return {n.reshape(n[0], {numElements(dims.take_front(axis)), numElements(dims.drop_front(axis))})};
}

Results squeeze(Node &n, std::optional<SmallVector<int64_t>> given) {
  Dims in = n.dims(n[0]);
  SmallVector<int64_t> axes;
  if (given) {
    axes = n.axes(*given, in.size());
  } else {
    for (auto [i, d] : llvm::enumerate(in)) {
      if (!d.isConstant())
        n.unsupported("unsupported: without axes, whether the dynamic dim " + Twine(i) +
                      " is squeezed is not known");
      if (d == DimExpr(1))
        axes.push_back(i);
    }
  }
  return {n.squeeze(n[0], axes)};
}
Results squeezeByAttribute(Node &n) {
  return squeeze(n, n.has("axes") ? std::optional(n.integers("axes")) : std::nullopt);
}
Results squeezeByInput(Node &n) {
  if (!n.optional(1))
    return squeeze(n, std::nullopt);
  Dims dims = n.dims(n[0]);
  return withAxes(
      n, n[1], dims.size(),
      [](Node &n, ArrayRef<int64_t> axes) { return squeeze(n, SmallVector<int64_t>(axes)); },
      [&](ArrayRef<int64_t> axes) {
        return llvm::all_of(axes, [&](int64_t a) { return dimsMayMatch(dims[a], DimExpr(1)); });
      });
}

Results unsqueeze(Node &n, ArrayRef<int64_t> axes) {
  return {n.unsqueeze(n[0], n.axes(axes, n.rank(n[0]) + int64_t(axes.size())))};
}
Results unsqueezeByAttribute(Node &n) { return unsqueeze(n, n.integers("axes")); }
Results unsqueezeByInput(Node &n) {
  DimExpr count = numElements(n.dims(n[1]));
  return withAxes(n, n[1], n.rank(n[0]) + count.constant().value_or(0), unsqueeze);
}

Results transpose(Node &n) {
  auto permutation = n.integers("perm");
  if (!n.has("perm"))
    permutation = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, n.rank(n[0]))));
  return {n.make<TransposeOp>(n[0], permutation)};
}

Results expand(Node &n) {
  n.expect(n.rank(n[1]) == 1, "shape must be a vector");
  if (!tensorOf(n[1]).hasStaticShape())
    n.unsupported("unsupported: the rank of the result is not known");
  Dims shape = n.elements(n[1]);
  auto dims = broadcastDims(n.dims(n[0]), shape);
  n.expect(succeeded(dims), "the input cannot be broadcast to shape");
  return {n.broadcast(n[0], *dims)};
}

/// Repeats x `counts` times along each dim: broadcast over new dims, then merged.
Value tile(Node &n, Value x, ArrayRef<DimExpr> counts) {
  Dims in = n.dims(x), split, repeated, merged;
  n.expect(counts.size() == in.size(), "repeats must have one entry a dim");
  for (auto [d, count] : llvm::zip(in, counts)) {
    if (count != DimExpr(1)) {
      split.push_back(1);
      repeated.push_back(count);
    }
    split.push_back(d);
    repeated.push_back(d);
    merged.push_back(d * count);
  }
  return n.reshape(n.broadcast(n.reshape(x, split), repeated), merged);
}
Results importTile(Node &n) {
  n.expect(n.rank(n[1]) == 1 && tensorOf(n[1]).hasStaticShape(), "repeats must be a vector of known length");
  return {tile(n, n[0], n.elements(n[1]))};
}

Results concat(Node &n) {
  n.expect(n.size() > 0, "expected at least one input");
  for (size_t i = 0; i < n.size(); ++i)
    n.expect(n.rank(n[i]) == n.rank(n[0]), "inputs differ in rank");
  return {n.concat(n.all(), n.axis(n.opset < 4 ? n.integer("axis", 1) : n.integer("axis"), n.rank(n[0])))};
}

Results split(Node &n, std::optional<Dims> sizes) {
  int64_t axis = n.axis(n.integer("axis", 0), n.rank(n[0]));
  DimExpr total = n.dims(n[0])[axis];
  int64_t parts = n.numOutputs();
  if (!sizes) {
    // Equal parts; with num_outputs (opset 18) the last may be smaller.
    n.expect(n.integer("num_outputs", parts) == parts, "num_outputs differs from the number of outputs");
    DimExpr part = DimExpr::ceildiv(total, parts);
    if (auto exact = DimExpr::divideExactly(total, parts))
      part = *exact;
    sizes.emplace(parts, part);
    sizes->back() = total - part * DimExpr(parts - 1);
    if (auto last = sizes->back().constant())
      n.expect(*last >= 0 && (*last == *part.constant() || n.has("num_outputs")),
               "the dim of " + total.str() + " cannot be split into " + Twine(parts) + " parts");
  }
  n.expect(int64_t(sizes->size()) == parts,
           "split has " + Twine(sizes->size()) + " entries for " + Twine(parts) + " outputs");
  Results out;
  DimExpr start(0);
  for (const DimExpr &size : *sizes) {
    n.expect(!size.isConstant() || *size.constant() >= 0, "a part has a negative size");
    out.push_back(n.slice(n[0], axis, start, size));
    start = start + size;
  }
  n.expect(dimsMayMatch(start, total),
           "the parts have " + start.str() + " elements, the dim has " + total.str());
  return out;
}
Results splitByAttribute(Node &n) {
  auto sizes = n.integers("split");
  return split(n, n.has("split") ? std::optional(Dims(sizes.begin(), sizes.end())) : std::nullopt);
}
Results splitByInput(Node &n) {
  return split(n, n.optional(1) ? std::optional(n.elements(n[1])) : std::nullopt);
}

Results shape(Node &n) {
  Dims dims = n.dims(n[0]);
  int64_t rank = dims.size();
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  int64_t start = clamp(n.integer("start", 0)), end = clamp(n.integer("end", rank));
  return {n.fromDims(ArrayRef<DimExpr>(dims).slice(start, std::max<int64_t>(end - start, 0)))};
}
Results size(Node &n) {
  return {n.fromDims({numElements(n.dims(n[0]))}, RankedTensorType::get({}, n.i64()))};
}

/// The dim as blocks; a problem when it is not divisible.
DimExpr divided(Node &n, const DimExpr &d, int64_t by) {
  n.expect(!d.isConstant() || *d.constant() % by == 0,
           "a dim of " + d.str() + " is not divisible by " + Twine(by));
  auto exact = DimExpr::divideExactly(d, by);
  return exact ? *exact : DimExpr::floordiv(d, by);
}

Results depthToSpace(Node &n) {
  Dims d = n.dims(n[0]);
  int64_t block = n.integer("blocksize");
  n.expect(d.size() == 4 && block >= 1 && block < 65536, "expected rank 4 and a positive blocksize");
  std::string mode = n.text("mode", "DCR");
  DimExpr c = divided(n, d[1], block * block);
  bool depthFirst = mode == "DCR";
  n.expect(depthFirst || mode == "CRD", "mode must be DCR or CRD");
  // DCR: channels are (block, block, c), CRD: (c, block, block)
  Value x = depthFirst ? n.reshape(n[0], {d[0], block, block, c, d[2], d[3]})
                       : n.reshape(n[0], {d[0], c, block, block, d[2], d[3]});
  x = depthFirst ? n.transpose(x, {0, 3, 4, 1, 5, 2}) : n.transpose(x, {0, 1, 4, 2, 5, 3});
  return {n.reshape(x, {d[0], c, d[2] * DimExpr(block), d[3] * DimExpr(block)})};
}

Results spaceToDepth(Node &n) {
  Dims d = n.dims(n[0]);
  int64_t block = n.integer("blocksize");
  n.expect(d.size() == 4 && block >= 1 && block < 65536, "expected rank 4 and a positive blocksize");
  DimExpr h = divided(n, d[2], block), w = divided(n, d[3], block);
  Value x = n.transpose(n.reshape(n[0], {d[0], d[1], h, block, w, block}), {0, 3, 5, 1, 2, 4});
  return {n.reshape(x, {d[0], d[1] * DimExpr(block * block), h, w})};
}

} // namespace

void optc::registerReshaping(Registry &r) {
  r.domain = "";
  r.add("Concat", 1, concat);
  r.add("DepthToSpace", 1, depthToSpace);
  r.add("Expand", 8, expand);
  r.add("Flatten", 1, flatten);
  r.add("Reshape", 5, reshape);
  r.add("Shape", 1, shape);
  r.add("Size", 1, size);
  r.add("SpaceToDepth", 1, spaceToDepth);
  r.add("Split", 2, splitByAttribute);
  r.add("Split", 13, splitByInput);
  r.add("Squeeze", 1, squeezeByAttribute);
  r.add("Squeeze", 13, squeezeByInput);
  r.add("Tile", 6, importTile);
  r.add("Transpose", 1, transpose);
  r.add("Unsqueeze", 1, unsqueezeByAttribute);
  r.add("Unsqueeze", 13, unsqueezeByInput);
}
