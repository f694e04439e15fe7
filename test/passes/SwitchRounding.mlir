// RUN: optc-opt %s --switch-rounding | FileCheck %s

// Both ways, under a switch of each number; what has none is left alone.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:[a-z0-9]+]]: tensor<4x3xf32>, %[[W:[a-z0-9]+]]: tensor<3x2xf32>, %[[S0:[a-z0-9]+]]: tensor<i1> {optc.name = "switch:0"}, %[[S1:[a-z0-9]+]]: tensor<i1> {optc.name = "switch:1"})
// CHECK: %[[H:.*]] = optc.cast %[[X]] {{.*}} -> tensor<4x3xbf16>
// CHECK: %[[R:.*]] = optc.cast %[[H]] {{.*}} -> tensor<4x3xf32>
// CHECK: %[[B:.*]] = optc.contract %[[R]]
// CHECK: %[[A:.*]] = optc.contract %[[X]], %[[W]]
// CHECK: %[[F:.*]] = optc.broadcast %[[S0]]
// CHECK: %[[Y:.*]] = optc.select %[[F]], %[[B]], %[[A]]
// CHECK: %[[G:.*]] = optc.broadcast %[[S1]]
// CHECK: %[[Z:.*]] = optc.select %[[G]]
// CHECK: %[[P:.*]] = optc.contract %[[X]], %[[W]]
// CHECK: return %[[Y]], %[[Z]], %[[P]]
func.func @main(%x: tensor<4x3xf32>, %w: tensor<3x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.switch = 0 : i64} : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
  %z = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.switch = 1 : i64} : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
  %p = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
  return %y, %z, %p : tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>
}
