//===- CudaExpression.cpp - One op as a C++ expression --------------------===//

#include "codegen/gpu/CudaExpression.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringMap.h"
#include <charconv>

using namespace mlir;
using namespace optc;

std::string optc::cudaType(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return "Vec<" + cudaType(vector.getElementType()) + ", " + std::to_string(vector.getNumElements()) + ">";
  if (type.isF16())
    return "f16";
  if (type.isBF16())
    return "bf16";
  if (isa<FloatType>(type))
    return type.isF32() ? "float" : "double";
  unsigned width = type.getIntOrFloatBitWidth();
  return width == 1 ? "bool" : width == 32 ? "int" : "i" + std::to_string(width);
}

static std::string unsignedType(Type type) {
  unsigned width = type.getIntOrFloatBitWidth();
  return width == 1 ? "bool" : "u" + std::to_string(width);
}

static CudaText floatConstant(const APFloat &value, Type type) {
  std::string suffix = type.isF32() ? "f" : "";
  if (value.isNaN() || value.isInfinity()) {
    std::string text = value.isNaN() ? "kNan" : value.isNegative() ? "-kInfinity" : "kInfinity";
    if (!type.isF32())
      return {"double(" + text + ")"};
    return {text, text[0] == '-' ? Binding::unary : Binding::primary};
  }
  // The shortest text that reads back as the same value.
  char buffer[64];
  auto end = type.isF32() ? std::to_chars(buffer, std::end(buffer), value.convertToFloat())
                          : std::to_chars(buffer, std::end(buffer), value.convertToDouble());
  std::string text(buffer, end.ptr);
  if (text.find_first_of(".e") == std::string::npos)
    text += ".0";
  return {text + suffix, value.isNegative() ? Binding::unary : Binding::primary};
}

CudaText optc::cudaConstant(Attribute value, Type type, bool typed) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return floatConstant(number.getValue(), type);
  APInt bits = cast<IntegerAttr>(value).getValue();
  if (bits.getBitWidth() == 1)
    return {bits.isZero() ? "false" : "true"};
  int64_t n = bits.getSExtValue();
  std::string text = std::to_string(n);
  // The literal would be read as a negation of what does not fit.
  if (bits.isMinSignedValue() && bits.getBitWidth() >= 32)
    text = "(" + std::to_string(n + 1) + (bits.getBitWidth() == 64 ? "LL - 1)" : " - 1)");
  else if (n != int32_t(n))
    text += "LL";
  if (typed && bits.getBitWidth() != 32)
    return {cudaType(type) + "(" + text + ")"};
  return {text, n < 0 && text[0] == '-' ? Binding::unary : Binding::primary};
}

namespace {

/// x OP y
struct Infix {
  const char *text;
  Binding binding;
};
const Infix *infixOf(Operation *op, Type scalar) {
  static const llvm::StringMap<Infix> table = {
      {"arith.addf", {"+", Binding::sum}},      {"arith.subf", {"-", Binding::sum}},
      {"arith.mulf", {"*", Binding::product}},  {"arith.divf", {"/", Binding::product}},
      {"arith.addi", {"+", Binding::sum}},      {"arith.subi", {"-", Binding::sum}},
      {"arith.muli", {"*", Binding::product}},  {"arith.divsi", {"/", Binding::product}},
      {"arith.remsi", {"%", Binding::product}}, {"arith.andi", {"&", Binding::bitAnd}},
      {"arith.ori", {"|", Binding::bitOr}},     {"arith.xori", {"^", Binding::bitXor}},
      {"arith.shrsi", {">>", Binding::shift}}};
  static const llvm::StringMap<Infix> ofBool = {{"arith.andi", {"&&", Binding::logicalAnd}},
                                                {"arith.muli", {"&&", Binding::logicalAnd}},
                                                {"arith.ori", {"||", Binding::logicalOr}},
                                                {"arith.xori", {"!=", Binding::equality}}};
  auto &t = scalar.isInteger(1) ? ofBool : table;
  auto it = t.find(op->getName().getStringRef());
  return it == t.end() ? nullptr : &it->second;
}

/// Functions of device.cuh, and of the math library, whose names for f32 end in f.
struct Function {
  const char *name;
  bool fromMath = false;
};
const Function *functionOf(Operation *op) {
  static const llvm::StringMap<Function> table = {
      {"arith.addi", {"wrap_add"}},          {"arith.subi", {"wrap_sub"}},
      {"arith.muli", {"wrap_mul"}},          {"arith.divui", {"divide_unsigned"}},
      {"arith.remui", {"modulo_unsigned"}},  {"arith.floordivsi", {"divide_floor"}},
      {"arith.shli", {"shift_left"}},        {"arith.shrui", {"shift_right_unsigned"}},
      {"arith.minsi", {"minimum"}},          {"arith.maxsi", {"maximum"}},
      {"arith.minui", {"minimum_unsigned"}}, {"arith.maxui", {"maximum_unsigned"}},
      {"arith.minimumf", {"minimum"}},       {"arith.maximumf", {"maximum"}},
      {"arith.minnumf", {"fmin", true}},     {"arith.maxnumf", {"fmax", true}},
      {"arith.remf", {"fmod", true}},        {"math.absi", {"absolute"}},
      {"math.absf", {"fabs", true}},         {"math.exp", {"exp", true}},
      {"math.expm1", {"expm1", true}},       {"math.log", {"log", true}},
      {"math.log1p", {"log1p", true}},       {"math.sqrt", {"sqrt", true}},
      {"math.rsqrt", {"rsqrt", true}},       {"math.sin", {"sin", true}},
      {"math.cos", {"cos", true}},           {"math.tan", {"tan", true}},
      {"math.asin", {"asin", true}},         {"math.acos", {"acos", true}},
      {"math.atan", {"atan", true}},         {"math.sinh", {"sinh", true}},
      {"math.cosh", {"cosh", true}},         {"math.tanh", {"tanh", true}},
      {"math.asinh", {"asinh", true}},       {"math.acosh", {"acosh", true}},
      {"math.atanh", {"atanh", true}},       {"math.erf", {"erf", true}},
      {"math.exp2", {"exp2", true}},         {"math.log2", {"log2", true}},
      {"math.copysign", {"copysign", true}}, {"math.powf", {"pow", true}},
      {"math.fma", {"fma", true}},           {"math.floor", {"floor", true}},
      {"math.ceil", {"ceil", true}},         {"math.trunc", {"trunc", true}},
      {"math.roundeven", {"rint", true}},
      {"math.ipowi", {"integer_power"}}};
  auto it = table.find(op->getName().getStringRef());
  return it == table.end() ? nullptr : &it->second;
}

/// Conversions: T(x), read as unsigned where the op does.
bool isConversion(Operation *op) {
  return isa<arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp, arith::SIToFPOp, arith::UIToFPOp,
             arith::FPToSIOp, arith::FPToUIOp, arith::ExtFOp, arith::TruncFOp, arith::BitcastOp>(op);
}

using Operand = llvm::function_ref<CudaText(unsigned, bool)>;

CudaText call(const std::string &name, std::initializer_list<std::string> arguments) {
  std::string text = name + "(";
  for (const std::string &a : arguments)
    text += (text.back() == '(' ? "" : ", ") + a;
  return {text + ")"};
}

CudaText convert(Operation *op, Type from, Type to, Operand operand) {
  std::string x = operand(0, false).text;
  if (isa<arith::UIToFPOp, arith::ExtUIOp>(op))
    return call(cudaType(to), {from.isInteger(1) ? x : unsignedType(from) + "(" + x + ")"});
  if (isa<arith::FPToUIOp>(op))
    return call(cudaType(to), {unsignedType(to) + "(" + x + ")"});
  if (isa<arith::BitcastOp>(op))
    return call("bit_cast<" + cudaType(to) + ">", {operand(0, true).text});
  if (to.isInteger(1)) // truncation
    return {"(" + x + " & 1) != 0", Binding::equality};
  return call(cudaType(to), {x});
}

/// x OP y, or the negation of the opposite: a comparison that holds for NaN as well.
CudaText compareFloats(arith::CmpFOp op, Operand operand) {
  using P = arith::CmpFPredicate;
  CudaText x = operand(0, false), y = operand(1, false);
  auto relation = [&](const char *text) -> CudaText {
    return {x.inside(Binding::relation) + " " + text + " " + y.inside(Binding::relation), Binding::relation};
  };
  auto equality = [&](const char *text) -> CudaText {
    return {x.inside(Binding::equality) + " " + text + " " + y.inside(Binding::equality), Binding::equality};
  };
  auto negated = [&](const char *text) -> CudaText {
    return {"!(" + relation(text).text + ")", Binding::unary};
  };
  switch (op.getPredicate()) {
  case P::OEQ:
    return equality("==");
  case P::UNE:
    return equality("!=");
  case P::OLT:
    return relation("<");
  case P::OLE:
    return relation("<=");
  case P::OGT:
    return relation(">");
  case P::OGE:
    return relation(">=");
  case P::ULT:
    return negated(">=");
  case P::ULE:
    return negated(">");
  case P::UGT:
    return negated("<=");
  case P::UGE:
    return negated("<");
  case P::UNO:
    if (op.getLhs() == op.getRhs())
      return call("is_nan", {x.text});
    return {"is_nan(" + x.text + ") || is_nan(" + y.text + ")", Binding::logicalOr};
  case P::ORD:
    if (op.getLhs() == op.getRhs())
      return {"!is_nan(" + x.text + ")", Binding::unary};
    return {"!is_nan(" + x.text + ") && !is_nan(" + y.text + ")", Binding::logicalAnd};
  case P::ONE:
    return {relation("<").text + " || " + relation(">").text, Binding::logicalOr};
  case P::UEQ:
    return {"!(" + relation("<").text + " || " + relation(">").text + ")", Binding::unary};
  case P::AlwaysFalse:
    return {"false"};
  case P::AlwaysTrue:
    return {"true"};
  }
  llvm_unreachable("every predicate is above");
}

CudaText compareIntegers(arith::CmpIOp op, Type scalar, Operand operand) {
  using P = arith::CmpIPredicate;
  P p = op.getPredicate();
  bool isUnsigned = (p == P::ult || p == P::ule || p == P::ugt || p == P::uge) && !scalar.isInteger(1);
  bool isEquality = p == P::eq || p == P::ne;
  Binding binding = isEquality ? Binding::equality : Binding::relation;
  auto side = [&](unsigned i) {
    CudaText x = operand(i, false);
    return isUnsigned ? unsignedType(scalar) + "(" + x.text + ")" : x.inside(binding);
  };
  const char *text = "";
  switch (p) {
  case P::eq:
    text = " == ";
    break;
  case P::ne:
    text = " != ";
    break;
  case P::slt:
  case P::ult:
    text = " < ";
    break;
  case P::sle:
  case P::ule:
    text = " <= ";
    break;
  case P::sgt:
  case P::ugt:
    text = " > ";
    break;
  case P::sge:
  case P::uge:
    text = " >= ";
    break;
  }
  return {side(0) + text + side(1), binding};
}

/// Index arithmetic promises not to overflow; what tensors hold wraps.
bool wraps(Operation *op) {
  auto arithmetic = dyn_cast<arith::ArithIntegerOverflowFlagsInterface>(op);
  return arithmetic && !arithmetic.hasNoSignedWrap();
}

} // namespace

bool optc::isCudaExpression(Operation *op) {
  if (op->getNumResults() != 1)
    return false;
  return isa<arith::ConstantOp, arith::CmpFOp, arith::CmpIOp, arith::SelectOp, arith::NegFOp>(op) ||
         isConversion(op) || functionOf(op) || infixOf(op, op->getResult(0).getType());
}

CudaText optc::cudaExpression(Operation *op, Operand operand) {
  Type to = getElementTypeOrSelf(op->getResult(0).getType());
  Type from = op->getNumOperands() ? getElementTypeOrSelf(op->getOperand(0).getType()) : to;
  if (isConversion(op))
    return convert(op, from, to, operand);
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    return compareFloats(compare, operand);
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return compareIntegers(compare, from, operand);
  if (isa<arith::NegFOp>(op))
    return {"-" + operand(0, false).inside(Binding::unary), Binding::unary};
  if (isa<arith::SelectOp>(op)) {
    // The condition decides the type of nothing: both sides have one, literals of it included.
    return {operand(0, false).inside(Binding::ternary) + " ? " + operand(1, true).inside(Binding::ternary) +
                " : " + operand(2, true).inside(Binding::ternary),
            Binding::ternary};
  }
  const Infix *infix = infixOf(op, to);
  if (infix && (to.isInteger(1) || !wraps(op))) {
    if (infix->text[0] == '!')
      if (CudaText y = operand(1, false); y.text == "true")
        return {"!" + operand(0, false).inside(Binding::unary), Binding::unary};
    // Left to right: the right side needs parentheses at the same strength. People misread & beside ==, and
    // compilers warn of && within ||.
    CudaText x = operand(0, false), y = operand(1, false);
    Binding right = infix->binding;
    if (right <= Binding::logicalAnd)
      right = Binding::bitAnd;
    else if (right <= Binding::bitAnd)
      right = Binding::shift;
    std::string text =
        (x.binding == infix->binding ? x.text : x.inside(right)) + " " + infix->text + " " + y.inside(right);
    // What is narrower than int has become one.
    if (isa<IntegerType>(to) && !to.isInteger(1) && to.getIntOrFloatBitWidth() < 32)
      return call(cudaType(to), {text});
    return {text, infix->binding};
  }
  const Function *function = functionOf(op);
  std::string name = function->name;
  if (function->fromMath && to.isF32())
    name += "f";
  std::string text = name + "(";
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    text += (i ? ", " : "") + operand(i, !function->fromMath).text;
  return {text + ")"};
}
