// RUN: optc-opt %s --tabulate-codes | FileCheck %s

// SiLU as models write it, with a quantisation between its ops, by the bits of x. 127 is the code of 12.7 here, whose sigmoid has the
// largest code, 127 * 0.00784: 12.65 is 126 in units of 0.1. That of -12.8, whose bits come next, is 0.
// CHECK-LABEL: @silu
// CHECK: %[[Y:.*]] = optc.lookup %arg0 {table = array<i64: 0, 1, 1, 2, {{.*}}, 125, 126, 0, 0, {{.*}}>} : (tensor<4x8xi8>) -> tensor<4x8xi8>
// CHECK-NOT: optc.sigmoid
// CHECK: return %[[Y]]
!codes = tensor<4x8xi8>
!floats = tensor<4x8xf32>
func.func @silu(%q: !codes) -> !codes {
  %a = optc.constant dense<0.1> : tensor<f32>
  %scale = optc.broadcast %a : (tensor<f32>) -> !floats
  %b = optc.constant dense<0.00784> : tensor<f32>
  %fine = optc.broadcast %b : (tensor<f32>) -> !floats
  %x = optc.dequantize %q, %scale : (!codes, !floats) -> !floats
  %s = optc.sigmoid %x : (!floats) -> !floats
  %c = optc.quantize %s, %fine : (!floats, !floats) -> !codes
  %d = optc.dequantize %c, %fine : (!codes, !floats) -> !floats
  %m = optc.mul %x, %d : (!floats, !floats) -> !floats
  %y = optc.quantize %m, %scale : (!floats, !floats) -> !codes
  return %y : !codes
}

// Two tensors, a scale that differs between elements, and a change of scale alone are no functions of codes that a table is faster for.
// CHECK-LABEL: @others
// CHECK-NOT: optc.lookup
// CHECK: return
func.func @others(%q: !codes, %r: !codes, %scales: !floats) -> (!codes, !codes, !codes) {
  %a = optc.constant dense<0.1> : tensor<f32>
  %scale = optc.broadcast %a : (tensor<f32>) -> !floats
  %x = optc.dequantize %q, %scale : (!codes, !floats) -> !floats
  %y = optc.dequantize %r, %scale : (!codes, !floats) -> !floats
  %s = optc.sigmoid %x : (!floats) -> !floats
  %m = optc.mul %s, %y : (!floats, !floats) -> !floats
  %0 = optc.quantize %m, %scale : (!floats, !floats) -> !codes
  %t = optc.sigmoid %y : (!floats) -> !floats
  %1 = optc.quantize %t, %scales : (!floats, !floats) -> !codes
  %b = optc.constant dense<0.2> : tensor<f32>
  %wide = optc.broadcast %b : (tensor<f32>) -> !floats
  %2 = optc.quantize %x, %wide : (!floats, !floats) -> !codes
  return %0, %1, %2 : !codes, !codes, !codes
}
