// RUN: optc-opt %s --form-attention | FileCheck %s

// Operands of bf16 are the kernel's, casts and movement with them.
// CHECK: optc.kernel "attention"(%arg0, %arg1) : (tensor<1x32x2x16xbf16>, tensor<1x2x32x16xbf16>)
// CHECK: optc.transpose
// CHECK: optc.cast
// CHECK: optc.attention
!heads = tensor<1x2x32x16xf32>
func.func @halves(%x: tensor<1x32x2x16xbf16>, %v: tensor<1x2x32x16xbf16>) -> !heads {
  %q = optc.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x32x2x16xbf16>) -> tensor<1x2x32x16xbf16>
  %f = optc.cast %q : (tensor<1x2x32x16xbf16>) -> !heads
  %g = optc.cast %v : (tensor<1x2x32x16xbf16>) -> !heads
  %y = optc.attention %f, %f, %g {scale = 0.25 : f64} : (!heads, !heads, !heads) -> !heads
  return %y : !heads
}

// Codes are read where they are, through movement; what repeats a constant is the kernel's, too.
// CHECK-LABEL: @codes
// CHECK: optc.kernel "attention"(%arg0, %arg1) : (tensor<1x32x2x16xui8>, tensor<1x2x32x16xi8>)
// CHECK: optc.dequantize
// CHECK: optc.attention {{.*}}optc.probability_steps = 255
func.func @codes(%x: tensor<1x32x2x16xui8>, %v: tensor<1x2x32x16xi8>) -> !heads {
  %s = optc.constant dense<0.5> : tensor<f32>
  %z = optc.constant dense<7> : tensor<ui8>
  %scale = optc.broadcast %s : (tensor<f32>) -> !heads
  %zero = optc.broadcast %z : (tensor<ui8>) -> tensor<1x2x32x16xui8>
  %t = optc.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x32x2x16xui8>) -> tensor<1x2x32x16xui8>
  %q = optc.dequantize %t, %scale, %zero : (tensor<1x2x32x16xui8>, !heads, tensor<1x2x32x16xui8>) -> !heads
  %d = optc.dequantize %v, %scale : (tensor<1x2x32x16xi8>, !heads) -> !heads
  %y = optc.attention %q, %q, %d {scale = 0.25 : f64, optc.probability_steps = 255 : i64} : (!heads, !heads, !heads) -> !heads
  return %y : !heads
}

// Where a scale is known at run time only, attention is one of floats, which round no probabilities.
// CHECK-LABEL: @varying
// CHECK: optc.dequantize
// CHECK: optc.kernel "attention"
// CHECK-NOT: optc.probability_steps
func.func @varying(%x: tensor<1x2x32x16xui8>, %scale: !heads) -> !heads {
  %q = optc.dequantize %x, %scale : (tensor<1x2x32x16xui8>, !heads) -> !heads
  %y = optc.attention %q, %q, %q {scale = 0.25 : f64, optc.probability_steps = 255 : i64} : (!heads, !heads, !heads) -> !heads
  return %y : !heads
}
