//===- Structure.td - Control flow and kernels -----------------*- tablegen -*-===//
#ifndef OPTC_IR_STRUCTURE_TD
#define OPTC_IR_STRUCTURE_TD
include "ir/Base.td"

def Optc_YieldOp : Optc_Op<"yield", [Pure, ReturnLike, Terminator]> {
  let summary = "Ends a region";
  let arguments = (ins Variadic<AnyType>:$values);
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}
def Optc_IfOp : Optc_Op<"if", [SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "Runs one of two regions, which may use values from around them";
  let description = "A result dim on which the branches differ is a symbol that the op defines.";
  let arguments = (ins Optc_BoolTensor:$condition);
  let results = (outs Variadic<Optc_Value>:$ys);
  let regions = (region SizedRegion<1>:$then_region, SizedRegion<1>:$else_region);
  let assemblyFormat = "$condition attr-dict-with-keyword `:` functional-type(operands, results) $then_region `else` $else_region";
  let hasVerifier = 1;
}
def Optc_LoopOp : Optc_Op<"loop", [AttrSizedOperandSegments, SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "Runs a region repeatedly (ONNX Loop and Scan)";
  let description = [{
    The region takes the iteration (i64 scalar), the carried values, and yields the next condition (bool scalar), the
    carried values and then the scanned ones. It runs while iteration < trip_count (if given) and the condition (if
    given, then the yielded one) holds. Results: the final carried values, then each scanned value stacked along a new
    first dim. Values from around the region may be used in it. Symbols in a carried type that change from one iteration
    to the next are defined anew by the region's arguments; result dims that the loop determines are symbols that it defines.
  }];
  let arguments = (ins Optional<RankedTensorOf<[I64]>>:$trip_count, Optional<Optc_BoolTensor>:$condition, Variadic<Optc_Value>:$init);
  let results = (outs Variadic<Optc_Value>:$ys);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`trips` $trip_count^)? (`while` $condition^)? (`init` `(` $init^ `)`)? attr-dict-with-keyword `:` functional-type(operands, results) $body
  }];
  let hasVerifier = 1;
}
def Optc_KernelOp : Optc_Op<"kernel", [IsolatedFromAbove, SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "A root op and what is fused around it: one step of the plan, one piece of code";
  let description = [{
    Its operands are read from memory and its results written to memory; everything inside stays in registers or in
    scratch. `kind` names the generator (codegen/kernel/Kinds.h). The region's arguments have the operands' types.
  }];
  let arguments = (ins Variadic<Optc_Tensor>:$xs, StrAttr:$kind);
  let results = (outs Variadic<Optc_Tensor>:$ys);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$kind `(` $xs `)` attr-dict-with-keyword `:` functional-type(operands, results) $body";
  let hasVerifier = 1;
}
#endif
