// RUN: optc-opt %s --lower-float8 | FileCheck %s

// A number for the activation, one a column for the weights.
// CHECK-LABEL: func.func @columns
// CHECK: %[[X:.*]] = optc.cast %arg0 : (tensor<12x64xf8E4M3FN>) -> tensor<12x64xf32>
// CHECK: %[[W:.*]] = optc.cast %{{.*}} : (tensor<64x32xf8E4M3FN>) -> tensor<64x32xf32>
// CHECK: %[[SUM:.*]] = optc.contract %[[X]], %[[W]]
// CHECK: %[[SX:.*]] = optc.broadcast %{{.*}} : (tensor<f32>) -> tensor<32xf32>
// CHECK: %[[S:.*]] = optc.mul %{{.*}}, %[[SX]] : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
// CHECK: %[[SCALE:.*]] = optc.broadcast %[[S]] : (tensor<32xf32>) -> tensor<12x32xf32>
// CHECK: %[[Y:.*]] = optc.mul %[[SUM]], %[[SCALE]]
// CHECK: return %[[Y]]
func.func @columns(%q: tensor<12x64xf8E4M3FN>) -> tensor<12x32xf32> {
  %s = optc.constant dense<0.5> : tensor<f32>
  %sx = optc.broadcast %s : (tensor<f32>) -> tensor<12x64xf32>
  %x = optc.dequantize %q, %sx : (tensor<12x64xf8E4M3FN>, tensor<12x64xf32>) -> tensor<12x64xf32>
  %c = optc.constant dense<1.5> : tensor<64x32xf8E4M3FN>
  %t = optc.constant dense<[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19, 0.20, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.27, 0.28, 0.29, 0.30, 0.31]> : tensor<32xf32>
  %sw = optc.broadcast %t : (tensor<32xf32>) -> tensor<64x32xf32>
  %w = optc.dequantize %c, %sw : (tensor<64x32xf8E4M3FN>, tensor<64x32xf32>) -> tensor<64x32xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<12x64xf32>, tensor<64x32xf32>) -> tensor<12x32xf32>
  return %y : tensor<12x32xf32>
}

// A scale a row; the product of a model of f16, whose weights lie along k.
// CHECK-LABEL: func.func @rows
// CHECK: %[[ROWS:.*]] = optc.reshape %{{.*}} : (tensor<3xf16>) -> tensor<3x1xf16>
// CHECK: optc.cast %arg0 : (tensor<3x64xf8E4M3FN>) -> tensor<3x64xf32>
// CHECK: %[[SUM:.*]] = optc.contract %{{.*}} : (tensor<3x64xf32>, tensor<8x64xf32>) -> tensor<3x8xf32>
// CHECK: %[[R:.*]] = optc.cast %[[ROWS]] : (tensor<3x1xf16>) -> tensor<3x1xf32>
// CHECK: optc.mul %[[SUM]]
func.func @rows(%q: tensor<3x64xf8E4M3FN>, %r: tensor<3x1xf16>, %c: tensor<8x64xf8E4M3FN>) -> tensor<3x8xf32> {
  %sx = optc.broadcast %r : (tensor<3x1xf16>) -> tensor<3x64xf16>
  %d = optc.dequantize %q, %sx : (tensor<3x64xf8E4M3FN>, tensor<3x64xf16>) -> tensor<3x64xf16>
  %x = optc.cast %d : (tensor<3x64xf16>) -> tensor<3x64xf32>
  %s = optc.constant dense<0.5> : tensor<f16>
  %sw = optc.broadcast %s : (tensor<f16>) -> tensor<8x64xf16>
  %e = optc.dequantize %c, %sw : (tensor<8x64xf8E4M3FN>, tensor<8x64xf16>) -> tensor<8x64xf16>
  %w = optc.cast %e : (tensor<8x64xf16>) -> tensor<8x64xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 1>} : (tensor<3x64xf32>, tensor<8x64xf32>) -> tensor<3x8xf32>
  return %y : tensor<3x8xf32>
}

// Scales along k, zero points and other types stay with the product of floats.
// CHECK-LABEL: func.func @kept
// CHECK-COUNT-3: optc.contract %{{.*}} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NOT: optc.cast
func.func @kept(%q: tensor<4x8xf8E4M3FN>, %sx: tensor<4x8xf32>, %p: tensor<4x8xf8E5M2>, %s: tensor<f32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %x = optc.dequantize %q, %sx : (tensor<4x8xf8E4M3FN>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %one = optc.broadcast %s : (tensor<f32>) -> tensor<4x8xf32>
  %zero = optc.constant dense<1.0> : tensor<4x8xf8E4M3FN>
  %z = optc.dequantize %q, %one, %zero : (tensor<4x8xf8E4M3FN>, tensor<4x8xf32>, tensor<4x8xf8E4M3FN>) -> tensor<4x8xf32>
  %v = optc.dequantize %p, %one : (tensor<4x8xf8E5M2>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %c = optc.constant dense<1.5> : tensor<8x8xf8E4M3FN>
  %sw = optc.constant dense<0.5> : tensor<8x8xf32>
  %w = optc.dequantize %c, %sw : (tensor<8x8xf8E4M3FN>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %a = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %b = optc.contract %z, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %d = optc.contract %v, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  return %a, %b, %d : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
