// RUN: optc-opt %s --recognize-quantized-products --canonicalize | FileCheck %s

!x = tensor<?x3xf32, #optc.dims<["n", 3]>>
!xq = tensor<?x3xui8, #optc.dims<["n", 3]>>
!xi = tensor<?x3xi32, #optc.dims<["n", 3]>>
!y = tensor<?x2xf32, #optc.dims<["n", 2]>>
!yi = tensor<?x2xi32, #optc.dims<["n", 2]>>

// The scale of the rows times one a column.
// CHECK-LABEL: func.func @columns
// CHECK: %[[Q:.*]] = optc.quantize %arg0, %[[S:.*]], %[[Z:.*]] :
// CHECK: %[[X:.*]] = optc.dequantize %[[Q]], %[[S]], %[[Z]]
// CHECK: %[[W:.*]] = optc.dequantize {{.*}} : (tensor<3x2xi8>, tensor<3x2xf32>, tensor<3x2xi8>) -> tensor<3x2xf32>
// CHECK: %[[Y:.*]] = optc.contract %[[X]], %[[W]]
// CHECK: return %[[Y]]
func.func @columns(%x: !x, %scale: tensor<f32>, %zero: tensor<ui8>) -> !y {
  %s = optc.broadcast %scale : (tensor<f32>) -> !x
  %z = optc.broadcast %zero : (tensor<ui8>) -> !xq
  %q = optc.quantize %x, %s, %z : (!x, !x, !xq) -> !xq
  %qi = optc.cast %q : (!xq) -> !xi
  %zi = optc.cast %zero : (tensor<ui8>) -> tensor<i32>
  %zb = optc.broadcast %zi : (tensor<i32>) -> !xi
  %qc = optc.sub %qi, %zb : (!xi, !xi) -> !xi
  %w = optc.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8>
  %wz = optc.constant dense<[7, 8]> : tensor<2xi8>
  %wzi = optc.cast %wz : (tensor<2xi8>) -> tensor<2xi32>
  %wzb = optc.broadcast %wzi : (tensor<2xi32>) -> tensor<3x2xi32>
  %wi = optc.cast %w : (tensor<3x2xi8>) -> tensor<3x2xi32>
  %wc = optc.sub %wi, %wzb : (tensor<3x2xi32>, tensor<3x2xi32>) -> tensor<3x2xi32>
  %p = optc.contract %qc, %wc {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (!xi, tensor<3x2xi32>) -> !yi
  %r = optc.cast %p : (!yi) -> !y
  %ws = optc.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %sb = optc.broadcast %scale : (tensor<f32>) -> tensor<2xf32>
  %both = optc.mul %sb, %ws : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %bb = optc.broadcast %both : (tensor<2xf32>) -> !y
  %y = optc.mul %bb, %r : (!y, !y) -> !y
  return %y : !y
}

// Scaled by something else, it stays a product of integers.
// CHECK-LABEL: func.func @other
// CHECK: optc.contract {{.*}} -> tensor<?x2xi32
// CHECK-NOT: optc.dequantize
func.func @other(%x: !x, %scale: tensor<f32>, %other: tensor<f32>) -> !y {
  %s = optc.broadcast %scale : (tensor<f32>) -> !x
  %q = optc.quantize %x, %s : (!x, !x) -> !xq
  %qi = optc.cast %q : (!xq) -> !xi
  %w = optc.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8>
  %wi = optc.cast %w : (tensor<3x2xi8>) -> tensor<3x2xi32>
  %p = optc.contract %qi, %wi {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (!xi, tensor<3x2xi32>) -> !yi
  %r = optc.cast %p : (!yi) -> !y
  %ws = optc.constant dense<0.5> : tensor<f32>
  %both = optc.mul %other, %ws : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %bb = optc.broadcast %both : (tensor<f32>) -> !y
  %y = optc.mul %r, %bb : (!y, !y) -> !y
  return %y : !y
}
