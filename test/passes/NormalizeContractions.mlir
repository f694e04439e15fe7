// RUN: optc-opt %s --normalize-contractions --canonicalize | FileCheck %s

// Products of 16 bits add up in f32 and are rounded once.
// CHECK-LABEL: func.func @halves
// CHECK-DAG: %[[X:.*]] = optc.cast %arg0 : (tensor<4x8xf16>) -> tensor<4x8xf32>
// CHECK-DAG: %[[W:.*]] = optc.cast %arg1 : (tensor<8x3xf16>) -> tensor<8x3xf32>
// CHECK: %[[Y:.*]] = optc.contract %[[X]], %[[W]] {{.*}} -> tensor<4x3xf32>
// CHECK: %[[H:.*]] = optc.cast %[[Y]] : (tensor<4x3xf32>) -> tensor<4x3xf16>
// CHECK: return %[[H]]
func.func @halves(%x: tensor<4x8xf16>, %w: tensor<8x3xf16>) -> tensor<4x3xf16> {
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<4x8xf16>, tensor<8x3xf16>) -> tensor<4x3xf16>
  return %y : tensor<4x3xf16>
}

// CHECK-LABEL: func.func @conv
// CHECK: optc.conv {{.*}} -> tensor<1x6x6x4xf32>
// CHECK: optc.cast {{.*}} -> tensor<1x6x6x4xbf16>
func.func @conv(%x: tensor<1x8x8x2xbf16>, %w: tensor<3x3x2x4xbf16>) -> tensor<1x6x6x4xbf16> {
  %y = optc.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x8x8x2xbf16>, tensor<3x3x2x4xbf16>) -> tensor<1x6x6x4xbf16>
  return %y : tensor<1x6x6x4xbf16>
}
