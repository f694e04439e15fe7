//===- Elementwise.cpp - Arithmetic, comparison, logic --------------------===//
//
// Operands are broadcast to one shape first:
//
//   Add(x[2,3], y[3])  ⇒  optc.add x, (optc.broadcast y : [3] -> [2,3])
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

template <typename OpT> Results unary(Node &n) { return {n.make<OpT>(n[0])}; }

template <typename OpT> Results binary(Node &n) {
  auto x = n.together({n[0], n[1]});
  return {n.make<OpT>(x[0], x[1])};
}

/// Before opset 7: equal shapes, unless `broadcast` is set. Then rhs's dims are those of lhs from `axis` on, or its last.
SmallVector<Value> togetherByAttribute(Node &n) {
  if (!n.flag("broadcast"))
    return n.together({n[0], n[1]});
  Dims lhs = n.dims(n[0]), rhs = n.dims(n[1]);
  int64_t missing = int64_t(lhs.size()) - int64_t(rhs.size());
  n.expect(missing >= 0, "the second input has the higher rank");
  int64_t axis = n.has("axis") ? n.axis(n.integer("axis"), lhs.size()) : missing;
  n.expect(axis <= missing, "axis " + Twine(axis) + " leaves no room for the second input");
  rhs.append(missing - axis, DimExpr(1));
  return n.together({n[0], n.reshape(n[1], rhs)});
}
template <typename OpT> Results binaryByAttribute(Node &n) {
  auto x = togetherByAttribute(n);
  return {n.make<OpT>(x[0], x[1])};
}

/// Max, Min, Sum: any number of operands, from the left.
template <typename OpT> Value folded(Node &n) {
  n.expect(n.size() > 0, "expected at least one input");
  Value out = n[0];
  for (size_t i = 1; i < n.size(); ++i) {
    auto x = n.together({out, n[i]});
    out = n.make<OpT>(x[0], x[1]);
  }
  return out;
}
template <typename OpT> Results variadic(Node &n) { return {folded<OpT>(n)}; }

Results mean(Node &n) {
  Value sum = folded<AddOp>(n);
  return {n.make<DivOp>(sum, n.full(sum, double(n.size())))};
}

Results mod(Node &n) {
  auto x = n.together({n[0], n[1]});
  bool truncate = n.flag("fmod");
  return {n.make<ModOp>(x[0], x[1], truncate)};
}

Results bitShift(Node &n) {
  auto x = n.together({n[0], n[1]});
  std::string direction = n.text("direction");
  n.expect(direction == "LEFT" || direction == "RIGHT", "direction must be LEFT or RIGHT");
  return {n.make<ShiftOp>(x[0], x[1], StringRef(direction).lower())};
}

Results compare(Node &n, StringRef predicate) {
  auto x = n.together({n[0], n[1]});
  return {n.make<CompareOp>(x[0], x[1], predicate)};
}
Results equal(Node &n) { return compare(n, "eq"); }
Results less(Node &n) { return compare(n, "lt"); }
Results lessOrEqual(Node &n) { return compare(n, "le"); }
Results greater(Node &n) { return compare(n, "gt"); }
Results greaterOrEqual(Node &n) { return compare(n, "ge"); }

template <char first> Results compareByAttribute(Node &n) {
  auto x = togetherByAttribute(n);
  return {n.make<CompareOp>(x[0], x[1], first == 'e' ? "eq" : first == 'l' ? "lt" : "gt")};
}

Results isInf(Node &n) {
  return {n.make<IsInfOp>(n[0], n.flag("detect_negative", true), n.flag("detect_positive", true))};
}

Results where(Node &n) {
  auto x = n.together({n[0], n[1], n[2]});
  return {n.make<SelectOp>(x[0], x[1], x[2])};
}

Value castTo(Node &n, Value x, Type to) {
  Type from = elementOf(x);
  if (from == to)
    return x;
  return n.makeAs<CastOp>(tensorType(n.dims(x), to), x, n.flag("saturate", true));
}
Results cast(Node &n) {
  if (n.text("round_mode", "up") != "up")
    n.unsupported("unsupported round_mode");
  return {castTo(n, n[0], n.element(n.integer("to")))};
}
/// Before opset 6 the type is given by its name.
Results castByName(Node &n) {
  std::string name = n.text("to");
  onnx::TensorProto_DataType type;
  n.expect(onnx::TensorProto_DataType_Parse(name, &type), "'" + name + "' is no element type");
  return {castTo(n, n[0], n.element(type))};
}
Results castLike(Node &n) { return {castTo(n, n[0], elementOf(n[1]))}; }
Results bitCast(Node &n) {
  Type to = n.element(n.integer("to"));
  return {n.makeAs<BitcastOp>(tensorType(n.dims(n[0]), to), n[0])};
}

Results clip(Node &n, Value low, Value high) {
  Value x = n[0];
  if (low)
    x = n.make<MaxOp>(x, n.broadcast(n.reshape(low, {}), n.dims(x)));
  if (high)
    x = n.make<MinOp>(x, n.broadcast(n.reshape(high, {}), n.dims(x)));
  return {x};
}
Results clipByAttributes(Node &n) {
  Type element = elementOf(n[0]);
  return clip(n, n.has("min") ? n.scalar(element, n.number("min")) : Value(),
              n.has("max") ? n.scalar(element, n.number("max")) : Value());
}
Results clipByInputs(Node &n) { return clip(n, n.optional(1), n.optional(2)); }

Results identity(Node &n) { return {n[0]}; }

} // namespace

void optc::registerElementwise(Registry &r) {
  r.domain = "";
  r.add("Abs", 1, unary<AbsOp>);
  r.add("Acos", 7, unary<AcosOp>);
  r.add("Acosh", 9, unary<AcoshOp>);
  r.add("Add", 1, binaryByAttribute<AddOp>);
  r.add("Add", 7, binary<AddOp>);
  r.add("And", 1, binaryByAttribute<AndOp>);
  r.add("And", 7, binary<AndOp>);
  r.add("Asin", 7, unary<AsinOp>);
  r.add("Asinh", 9, unary<AsinhOp>);
  r.add("Atan", 7, unary<AtanOp>);
  r.add("Atanh", 9, unary<AtanhOp>);
  r.add("BitCast", 25, bitCast);
  r.add("BitShift", 11, bitShift);
  r.add("BitwiseAnd", 18, binary<AndOp>);
  r.add("BitwiseNot", 18, unary<BitNotOp>);
  r.add("BitwiseOr", 18, binary<OrOp>);
  r.add("BitwiseXor", 18, binary<XorOp>);
  r.add("Cast", 1, castByName);
  r.add("Cast", 6, cast);
  r.add("CastLike", 15, castLike);
  r.add("Ceil", 1, unary<CeilOp>);
  r.add("Clip", 1, clipByAttributes);
  r.add("Clip", 11, clipByInputs);
  r.add("Cos", 7, unary<CosOp>);
  r.add("Cosh", 9, unary<CoshOp>);
  r.add("Div", 1, binaryByAttribute<DivOp>);
  r.add("Div", 7, binary<DivOp>);
  r.add("Equal", 1, compareByAttribute<'e'>);
  r.add("Equal", 7, equal);
  r.add("Erf", 9, unary<ErfOp>);
  r.add("Exp", 1, unary<ExpOp>);
  r.add("Floor", 1, unary<FloorOp>);
  r.add("Greater", 1, compareByAttribute<'g'>);
  r.add("Greater", 7, greater);
  r.add("GreaterOrEqual", 12, greaterOrEqual);
  r.add("Identity", 1, identity, Takes::objects);
  r.add("IsInf", 10, isInf);
  r.add("IsNaN", 9, unary<IsNanOp>);
  r.add("Less", 1, compareByAttribute<'l'>);
  r.add("Less", 7, less);
  r.add("LessOrEqual", 12, lessOrEqual);
  r.add("Log", 1, unary<LogOp>);
  r.add("Max", 1, variadic<MaxOp>);
  r.add("Mean", 1, mean);
  r.add("Min", 1, variadic<MinOp>);
  r.add("Mod", 10, mod);
  r.add("Mul", 1, binaryByAttribute<MulOp>);
  r.add("Mul", 7, binary<MulOp>);
  r.add("Neg", 1, unary<NegOp>);
  r.add("Not", 1, unary<NotOp>);
  r.add("Or", 1, binaryByAttribute<OrOp>);
  r.add("Or", 7, binary<OrOp>);
  r.add("Pow", 1, binaryByAttribute<PowOp>);
  r.add("Pow", 7, binary<PowOp>);
  r.add("Reciprocal", 1, unary<ReciprocalOp>);
  r.add("Round", 11, unary<RoundOp>);
  r.add("Sign", 9, unary<SignOp>);
  r.add("Sin", 7, unary<SinOp>);
  r.add("Sinh", 9, unary<SinhOp>);
  r.add("Sqrt", 1, unary<SqrtOp>);
  r.add("Sub", 1, binaryByAttribute<SubOp>);
  r.add("Sub", 7, binary<SubOp>);
  r.add("Sum", 1, variadic<AddOp>);
  r.add("Tan", 7, unary<TanOp>);
  r.add("Where", 9, where);
  r.add("Xor", 1, binaryByAttribute<XorOp>);
  r.add("Xor", 7, binary<XorOp>);
}
