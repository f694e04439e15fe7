//===- Passes.td - The catalogue of passes ---------------------*- tablegen -*-===//
#ifndef OPTC_PASSES_PASSES_TD
#define OPTC_PASSES_PASSES_TD
include "mlir/Pass/PassBase.td"

def FormRowKernels : Pass<"form-row-kernels", "::mlir::func::FuncOp"> {
  let summary = "Fuses reductions along a dim and the elementwise ops around them";
  let description = [{
    before:  %1 = optc.add %x, %r;  %2 = optc.softmax %1
    after:   %2 = optc.kernel "rows" (%x, %r) { add; reduce max; sub; exp; reduce sum; div; optc.yield }
    softmax and normalize are taken apart inside the kernel; a value that is needed outside becomes a result.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def CollapseDims : Pass<"collapse-dims", "::mlir::func::FuncOp"> {
  let summary = "Merges neighbouring dims that every op of a kernel treats alike, and drops dims of size 1";
  let description = [{
    before:  optc.kernel "loops" (%x, %b) : (tensor<1x64x56x56xf32>, tensor<64x1x1xf32>)
    after:   optc.kernel "loops" (reshape %x, reshape %b) : (tensor<64x3136xf32>, tensor<64x1xf32>)
    Fewer, longer loops; the reshapes outside are views.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FormKernels : Pass<"form-kernels", "::mlir::func::FuncOp"> {
  let summary = "Fuses ops into optc.kernel regions";
  let description = [{
    before:  %1 = optc.add %x, %y;  %2 = optc.exp %1
    after:   %2 = optc.kernel "loops" (%x, %y) { %1 = optc.add; %2 = optc.exp; optc.yield %2 }
    What no generator can emit stays outside and becomes a library step.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}
#endif
