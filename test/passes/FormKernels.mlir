// RUN: optc-opt --form-kernels --canonicalize %s | FileCheck %s

// A reshape that drops dims splits none.
// CHECK-LABEL: func.func @dropped
// CHECK: return %{{.*}} : tensor<1xf32>
func.func @dropped(%x: tensor<1x1xf32>) -> tensor<1xf32> {
  %a = optc.reshape %x : (tensor<1x1xf32>) -> tensor<1xf32>
  %b = optc.transpose %a {permutation = array<i64: 0>} : (tensor<1xf32>) -> tensor<1xf32>
  return %b : tensor<1xf32>
}

// A transpose that keeps together what a reshape splits comes before it.
// CHECK-LABEL: func.func @split
// CHECK: %[[Y:.*]] = optc.kernel "loops"(%arg0)
// CHECK: optc.transpose %{{.*}} {permutation = array<i64: 1, 0>} : (tensor<6x4xf32>) -> tensor<4x6xf32>
// CHECK: %[[R:.*]] = optc.reshape %[[Y]] : (tensor<4x6xf32>) -> tensor<4x2x3xf32>
// CHECK: return %[[R]]
func.func @split(%x: tensor<6x4xf32>) -> tensor<4x2x3xf32> {
  %a = optc.reshape %x : (tensor<6x4xf32>) -> tensor<2x3x4xf32>
  %b = optc.transpose %a {permutation = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  return %b : tensor<4x2x3xf32>
}

// One that takes it apart does not.
// CHECK-LABEL: func.func @apart
// CHECK: optc.transpose %{{.*}} {permutation = array<i64: 0, 2, 1>}
func.func @apart(%x: tensor<6x4xf32>) -> tensor<2x4x3xf32> {
  %a = optc.reshape %x : (tensor<6x4xf32>) -> tensor<2x3x4xf32>
  %b = optc.transpose %a {permutation = array<i64: 0, 2, 1>} : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
  return %b : tensor<2x4x3xf32>
}
