//===- Generators.cpp - Constants, ranges, random values -------------------===//
//
//   Range(2, 10, 2)  ⇒  add (mul (iota : [4]), 2), 2
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"
#include <onnx/onnx_pb.h>

using namespace mlir;
using namespace optc;

namespace {

Results constant(Node &n) {
  n.expect(n.proto.attribute_size() == 1, "expected exactly one attribute");
  return {n.tensorAttribute(n.proto.attribute(0))};
}

Results constantOfShape(Node &n) {
  n.expect(n.rank(n[0]) == 1, "the shape must be a vector");
  if (!tensorOf(n[0]).hasStaticShape())
    n.unsupported("unsupported: the rank of the result is not known");
  Value value = n.has("value") ? n.tensorAttribute(*n.attribute("value")) : n.scalar(n.f32(), 0);
  Dims dims = n.elements(n[0]);
  for (const DimExpr &d : dims)
    n.expect(!d.isConstant() || *d.constant() >= 0, "the shape has a negative entry");
  return {n.broadcast(n.reshape(value, {}), dims)};
}

/// max(ceil((limit - start) / delta), 0) for numbers that are known or integer expressions.
DimExpr rangeSize(Node &n) {
  if (isa<IntegerType>(elementOf(n[0]))) {
    Dims start = n.elements(n[0]), limit = n.elements(n[1]), delta = n.elements(n[2]);
    n.expect(start.size() == 1 && limit.size() == 1 && delta.size() == 1,
             "start, limit and delta must be scalars");
    auto step = delta[0].constant();
    n.expect(!step || *step != 0, "delta is 0");
    DimExpr span = limit[0] - start[0];
    if (step && *step < 0)
      return DimExpr::max(DimExpr::ceildiv(DimExpr(0) - span, -*step), 0);
    return DimExpr::max(DimExpr::ceildiv(span, delta[0]), 0);
  }
  auto start = n.constantNumbers(n[0]), limit = n.constantNumbers(n[1]), delta = n.constantNumbers(n[2]);
  if (start && limit && delta && start->size() == 1 && limit->size() == 1 && delta->size() == 1 &&
      (*delta)[0] != 0) {
    double size = std::ceil(((*limit)[0] - (*start)[0]) / (*delta)[0]);
    n.expect(size < 1e12, "the range is too long");
    return std::max<int64_t>(int64_t(size), 0);
  }
  // Floats that the run decides: the size is computed and bound.
  Value wide = n.b.getF64Type() == elementOf(n[0]) ? Value() : n[0];
  auto f64 = [&](Value x) { return wide ? n.cast(x, n.b.getF64Type()) : x; };
  Value steps = n.make<CeilOp>(n.make<DivOp>(n.make<SubOp>(f64(n[1]), f64(n[0])), f64(n[2])));
  Value size = n.make<MaxOp>(n.cast(steps, n.i64()), n.scalarInteger(n.i64(), 0));
  return n.elements(size)[0];
}

Results range(Node &n) {
  for (size_t i = 0; i < 3; ++i)
    n.expect(numElements(n.dims(n[i])) == DimExpr(1), "start, limit and delta must be scalars");
  DimExpr size = rangeSize(n);
  Type element = elementOf(n[0]);
  Value index = n.makeAs<IotaOp>(tensorType({size}, element), 0);
  auto scalar = [&](Value x) { return n.broadcast(n.reshape(x, {}), {size}); };
  return {n.make<AddOp>(n.make<MulOp>(index, scalar(n[2])), scalar(n[0]))};
}

Results eyeLike(Node &n) {
  Dims dims = n.dims(n[0]);
  n.expect(dims.size() == 2, "expected a matrix");
  Type element = n.has("dtype") ? n.element(n.integer("dtype")) : elementOf(n[0]);
  Type index = tensorType(dims, n.i64());
  Value row = n.makeAs<IotaOp>(index, 0), column = n.makeAs<IotaOp>(index, 1);
  row = n.make<AddOp>(row, n.broadcast(n.scalarInteger(n.i64(), n.integer("k", 0)), dims));
  return {n.cast(n.make<CompareOp>(row, column, "eq"), element)};
}

// column - row <= k (lower) or >= k (upper) ? x : 0
Results trilu(Node &n) {
  Value x = n[0];
  Dims dims = n.dims(x);
  n.expect(dims.size() >= 2, "expected matrices");
  Dims matrix(dims.end() - 2, dims.end());
  Type index = tensorType(matrix, n.i64());
  Value k = n.optional(1) ? n.reshape(n[1], {}) : n.scalarInteger(n.i64(), 0);
  Value row = n.makeAs<IotaOp>(index, 0), column = n.makeAs<IotaOp>(index, 1);
  row = n.make<AddOp>(row, n.broadcast(k, matrix));
  Value keep = n.make<CompareOp>(column, row, n.flag("upper", true) ? "ge" : "le");
  return {n.make<SelectOp>(n.broadcast(keep, dims), x, n.full(x, 0))};
}

//===- Random values ---------------------------------------------------------===//

/// The seed; without one, a number from the node's name, so that builds are reproducible.
int64_t seed(Node &n) {
  if (n.has("seed"))
    return int64_t(n.number("seed") * 65536.0);
  uint64_t hash = 1469598103934665603u; // FNV-1a
  for (char c : n.outputName(0))
    hash = (hash ^ uint8_t(c)) * 1099511628211u;
  return int64_t(hash >> 1);
}

Value random(Node &n, StringRef distribution, double low, double high, ArrayRef<DimExpr> dims, Type element) {
  return n.makeAs<RandomOp>(tensorType(dims, element), distribution, llvm::APFloat(low), llvm::APFloat(high),
                            seed(n));
}
Type randomType(Node &n) {
  if (n.has("dtype"))
    return n.element(n.integer("dtype"));
  return n.size() > 0 ? elementOf(n[0]) : n.f32();
}
Dims randomDims(Node &n) {
  if (n.size() > 0)
    return n.dims(n[0]);
  auto shape = n.integers("shape");
  for (int64_t d : shape)
    n.expect(d >= 0, "shape has a negative entry");
  return Dims(shape.begin(), shape.end());
}
Results randomUniform(Node &n) {
  return {random(n, "uniform", n.number("low", 0), n.number("high", 1), randomDims(n), randomType(n))};
}
Results randomNormal(Node &n) {
  return {random(n, "normal", n.number("mean", 0), n.number("scale", 1), randomDims(n), randomType(n))};
}
Results bernoulli(Node &n) {
  Value x = n[0], draw = random(n, "uniform", 0, 1, n.dims(x), elementOf(x));
  return {n.cast(n.make<CompareOp>(draw, x, "lt"), randomType(n))};
}
// Gumbel-max: the position of the largest logit - log(-log(uniform)), for each of the samples
Results multinomial(Node &n) {
  Dims logits = n.dims(n[0]);
  n.expect(logits.size() == 2, "expected logits [batch, classes]");
  Dims dims{logits[0], n.integer("sample_size", 1), logits[1]};
  Value x = n.broadcast(n.reshape(n[0], {logits[0], 1, logits[1]}), dims);
  Value draw = random(n, "uniform", 1e-7, 1, dims, elementOf(x));
  Value noise = n.make<NegOp>(n.make<LogOp>(n.make<NegOp>(n.make<LogOp>(draw))));
  Value y = n.make<ArgReduceOp>(n.make<AddOp>(x, noise), 2, "max", false);
  return {n.cast(y, n.element(n.integer("dtype", onnx::TensorProto::INT32)))};
}

} // namespace

void optc::registerGenerators(Registry &r) {
  r.domain = "";
  r.add("Bernoulli", 15, bernoulli);
  r.add("Constant", 1, constant);
  r.add("ConstantOfShape", 9, constantOfShape);
  r.add("EyeLike", 9, eyeLike);
  r.add("Multinomial", 7, multinomial);
  r.add("RandomNormal", 1, randomNormal);
  r.add("RandomNormalLike", 1, randomNormal);
  r.add("RandomUniform", 1, randomUniform);
  r.add("RandomUniformLike", 1, randomUniform);
  r.add("Range", 11, range);
  r.add("Trilu", 14, trilu);
}
