//===- InferTypes.cpp - Result types of ops without windows ---------------===//
//
// One function an op: the result type from the operands' types and the attributes. A wrong
// operand is a diagnostic at the op's location (the ONNX node).
//
//===----------------------------------------------------------------------===//

#include "ir/InferTypes.h"

using namespace mlir;
using namespace optc;

static LogicalResult checkAxis(std::optional<Location> location, int64_t axis, int64_t rank) {
  if (axis >= 0 && axis < rank)
    return success();
  return emitOptionalError(location, "axis ", axis, " is out of range for rank ", rank);
}

/// Elementwise: all operands have one shape; the result has it with element type `element`.
static LogicalResult inferElementwise(std::optional<Location> location, ValueRange operands, Type element,
                                      SmallVectorImpl<Type> &types) {
  Dims dims = dimsOf(operands.front());
  for (Value operand : operands.drop_front()) {
    Dims other = dimsOf(operand);
    if (other.size() != dims.size())
      return emitOptionalError(location, "operands differ in rank");
    for (auto [a, b] : llvm::zip(dims, other)) {
      if (!dimsMayMatch(a, b))
        return emitOptionalError(location, "operands differ in shape: ", a.str(), " and ", b.str());
      if (!a.isConstant() && b.isConstant())
        a = b;
    }
  }
  types.push_back(tensorType(dims, element));
  return success();
}

#define OPTC_INFER_UNARY(OP)                                                                                 \
  OPTC_INFER(OP) { return inferElementwise(location, op.getX(), elementOf(op.getX()), types); }
OPTC_INFER_UNARY(ExpOp)
OPTC_INFER_UNARY(LogOp)
OPTC_INFER_UNARY(Log1pOp)
OPTC_INFER_UNARY(Expm1Op)
OPTC_INFER_UNARY(SqrtOp)
OPTC_INFER_UNARY(RsqrtOp)
OPTC_INFER_UNARY(ReciprocalOp)
OPTC_INFER_UNARY(SinOp)
OPTC_INFER_UNARY(CosOp)
OPTC_INFER_UNARY(TanOp)
OPTC_INFER_UNARY(AsinOp)
OPTC_INFER_UNARY(AcosOp)
OPTC_INFER_UNARY(AtanOp)
OPTC_INFER_UNARY(SinhOp)
OPTC_INFER_UNARY(CoshOp)
OPTC_INFER_UNARY(TanhOp)
OPTC_INFER_UNARY(AsinhOp)
OPTC_INFER_UNARY(AcoshOp)
OPTC_INFER_UNARY(AtanhOp)
OPTC_INFER_UNARY(ErfOp)
OPTC_INFER_UNARY(SigmoidOp)
OPTC_INFER_UNARY(SiluOp)
OPTC_INFER_UNARY(HardSwishOp)
OPTC_INFER_UNARY(SoftplusOp)
OPTC_INFER_UNARY(GeluOp)
OPTC_INFER_UNARY(FloorOp)
OPTC_INFER_UNARY(CeilOp)
OPTC_INFER_UNARY(RoundOp)
OPTC_INFER_UNARY(RoundTf32Op)
OPTC_INFER_UNARY(NegOp)
OPTC_INFER_UNARY(AbsOp)
OPTC_INFER_UNARY(SignOp)
OPTC_INFER_UNARY(NotOp)
OPTC_INFER_UNARY(BitNotOp)

static Type boolType(Value value) { return IntegerType::get(value.getContext(), 1); }
OPTC_INFER(IsNanOp) { return inferElementwise(location, op.getX(), boolType(op.getX()), types); }
OPTC_INFER(IsInfOp) { return inferElementwise(location, op.getX(), boolType(op.getX()), types); }

/// Binary ops whose operands have one element type.
static LogicalResult inferBinary(std::optional<Location> location, ValueRange operands, Type element,
                                 SmallVectorImpl<Type> &types) {
  if (elementOf(operands[0]) != elementOf(operands[1]))
    return emitOptionalError(location, "operands differ in element type: ", elementOf(operands[0]), " and ",
                             elementOf(operands[1]));
  return inferElementwise(location, operands, element, types);
}

#define OPTC_INFER_BINARY(OP)                                                                                \
  OPTC_INFER(OP) {                                                                                           \
    return inferBinary(location, {op.getLhs(), op.getRhs()}, elementOf(op.getLhs()), types);                 \
  }
OPTC_INFER_BINARY(AddOp)
OPTC_INFER_BINARY(SubOp)
OPTC_INFER_BINARY(MulOp)
OPTC_INFER_BINARY(DivOp)
OPTC_INFER_BINARY(ModOp)
OPTC_INFER_BINARY(MinOp)
OPTC_INFER_BINARY(MaxOp)
OPTC_INFER_BINARY(AndOp)
OPTC_INFER_BINARY(OrOp)
OPTC_INFER_BINARY(XorOp)
OPTC_INFER_BINARY(ShiftOp)

OPTC_INFER(PowOp) {
  return inferElementwise(location, {op.getLhs(), op.getRhs()}, elementOf(op.getLhs()), types);
}
OPTC_INFER(CompareOp) { return inferBinary(location, {op.getLhs(), op.getRhs()}, boolType(op.getLhs()), types); }
OPTC_INFER(FmaOp) {
  if (op.getLhs().getType() != op.getRhs().getType() || op.getLhs().getType() != op.getAddend().getType())
    return emitOptionalError(location, "operands differ in type");
  return inferElementwise(location, {op.getLhs(), op.getRhs(), op.getAddend()}, elementOf(op.getLhs()), types);
}
OPTC_INFER(SelectOp) {
  if (elementOf(op.getOnTrue()) != elementOf(op.getOnFalse()))
    return emitOptionalError(location, "branches differ in element type");
  return inferElementwise(location, {op.getOnTrue(), op.getOnFalse(), op.getCondition()},
                          elementOf(op.getOnTrue()), types);
}

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

OPTC_INFER(TransposeOp) {
  Dims in = dimsOf(op.getX()), out;
  SmallVector<bool> seen(in.size());
  if (op.getPermutation().size() != in.size())
    return emitOptionalError(location, "permutation has ", op.getPermutation().size(), " entries for rank ",
                             in.size());
  for (int64_t p : op.getPermutation()) {
    if (p < 0 || p >= int64_t(in.size()) || seen[p])
      return emitOptionalError(location, "not a permutation");
    seen[p] = true;
    out.push_back(in[p]);
  }
  types.push_back(tensorType(out, elementOf(op.getX())));
  return success();
}

OPTC_INFER(ConcatOp) {
  if (op.getXs().empty())
    return emitOptionalError(location, "no operands");
  Dims dims = dimsOf(op.getXs().front());
  if (failed(checkAxis(location, op.getAxis(), dims.size())))
    return failure();
  for (Value x : op.getXs().drop_front()) {
    Dims other = dimsOf(x);
    if (other.size() != dims.size() || elementOf(x) != elementOf(op.getXs().front()))
      return emitOptionalError(location, "operands differ in rank or element type");
    for (size_t i = 0; i < dims.size(); ++i)
      if (i == op.getAxis())
        dims[i] = dims[i] + other[i];
      else if (!dimsMayMatch(dims[i], other[i]))
        return emitOptionalError(location, "operands differ in dim ", i, ": ", dims[i].str(), " and ",
                                 other[i].str());
      else if (other[i].isConstant())
        dims[i] = other[i];
  }
  types.push_back(tensorType(dims, elementOf(op.getXs().front())));
  return success();
}

OPTC_INFER(GatherOp) {
  Dims in = dimsOf(op.getX()), indices = dimsOf(op.getIndices()), out;
  if (failed(checkAxis(location, op.getAxis(), in.size())))
    return failure();
  out.append(in.begin(), in.begin() + op.getAxis());
  out.append(indices.begin(), indices.end());
  out.append(in.begin() + op.getAxis() + 1, in.end());
  types.push_back(tensorType(out, elementOf(op.getX())));
  return success();
}

OPTC_INFER(GatherElementsOp) {
  if (failed(checkAxis(location, op.getAxis(), tensorOf(op.getX()).getRank())))
    return failure();
  if (tensorOf(op.getX()).getRank() != tensorOf(op.getIndices()).getRank())
    return emitOptionalError(location, "indices and data differ in rank");
  types.push_back(tensorType(dimsOf(op.getIndices()), elementOf(op.getX())));
  return success();
}

OPTC_INFER(GatherNDOp) {
  Dims in = dimsOf(op.getX()), indices = dimsOf(op.getIndices()), out;
  int64_t batch = op.getBatchDims();
  if (indices.empty() || !indices.back().isConstant())
    return emitOptionalError(location, "the last dim of indices must be known");
  int64_t depth = *indices.back().constant();
  if (batch < 0 || batch >= int64_t(indices.size()) || depth < 0 || batch + depth > int64_t(in.size()))
    return emitOptionalError(location, "indices address more dims than the data has");
  out.append(indices.begin(), indices.end() - 1);
  out.append(in.begin() + batch + depth, in.end());
  types.push_back(tensorType(out, elementOf(op.getX())));
  return success();
}

static LogicalResult inferLike(Value x, SmallVectorImpl<Type> &types) {
  types.push_back(x.getType());
  return success();
}

OPTC_INFER(ScatterElementsOp) {
  int64_t rank = tensorOf(op.getX()).getRank();
  if (failed(checkAxis(location, op.getAxis(), rank)))
    return failure();
  if (tensorOf(op.getIndices()).getRank() != rank || tensorOf(op.getUpdates()).getRank() != rank)
    return emitOptionalError(location, "data, indices and updates differ in rank");
  if (elementOf(op.getX()) != elementOf(op.getUpdates()))
    return emitOptionalError(location, "data and updates differ in element type");
  return inferLike(op.getX(), types);
}
OPTC_INFER(ScatterNDOp) {
  Dims indices = dimsOf(op.getIndices());
  if (indices.empty() || !indices.back().isConstant() ||
      *indices.back().constant() > tensorOf(op.getX()).getRank())
    return emitOptionalError(location, "the last dim of indices must be known and at most the data's rank");
  if (elementOf(op.getX()) != elementOf(op.getUpdates()))
    return emitOptionalError(location, "data and updates differ in element type");
  return inferLike(op.getX(), types);
}
OPTC_INFER(ReverseSequenceOp) {
  int64_t rank = tensorOf(op.getX()).getRank();
  if (failed(checkAxis(location, op.getTimeAxis(), rank)) || failed(checkAxis(location, op.getBatchAxis(), rank)))
    return failure();
  return inferLike(op.getX(), types);
}
OPTC_INFER(GridSampleOp) {
  Dims x = dimsOf(op.getX()), grid = dimsOf(op.getGrid());
  if (x.size() < 3 || grid.size() != x.size())
    return emitOptionalError(location, "input and grid must have the same rank, 3 or more");
  Dims out{x[0], x[1]};
  out.append(grid.begin() + 1, grid.end() - 1);
  types.push_back(tensorType(out, elementOf(op.getX())));
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions and scans
//===----------------------------------------------------------------------===//

OPTC_INFER(ReduceOp) {
  Dims in = dimsOf(op.getX()), out;
  SmallVector<bool> reduced(in.size());
  for (int64_t axis : op.getAxes()) {
    if (failed(checkAxis(location, axis, in.size())))
      return failure();
    reduced[axis] = true;
  }
  for (size_t i = 0; i < in.size(); ++i)
    if (!reduced[i])
      out.push_back(in[i]);
  types.push_back(tensorType(out, elementOf(op.getX())));
  return success();
}

OPTC_INFER(ArgReduceOp) {
  Dims dims = dimsOf(op.getX());
  if (failed(checkAxis(location, op.getAxis(), dims.size())))
    return failure();
  dims.erase(dims.begin() + op.getAxis());
  types.push_back(tensorType(dims, IntegerType::get(op.getX().getContext(), 64)));
  return success();
}

OPTC_INFER(CumulativeOp) {
  if (failed(checkAxis(location, op.getAxis(), tensorOf(op.getX()).getRank())))
    return failure();
  return inferLike(op.getX(), types);
}

//===----------------------------------------------------------------------===//
// Neural
//===----------------------------------------------------------------------===//

OPTC_INFER(SoftmaxOp) {
  if (failed(checkAxis(location, op.getAxis(), tensorOf(op.getX()).getRank())))
    return failure();
  return inferLike(op.getX(), types);
}
OPTC_INFER(NormalizeOp) {
  if (failed(checkAxis(location, op.getAxis(), tensorOf(op.getX()).getRank())))
    return failure();
  Dims dims = dimsOf(op.getX());
  ArrayRef<DimExpr> inner = ArrayRef<DimExpr>(dims).drop_front(op.getAxis());
  for (Value parameter : {op.getScale(), op.getBias()}) {
    if (!parameter)
      continue;
    Dims own = dimsOf(parameter);
    if (own.size() != inner.size() || elementOf(parameter) != elementOf(op.getX()))
      return emitOptionalError(location, "scale and bias must have the type of the normalised dims");
    for (auto [a, b] : llvm::zip(own, inner))
      if (!dimsMayMatch(a, b))
        return emitOptionalError(location, "scale and bias must have the shape of the normalised dims");
  }
  return inferLike(op.getX(), types);
}
OPTC_INFER(LrnOp) {
  if (tensorOf(op.getX()).getRank() < 2)
    return emitOptionalError(location, "expected rank 2 or more");
  return inferLike(op.getX(), types);
}

OPTC_INFER(AttentionOp) {
  Dims q = dimsOf(op.getQ()), k = dimsOf(op.getK()), v = dimsOf(op.getV());
  if (q.size() != 4 || k.size() != 4 || v.size() != 4)
    return emitOptionalError(location, "q, k and v must have rank 4");
  if (!dimsMayMatch(q[3], k[3]) || !dimsMayMatch(k[2], v[2]) || !dimsMayMatch(k[1], v[1]))
    return emitOptionalError(location, "q, k and v do not fit together");
  types.push_back(tensorType({q[0], q[1], q[2], v[3]}, elementOf(op.getQ())));
  return success();
}

OPTC_INFER(RecurrentOp) {
  Dims x = dimsOf(op.getX()), r = dimsOf(op.getR());
  if (x.size() != 3 || r.size() != 2)
    return emitOptionalError(location, "expected x of rank 3, w and r of rank 2");
  if (op.getW()) {
    Dims w = dimsOf(op.getW());
    if (w.size() != 2)
      return emitOptionalError(location, "expected x of rank 3, w and r of rank 2");
    if (!dimsMayMatch(x[2], w[1]) || !dimsMayMatch(w[0], r[0]))
      return emitOptionalError(location, "x, w and r do not fit together");
  } else if (!dimsMayMatch(x[2], r[0])) {
    return emitOptionalError(location, "x and r do not fit together");
  }
  Type element = elementOf(op.getX());
  types.push_back(tensorType({x[0], x[1], r[1]}, element));
  types.append(2, tensorType({x[1], r[1]}, element));
  return success();
}

OPTC_INFER(DetOp) {
  Dims dims = dimsOf(op.getX());
  if (dims.size() < 2 || !dimsMayMatch(dims[dims.size() - 1], dims[dims.size() - 2]))
    return emitOptionalError(location, "expected square matrices");
  dims.pop_back_n(2);
  types.push_back(tensorType(dims, elementOf(op.getX())));
  return success();
}
