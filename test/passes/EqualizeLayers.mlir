// RUN: optc-opt --equalize-layers --fold-constants --canonicalize %s | FileCheck %s

// Channel 0 of the first weights is 16 times channel 1: the root of it goes to the second weights. The bias and the bound
// come along, zero stays zero.
// CHECK-LABEL: @chain
// CHECK-DAG: %[[W:.*]] = optc.constant dense<{{\[\[\[\[}}4.000000e+00]]], {{\[\[\[}}1.000000e+00]]]]> : tensor<2x1x1x1xf32>
// CHECK-DAG: %[[V:.*]] = optc.constant dense<{{\[\[\[\[}}4.000000e+00]], {{\[\[}}1.000000e+00]]]]> : tensor<1x2x1x1xf32>
// CHECK-DAG: %[[B:.*]] = optc.constant dense<{{\[\[\[}}8.000000e+00]], {{\[\[}}1.000000e+00]]]> : tensor<2x1x1xf32>
// CHECK-DAG: %[[C:.*]] = optc.constant dense<{{\[\[\[}}1.500000e+00]], {{\[\[}}6.000000e+00]]]> : tensor<2x1x1xf32>
// CHECK: optc.conv %{{.*}}, %[[W]]
// CHECK: optc.broadcast %[[B]]
// CHECK: optc.broadcast %[[C]]
// CHECK: optc.conv %{{.*}}, %[[V]]
func.func @chain(%x: tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32> {
  %w = optc.constant dense<[[[[16.0]]], [[[1.0]]]]> : tensor<2x1x1x1xf32>
  %v = optc.constant dense<[[[[1.0]], [[1.0]]]]> : tensor<1x2x1x1xf32>
  %b = optc.constant dense<[[[32.0]], [[1.0]]]> : tensor<2x1x1xf32>
  %zero = optc.constant dense<0.0> : tensor<f32>
  %six = optc.constant dense<6.0> : tensor<f32>
  %0 = optc.conv %x, %w {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
  %1 = optc.broadcast %b : (tensor<2x1x1xf32>) -> tensor<1x2x4x4xf32>
  %2 = optc.add %0, %1 : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %3 = optc.broadcast %zero : (tensor<f32>) -> tensor<1x2x4x4xf32>
  %4 = optc.max %2, %3 : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %5 = optc.broadcast %six : (tensor<f32>) -> tensor<1x2x4x4xf32>
  %6 = optc.min %4, %5 : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %7 = optc.conv %6, %v {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x2x4x4xf32>, tensor<1x2x1x1xf32>) -> tensor<1x1x4x4xf32>
  return %7 : tensor<1x1x4x4xf32>
}

// A sigmoid between them does not commute with a factor, and what else is read has to stay as it is.
// CHECK-LABEL: @apart
// CHECK-NOT: dense<{{.*}}4.000000e+00
// CHECK: return
func.func @apart(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %w = optc.constant dense<[[16.0, 1.0], [16.0, 1.0]]> : tensor<2x2xf32>
  %v = optc.constant dense<1.0> : tensor<2x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = optc.sigmoid %0 : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %2 = optc.contract %1, %v {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %3 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %4 = optc.contract %3, %v {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %2, %3, %4 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// Rows times matrices.
// CHECK-LABEL: @linear
// CHECK-DAG: optc.constant dense<{{\[\[}}4.000000e+00, 1.000000e+00], [4.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>
// CHECK-DAG: optc.constant dense<{{\[\[}}4.000000e+00, 4.000000e+00], [1.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>
func.func @linear(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = optc.constant dense<[[16.0, 1.0], [16.0, 1.0]]> : tensor<2x2xf32>
  %v = optc.constant dense<1.0> : tensor<2x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = optc.contract %0, %v {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}
