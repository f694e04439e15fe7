// RUN: optc-opt --collapse-dims %s | FileCheck %s

// CHECK-LABEL: @per_channel
// CHECK: %[[X:.*]] = optc.reshape %arg0 : (tensor<1x64x56x56xf32>) -> tensor<64x3136xf32>
// CHECK: %[[B:.*]] = optc.reshape %arg1 : (tensor<64x1x1xf32>) -> tensor<64xf32>
// CHECK: optc.kernel "loops"(%[[X]], %[[B]])
// CHECK: %[[C:.*]] = optc.reshape %{{.*}} : (tensor<64xf32>) -> tensor<64x1xf32>
// CHECK: optc.broadcast %[[C]] : (tensor<64x1xf32>) -> tensor<64x3136xf32>
func.func @per_channel(%x: tensor<1x64x56x56xf32>, %b: tensor<64x1x1xf32>) -> tensor<1x64x56x56xf32> {
  %y = optc.kernel "loops"(%x, %b) : (tensor<1x64x56x56xf32>, tensor<64x1x1xf32>) -> tensor<1x64x56x56xf32> {
  ^bb0(%0: tensor<1x64x56x56xf32>, %1: tensor<64x1x1xf32>):
    %2 = optc.broadcast %1 : (tensor<64x1x1xf32>) -> tensor<1x64x56x56xf32>
    %3 = optc.add %0, %2 : (tensor<1x64x56x56xf32>, tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
    optc.yield %3 : tensor<1x64x56x56xf32>
  }
  return %y : tensor<1x64x56x56xf32>
}

// The reduced dims become one.
// CHECK-LABEL: @reduced
// CHECK: optc.kernel "rows"(%{{.*}}) : (tensor<6x35xf32>) -> tensor<6xf32>
// CHECK: optc.reduce %{{.*}} {axes = array<i64: 1>, kind = "sum"} : (tensor<6x35xf32>) -> tensor<6xf32>
func.func @reduced(%x: tensor<2x3x5x7xf32>) -> tensor<2x3xf32> {
  %y = optc.kernel "rows"(%x) : (tensor<2x3x5x7xf32>) -> tensor<2x3xf32> {
  ^bb0(%0: tensor<2x3x5x7xf32>):
    %1 = optc.reduce %0 {axes = array<i64: 2, 3>, kind = "sum"} : (tensor<2x3x5x7xf32>) -> tensor<2x3xf32>
    optc.yield %1 : tensor<2x3xf32>
  }
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: @transposed
// CHECK: optc.kernel "loops"(%{{.*}}) : (tensor<12x64xf32>) -> tensor<64x12xf32>
// CHECK: optc.transpose %{{.*}} {permutation = array<i64: 1, 0>}
func.func @transposed(%x: tensor<3x4x64xf32>) -> tensor<64x3x4xf32> {
  %y = optc.kernel "loops"(%x) : (tensor<3x4x64xf32>) -> tensor<64x3x4xf32> {
  ^bb0(%0: tensor<3x4x64xf32>):
    %1 = optc.transpose %0 {permutation = array<i64: 2, 0, 1>} : (tensor<3x4x64xf32>) -> tensor<64x3x4xf32>
    optc.yield %1 : tensor<64x3x4xf32>
  }
  return %y : tensor<64x3x4xf32>
}
