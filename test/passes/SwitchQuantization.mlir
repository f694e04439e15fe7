// RUN: optc-opt --switch-quantization %s | FileCheck %s
// RUN: optc-opt --switch-quantization=dynamic=true %s | FileCheck %s --check-prefix=DYNAMIC

// A switch for the tensor, one for the layer; the result is the model's whichever way.
// CHECK-LABEL: @product
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf32> {{{.*}}optc.name = "x"{{.*}}}, %[[S0:.*]]: tensor<i1> {optc.name = "switch:0"}, %[[S1:.*]]: tensor<i1> {optc.name = "switch:1"}
// CHECK: %[[D:.*]] = optc.dequantize
// CHECK: %[[C:.*]] = optc.broadcast %[[S0]]
// CHECK: %[[A:.*]] = optc.select %[[C]], %[[D]], %[[X]]
// CHECK: %[[V:.*]] = optc.dequantize {{.*}}tensor<4x3xi8>
// CHECK: %[[KEPT:.*]] = optc.contract %[[A]], %{{.*}}
// CHECK: %[[LOWERED:.*]] = optc.contract %[[A]], %[[V]]
// CHECK: %[[E:.*]] = optc.broadcast %[[S1]]
// CHECK: %[[Y:.*]] = optc.select %[[E]], %[[LOWERED]], %[[KEPT]]
// CHECK: return %[[Y]]
func.func @product(%x: tensor<2x4xf32> {optc.name = "x", optc.range = array<f64: -1.0, 1.55>}) -> tensor<2x3xf32> {
  %w = optc.constant dense<2.0> : tensor<4x3xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// No range: nothing to switch, or a range that one switch takes along with the weight.
// CHECK-LABEL: @unknown
// CHECK-NOT: switch
// DYNAMIC-LABEL: @unknown
// DYNAMIC-SAME: %[[X:.*]]: tensor<2x4xf32>, %[[S:.*]]: tensor<i1> {optc.name = "switch:0"})
// DYNAMIC: optc.reduce
// DYNAMIC: optc.broadcast %[[S]]
// DYNAMIC: optc.select
// DYNAMIC: optc.broadcast %[[S]]
// DYNAMIC: optc.select
func.func @unknown(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %w = optc.constant dense<2.0> : tensor<4x3xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// What is marked stays alone.
// CHECK-LABEL: @kept
// CHECK-NOT: switch
func.func @kept(%x: tensor<2x4xf32> {optc.range = array<f64: -1.0, 1.55>}) -> tensor<2x3xf32> {
  %w = optc.constant dense<2.0> : tensor<4x3xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>, optc.keep_float = "because"} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
