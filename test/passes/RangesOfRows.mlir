// RUN: optc-opt %s --ranges-of-rows --canonicalize | FileCheck %s

!x = tensor<?x4x3xf32, #optc.dims<["n", 4, 3]>>
!xq = tensor<?x4x3xui8, #optc.dims<["n", 4, 3]>>
!m = tensor<?x3xf32, #optc.dims<["4 * n", 3]>>
!mq = tensor<?x3xui8, #optc.dims<["4 * n", 3]>>
!y = tensor<?x2xf32, #optc.dims<["4 * n", 2]>>

// The range of the tensor becomes one of each row, by the same formula, where the tensor was written: before it is a matrix.
// CHECK-LABEL: func.func @rows
// CHECK-DAG: %[[LOW:.*]] = optc.reduce %arg0 {axes = array<i64: 2>, kind = "min"} {{.*}} -> tensor<?x4xf32
// CHECK-DAG: %[[HIGH:.*]] = optc.reduce %arg0 {axes = array<i64: 2>, kind = "max"} {{.*}} -> tensor<?x4xf32
// CHECK-DAG: %[[RANGE:.*]] = optc.sub %[[HIGH]], %[[LOW]]
// CHECK: %[[SCALE:.*]] = optc.div %[[RANGE]]
// CHECK: %[[ZERO:.*]] = optc.cast {{.*}} -> tensor<?x4xui8
// CHECK: %[[INVERSE:.*]] = optc.div {{.*}}, %[[SCALE]]
// CHECK: %[[X:.*]] = optc.mul %arg0
// CHECK: %[[Q:.*]] = optc.quantize %[[X]]
// CHECK: %[[M:.*]] = optc.reshape %[[Q]]
// CHECK: optc.dequantize %[[M]]
func.func @rows(%x: !x) -> !y {
  %r = optc.reshape %x : (!x) -> !m
  %low = optc.reduce %r {axes = array<i64: 0, 1>, kind = "min"} : (!m) -> tensor<f32>
  %high = optc.reduce %r {axes = array<i64: 0, 1>, kind = "max"} : (!m) -> tensor<f32>
  %range = optc.sub %high, %low : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %steps = optc.constant dense<255.0> : tensor<f32>
  %scale = optc.div %range, %steps : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %at = optc.div %low, %scale : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %minus = optc.neg %at : (tensor<f32>) -> tensor<f32>
  %zero = optc.cast %minus : (tensor<f32>) -> tensor<ui8>
  %s = optc.broadcast %scale : (tensor<f32>) -> !m
  %z = optc.broadcast %zero : (tensor<ui8>) -> !mq
  %q = optc.quantize %r, %s, %z : (!m, !m, !mq) -> !mq
  %d = optc.dequantize %q, %s, %z : (!mq, !m, !mq) -> !m
  %w = optc.constant dense<1.0> : tensor<3x2xf32>
  %y = optc.contract %d, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (!m, tensor<3x2xf32>) -> !y
  return %y : !y
}

// Codes that leave the model are those of the whole range.
// CHECK-LABEL: func.func @seen
// CHECK: optc.reduce %arg0 {axes = array<i64: 0, 1>, kind = "max"}
// CHECK-NOT: optc.reduce
func.func @seen(%x: tensor<5x3xf32>) -> (tensor<5x2xf32>, tensor<5x3xui8>) {
  %high = optc.reduce %x {axes = array<i64: 0, 1>, kind = "max"} : (tensor<5x3xf32>) -> tensor<f32>
  %s = optc.broadcast %high : (tensor<f32>) -> tensor<5x3xf32>
  %q = optc.quantize %x, %s : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xui8>
  %d = optc.dequantize %q, %s : (tensor<5x3xui8>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %w = optc.constant dense<1.0> : tensor<3x2xf32>
  %y = optc.contract %d, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  return %y, %q : tensor<5x2xf32>, tensor<5x3xui8>
}

// A scale that does not come from the tensor's own extremes stays.
// CHECK-LABEL: func.func @given
// CHECK-NOT: optc.reduce
// CHECK-NOT: optc.div
func.func @given(%x: tensor<5x3xf32>, %scale: tensor<f32>) -> tensor<5x2xf32> {
  %s = optc.broadcast %scale : (tensor<f32>) -> tensor<5x3xf32>
  %q = optc.quantize %x, %s : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xi8>
  %d = optc.dequantize %q, %s : (tensor<5x3xi8>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %w = optc.constant dense<1.0> : tensor<3x2xf32>
  %y = optc.contract %d, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}
