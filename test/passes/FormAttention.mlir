// RUN: optc-opt %s --form-attention | FileCheck %s

// Operands of bf16 are the kernel's, casts and movement with them.
// CHECK: optc.kernel "attention"(%arg0, %arg1) : (tensor<1x32x2x16xbf16>, tensor<1x2x32x16xbf16>)
// CHECK: optc.transpose
// CHECK: optc.cast
// CHECK: optc.attention
!heads = tensor<1x2x32x16xf32>
func.func @main(%x: tensor<1x32x2x16xbf16>, %v: tensor<1x2x32x16xbf16>) -> !heads {
  %q = optc.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x32x2x16xbf16>) -> tensor<1x2x32x16xbf16>
  %f = optc.cast %q : (tensor<1x2x32x16xbf16>) -> !heads
  %g = optc.cast %v : (tensor<1x2x32x16xbf16>) -> !heads
  %y = optc.attention %f, %f, %g {scale = 0.25 : f64} : (!heads, !heads, !heads) -> !heads
  return %y : !heads
}
