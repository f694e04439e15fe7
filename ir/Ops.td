//===- Ops.td - All ops of the dialect -------------------------*- tablegen -*-===//
#ifndef OPTC_IR_OPS_TD
#define OPTC_IR_OPS_TD
include "ir/Contraction.td"
include "ir/Elementwise.td"
include "ir/Movement.td"
include "ir/Neural.td"
include "ir/Reduction.td"
include "ir/Structure.td"
#endif
