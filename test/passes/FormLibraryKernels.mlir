// RUN: optc-opt --form-library-kernels %s | FileCheck %s

// The operands are the op's, the results too; what they define is the kernel's to define.
// CHECK-LABEL: @positions
// CHECK: %[[K:.*]] = optc.kernel "library"(%arg0) : (tensor<3x4xf32>) -> tensor<2x?xi64, #optc.dims<[2, "n"]>>
// CHECK: ^bb0(%[[X:.*]]: tensor<3x4xf32>):
// CHECK-NEXT: %[[Y:.*]] = optc.nonzero %[[X]]
// CHECK-NEXT: optc.yield %[[Y]]
// CHECK: return %[[K]]
func.func @positions(%x: tensor<3x4xf32>) -> tensor<2x?xi64, #optc.dims<[2, "n"]>> {
  %y = optc.nonzero %x : (tensor<3x4xf32>) -> tensor<2x?xi64, #optc.dims<[2, "n"]>>
  return %y : tensor<2x?xi64, #optc.dims<[2, "n"]>>
}

// CHECK-LABEL: @two_results
// CHECK: %[[K:.*]]:2 = optc.kernel "library"(%arg0) : (tensor<9xf32>) -> (tensor<2xf32>, tensor<2xi64>)
// CHECK: return %[[K]]#1
func.func @two_results(%x: tensor<9xf32>) -> tensor<2xi64> {
  %y, %i = optc.top_k %x {axis = 0 : i64, largest = true, sorted = true} : (tensor<9xf32>) -> (tensor<2xf32>, tensor<2xi64>)
  return %i : tensor<2xi64>
}

// There is no function for determinants; there is one in branches, too.
// CHECK-LABEL: @others
// CHECK: optc.det
// CHECK: optc.if
// CHECK-NEXT: optc.kernel "library"
// CHECK: optc.cumulative
func.func @others(%x: tensor<3x3xf32>, %c: tensor<i1>) -> (tensor<f32>, tensor<3x3xf32>) {
  %d = optc.det %x : (tensor<3x3xf32>) -> tensor<f32>
  %y = optc.if %c : (tensor<i1>) -> tensor<3x3xf32> {
    %s = optc.cumulative %x {axis = 0 : i64, kind = "sum", exclusive = false, reverse = false} : (tensor<3x3xf32>) -> tensor<3x3xf32>
    optc.yield %s : tensor<3x3xf32>
  } else {
    optc.yield %x : tensor<3x3xf32>
  }
  return %d, %y : tensor<f32>, tensor<3x3xf32>
}
