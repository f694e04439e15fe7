// RUN: optc-opt %s --propagate-quantization --canonicalize | FileCheck %s
// RUN: optc-opt %s --propagate-quantization=float8=true --canonicalize | FileCheck %s --check-prefix=FLOAT8

// What only moves data moves bytes, and a pair of the same scale around it cancels.
// CHECK-LABEL: func.func @cancel
// CHECK-NEXT: %[[T:.*]] = optc.transpose %arg0 {permutation = array<i64: 1, 0>} : (tensor<2x3xui8>) -> tensor<3x2xui8>
// CHECK-NEXT: return %[[T]]
func.func @cancel(%x: tensor<2x3xui8>) -> tensor<3x2xui8> {
  %s = optc.constant dense<0.5> : tensor<f32>
  %z = optc.constant dense<3> : tensor<ui8>
  %s1 = optc.broadcast %s : (tensor<f32>) -> tensor<2x3xf32>
  %z1 = optc.broadcast %z : (tensor<ui8>) -> tensor<2x3xui8>
  %s2 = optc.broadcast %s : (tensor<f32>) -> tensor<3x2xf32>
  %z2 = optc.broadcast %z : (tensor<ui8>) -> tensor<3x2xui8>
  %a = optc.dequantize %x, %s1, %z1 : (tensor<2x3xui8>, tensor<2x3xf32>, tensor<2x3xui8>) -> tensor<2x3xf32>
  %b = optc.transpose %a {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %c = optc.quantize %b, %s2, %z2 : (tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xui8>) -> tensor<3x2xui8>
  return %c : tensor<3x2xui8>
}

// Another scale does not cancel.
// CHECK-LABEL: func.func @rescale
// CHECK: optc.dequantize
// CHECK: optc.quantize
func.func @rescale(%x: tensor<4xui8>) -> tensor<4xui8> {
  %s = optc.constant dense<0.5> : tensor<4xf32>
  %t = optc.constant dense<0.25> : tensor<4xf32>
  %a = optc.dequantize %x, %s : (tensor<4xui8>, tensor<4xf32>) -> tensor<4xf32>
  %b = optc.quantize %a, %t : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xui8>
  return %b : tensor<4xui8>
}

// A scale a channel stays where it is.
// CHECK-LABEL: func.func @perChannel
// CHECK: optc.dequantize
// CHECK-NEXT: optc.transpose {{.*}} tensor<3x2xf32>
func.func @perChannel(%x: tensor<2x3xui8>, %s: tensor<3xf32>) -> tensor<3x2xf32> {
  %s1 = optc.broadcast %s : (tensor<3xf32>) -> tensor<2x3xf32>
  %a = optc.dequantize %x, %s1 : (tensor<2x3xui8>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %b = optc.transpose %a {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %b : tensor<3x2xf32>
}

// The largest code is the code of the largest.
// CHECK-LABEL: func.func @pool
// CHECK: optc.pool {{.*}} (tensor<1x2x4x4xui8>) -> tensor<1x2x2x2xui8>
// CHECK: optc.dequantize
func.func @pool(%x: tensor<1x2x4x4xui8>) -> tensor<1x2x2x2xf32> {
  %s = optc.constant dense<0.5> : tensor<1x2x4x4xf32>
  %a = optc.dequantize %x, %s : (tensor<1x2x4x4xui8>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %b = optc.pool %a {kind = "max", window = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, ceil = false, count_padding = false} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  return %b : tensor<1x2x2x2xf32>
}

// Parts are quantised before they are joined.
// CHECK-LABEL: func.func @join
// CHECK-DAG: %[[A:.*]] = optc.quantize %arg0
// CHECK-DAG: %[[B:.*]] = optc.quantize %arg1
// CHECK: optc.concat %[[A]], %[[B]]
func.func @join(%x: tensor<2xf32>, %y: tensor<3xf32>) -> tensor<5xui8> {
  %s = optc.constant dense<0.5> : tensor<5xf32>
  %a = optc.concat %x, %y {axis = 0 : i64} : (tensor<2xf32>, tensor<3xf32>) -> tensor<5xf32>
  %b = optc.quantize %a, %s : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xui8>
  return %b : tensor<5xui8>
}

// Casts from bf16 go down, casts to it go up, and meet.
// CHECK-LABEL: func.func @halves
// CHECK-NEXT: %[[T:.*]] = optc.transpose %arg0 {permutation = array<i64: 1, 0>} : (tensor<2x3xbf16>) -> tensor<3x2xbf16>
// CHECK-NEXT: %[[C:.*]] = optc.concat %[[T]], %[[T]] {axis = 0 : i64} : (tensor<3x2xbf16>, tensor<3x2xbf16>) -> tensor<6x2xbf16>
// CHECK-NEXT: return %[[C]]
func.func @halves(%x: tensor<2x3xbf16>) -> tensor<6x2xbf16> {
  %a = optc.cast %x : (tensor<2x3xbf16>) -> tensor<2x3xf32>
  %b = optc.transpose %a {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %c = optc.concat %b, %b {axis = 0 : i64} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<6x2xf32>
  %d = optc.cast %c : (tensor<6x2xf32>) -> tensor<6x2xbf16>
  return %d : tensor<6x2xbf16>
}

// What others read in f32 is not rounded for them.
// CHECK-LABEL: func.func @halvesShared
// CHECK: %[[T:.*]] = optc.transpose %arg0 {{.*}} -> tensor<3x2xf32>
// CHECK: %[[H:.*]] = optc.cast %[[T]]
// CHECK: return %[[T]], %[[H]]
func.func @halvesShared(%x: tensor<2x3xf32>) -> (tensor<3x2xf32>, tensor<3x2xf16>) {
  %a = optc.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %b = optc.cast %a : (tensor<3x2xf32>) -> tensor<3x2xf16>
  return %a, %b : tensor<3x2xf32>, tensor<3x2xf16>
}

// Gathered elements of an activation stay codes.
// CHECK-LABEL: func.func @gathered
// CHECK: %[[G:.*]] = optc.gather %arg0, %arg1 {{.*}} -> tensor<2x3xui8>
// CHECK: optc.dequantize %[[G]]
func.func @gathered(%x: tensor<2x8xui8>, %i: tensor<3xi64>) -> tensor<2x3xf32> {
  %s = optc.constant dense<0.5> : tensor<2x8xf32>
  %a = optc.dequantize %x, %s : (tensor<2x8xui8>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = optc.gather %a, %i {axis = 1 : i64} : (tensor<2x8xf32>, tensor<3xi64>) -> tensor<2x3xf32>
  return %g : tensor<2x3xf32>
}

// Codes of e4m3 are moved where a GPU multiplies them; the maximum of a window is that of numbers.
// CHECK-LABEL: func.func @float8
// CHECK: optc.transpose %{{.*}} -> tensor<2x4x4x3xf32>
// FLOAT8-LABEL: func.func @float8
// FLOAT8: %[[T:.*]] = optc.transpose %arg0 {{.*}} -> tensor<2x4x4x3xf8E4M3FN>
// FLOAT8: %[[D:.*]] = optc.dequantize %[[T]]
// FLOAT8: optc.pool {{.*}}tensor<2x3x4x4xf32>
// FLOAT8: return %[[D]]
func.func @float8(%q: tensor<2x3x4x4xf8E4M3FN>) -> (tensor<2x4x4x3xf32>, tensor<2x3x2x2xf32>) {
  %s = optc.constant dense<0.5> : tensor<2x3x4x4xf32>
  %x = optc.dequantize %q, %s : (tensor<2x3x4x4xf8E4M3FN>, tensor<2x3x4x4xf32>) -> tensor<2x3x4x4xf32>
  %t = optc.transpose %x {permutation = array<i64: 0, 2, 3, 1>} : (tensor<2x3x4x4xf32>) -> tensor<2x4x4x3xf32>
  %p = optc.pool %x {kind = "max", window = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, ceil = false, count_padding = false} : (tensor<2x3x4x4xf32>) -> tensor<2x3x2x2xf32>
  return %t, %p : tensor<2x4x4x3xf32>, tensor<2x3x2x2xf32>
}
