//===- Elementwise.td - Elementwise ops ------------------------*- tablegen -*-===//
#ifndef OPTC_IR_ELEMENTWISE_TD
#define OPTC_IR_ELEMENTWISE_TD
include "ir/Base.td"

class Optc_UnaryOp<string mnemonic, string text, list<Trait> traits = []> : Optc_ElementwiseOp<mnemonic, traits> {
  let summary = text;
  let arguments = (ins Optc_Tensor:$x);
  let results = (outs Optc_Tensor:$y);
}
/// f16, bf16 are computed in f32 and rounded once.
class Optc_UnaryFloatOp<string mnemonic, string text, list<Trait> traits = []> : Optc_UnaryOp<mnemonic, text, traits> {
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x);
}

def Optc_ExpOp : Optc_UnaryFloatOp<"exp", "e to the x">;
def Optc_LogOp : Optc_UnaryFloatOp<"log", "Natural logarithm">;
def Optc_Log1pOp : Optc_UnaryFloatOp<"log1p", "log(1 + x), exact near 0">;
def Optc_Expm1Op : Optc_UnaryFloatOp<"expm1", "exp(x) - 1, exact near 0">;
def Optc_SqrtOp : Optc_UnaryFloatOp<"sqrt", "Square root">;
def Optc_RsqrtOp : Optc_UnaryFloatOp<"rsqrt", "1 / sqrt(x)">;
def Optc_ReciprocalOp : Optc_UnaryFloatOp<"reciprocal", "1 / x">;
def Optc_SinOp : Optc_UnaryFloatOp<"sin", "Sine of radians">;
def Optc_CosOp : Optc_UnaryFloatOp<"cos", "Cosine of radians">;
def Optc_TanOp : Optc_UnaryFloatOp<"tan", "Tangent of radians">;
def Optc_AsinOp : Optc_UnaryFloatOp<"asin", "Arc sine in radians">;
def Optc_AcosOp : Optc_UnaryFloatOp<"acos", "Arc cosine in radians">;
def Optc_AtanOp : Optc_UnaryFloatOp<"atan", "Arc tangent in radians">;
def Optc_SinhOp : Optc_UnaryFloatOp<"sinh", "Hyperbolic sine">;
def Optc_CoshOp : Optc_UnaryFloatOp<"cosh", "Hyperbolic cosine">;
def Optc_TanhOp : Optc_UnaryFloatOp<"tanh", "Hyperbolic tangent">;
def Optc_AsinhOp : Optc_UnaryFloatOp<"asinh", "Inverse hyperbolic sine">;
def Optc_AcoshOp : Optc_UnaryFloatOp<"acosh", "Inverse hyperbolic cosine">;
def Optc_AtanhOp : Optc_UnaryFloatOp<"atanh", "Inverse hyperbolic tangent">;
def Optc_ErfOp : Optc_UnaryFloatOp<"erf", "Gauss error function">;
def Optc_SigmoidOp : Optc_UnaryFloatOp<"sigmoid", "1 / (1 + exp(-x))">;
def Optc_SiluOp : Optc_UnaryFloatOp<"silu", "x * sigmoid(x)">;
def Optc_HardSwishOp : Optc_UnaryFloatOp<"hard_swish", "x * clamp(x / 6 + 0.5, 0, 1)">;
def Optc_SoftplusOp : Optc_UnaryFloatOp<"softplus", "log(1 + exp(x)), without overflow">;
def Optc_GeluOp : Optc_UnaryFloatOp<"gelu", "Gaussian error linear unit"> {
  let description = [{
    `none`: x/2 * (1 + erf(x / sqrt(2))). `tanh`: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).
  }];
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x, OneOf<["none", "tanh"]>:$approximate);
}
def Optc_FloorOp : Optc_UnaryFloatOp<"floor", "Largest integer not above x">;
def Optc_CeilOp : Optc_UnaryFloatOp<"ceil", "Smallest integer not below x">;
def Optc_RoundOp : Optc_UnaryFloatOp<"round", "Nearest integer, halves to even">;
def Optc_RoundTf32Op : Optc_UnaryOp<"round_tf32", "Nearest value with 10 bits of fraction (tf32), halves to even; NaN stays NaN"> {
  let arguments = (ins RankedTensorOf<[F32]>:$x);
}
def Optc_NegOp : Optc_UnaryOp<"neg", "-x; integers wrap">;
def Optc_AbsOp : Optc_UnaryOp<"abs", "Absolute value; the smallest integer stays">;
def Optc_SignOp : Optc_UnaryOp<"sign", "-1, 0 or 1; NaN stays NaN">;
def Optc_NotOp : Optc_UnaryOp<"not", "Logical not"> { let arguments = (ins Optc_BoolTensor:$x); }
def Optc_BitNotOp : Optc_UnaryOp<"bit_not", "Complement of each bit">;
def Optc_IsNanOp : Optc_UnaryOp<"is_nan", "True where x is NaN"> {
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x);
}
def Optc_IsInfOp : Optc_UnaryOp<"is_inf", "True where x is an infinity of a wanted sign"> {
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x, BoolAttr:$negative, BoolAttr:$positive);
}

class Optc_BinaryOp<string mnemonic, string text, list<Trait> traits = []> : Optc_ElementwiseOp<mnemonic, traits> {
  let summary = text;
  let arguments = (ins Optc_Tensor:$lhs, Optc_Tensor:$rhs);
  let results = (outs Optc_Tensor:$y);
}

def Optc_AddOp : Optc_BinaryOp<"add", "lhs + rhs; integers wrap"> { let hasFolder = 1; }
def Optc_SubOp : Optc_BinaryOp<"sub", "lhs - rhs; integers wrap"> { let hasFolder = 1; }
def Optc_MulOp : Optc_BinaryOp<"mul", "lhs * rhs; integers wrap"> { let hasFolder = 1; }
def Optc_DivOp : Optc_BinaryOp<"div", "lhs / rhs"> {
  let description = "Integers round towards zero; division by zero gives 0, and the smallest integer over -1 wraps.";
  let hasFolder = 1;
}
def Optc_ModOp : Optc_BinaryOp<"mod", "Remainder"> {
  let description = "`truncate`: the sign of lhs (C's fmod and %), else the sign of rhs (Python's %). An integer modulo 0 is 0.";
  let arguments = (ins Optc_Tensor:$lhs, Optc_Tensor:$rhs, BoolAttr:$truncate);
}
def Optc_FmaOp : Optc_BinaryOp<"fma", "lhs * rhs + addend, rounded once"> {
  let description = "x86-64 below v3 has no such instruction and rounds the product as well: FuseMultiplyAdd makes none for it.";
  let arguments = (ins RankedTensorOf<[F32, F64]>:$lhs, RankedTensorOf<[F32, F64]>:$rhs, RankedTensorOf<[F32, F64]>:$addend);
}
def Optc_PowOp : Optc_BinaryOp<"pow", "lhs to the power rhs; rhs may have another element type">;
def Optc_MinOp : Optc_BinaryOp<"min", "The smaller; NaN if either is">;
def Optc_MaxOp : Optc_BinaryOp<"max", "The larger; NaN if either is">;
def Optc_AndOp : Optc_BinaryOp<"and", "Bitwise and; logical on bool">;
def Optc_OrOp : Optc_BinaryOp<"or", "Bitwise or; logical on bool">;
def Optc_XorOp : Optc_BinaryOp<"xor", "Bitwise exclusive or; logical on bool">;
def Optc_ShiftOp : Optc_BinaryOp<"shift", "Shifts lhs by rhs bits; by the width or more (or a negative count) 0, to the right the sign"> {
  let arguments = (ins Optc_Tensor:$lhs, Optc_Tensor:$rhs, OneOf<["left", "right"]>:$direction);
}
def Optc_CompareOp : Optc_BinaryOp<"compare", "Ordered comparison; false (ne: true) when an operand is NaN"> {
  let arguments = (ins Optc_Tensor:$lhs, Optc_Tensor:$rhs, OneOf<["eq", "ne", "lt", "le", "gt", "ge"]>:$predicate);
}
def Optc_SelectOp : Optc_ElementwiseOp<"select"> {
  let summary = "condition ? on_true : on_false";
  let arguments = (ins Optc_BoolTensor:$condition, Optc_Tensor:$on_true, Optc_Tensor:$on_false);
  let results = (outs Optc_Tensor:$y);
}
def Optc_CastOp : Optc_PureOp<"cast", [Optc_Elementwise]> {
  let summary = "Converts the element type";
  let description = [{
    Float to integer truncates towards zero (out of range wraps modulo 2^64, then to the width), to bool is
    != 0, to a narrower float rounds to nearest even. `saturate` applies to f8 types: out of range becomes
    the largest finite value.
  }];
  let arguments = (ins Optc_Tensor:$x, DefaultValuedAttr<BoolAttr, "true">:$saturate);
  let results = (outs Optc_Tensor:$y);
  let hasFolder = 1;
  let hasVerifier = 1;
}
def Optc_BitcastOp : Optc_PureOp<"bitcast", [Optc_Elementwise]> {
  let summary = "Reinterprets each element as a type of the same width";
  let arguments = (ins Optc_Tensor:$x);
  let results = (outs Optc_Tensor:$y);
  let hasVerifier = 1;
}
def Optc_QuantizeOp : Optc_PureOp<"quantize", [Optc_Elementwise]> {
  let summary = "saturate(round_half_even(x / scale) + zero_point); all operands have x's shape";
  let arguments = (ins RankedTensorOf<[AnyFloat, I32]>:$x, Optc_Tensor:$scale, Optional<Optc_Tensor>:$zero_point, DefaultValuedAttr<BoolAttr, "true">:$saturate);
  let results = (outs Optc_Tensor:$y);
}
def Optc_DequantizeOp : Optc_PureOp<"dequantize", [Optc_Elementwise]> {
  let summary = "(x - zero_point) * scale; all operands have x's shape";
  let arguments = (ins Optc_Tensor:$x, Optc_Tensor:$scale, Optional<Optc_Tensor>:$zero_point);
  let results = (outs RankedTensorOf<[AnyFloat]>:$y);
}
def Optc_LookupOp : Optc_PureOp<"lookup", [Optc_Elementwise]> {
  let summary = "table[x] of 8-bit integers";
  let description = "`table` has the bits of a result, 0 to 255, for each of the 256 that x may have: a negative x is x + 256.";
  let arguments = (ins Optc_Tensor:$x, DenseI64ArrayAttr:$table);
  let results = (outs Optc_Tensor:$y);
  let hasVerifier = 1;
}
#endif
