//===- Passes.td - The catalogue of passes ---------------------*- tablegen -*-===//
#ifndef OPTC_PASSES_PASSES_TD
#define OPTC_PASSES_PASSES_TD
include "mlir/Pass/PassBase.td"

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
