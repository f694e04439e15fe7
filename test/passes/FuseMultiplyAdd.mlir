// RUN: optc-opt --fuse-multiply-add %s | FileCheck %s

// CHECK-LABEL: func.func @epilogue
// CHECK: %[[X:.*]] = optc.cast
// CHECK: %[[Y:.*]] = optc.fma %[[X]], %{{.*}}, %{{.*}} :
// CHECK: %[[ONE:.*]] = optc.broadcast %{{.*}} : (tensor<f32>) -> tensor<3x16xf32>
// CHECK: %[[R:.*]] = optc.dequantize %{{.*}}, %[[ONE]] :
// CHECK: optc.fma %[[R]], %{{.*}}, %[[Y]] :
func.func @epilogue(%a: tensor<3x16xi32>, %s: tensor<3x16xf32>, %b: tensor<3x16xf32>, %r: tensor<3x16xui8>) -> tensor<3x16xf32> {
  %y = optc.kernel "loops"(%a, %s, %b, %r) : (tensor<3x16xi32>, tensor<3x16xf32>, tensor<3x16xf32>, tensor<3x16xui8>) -> tensor<3x16xf32> {
  ^bb0(%0: tensor<3x16xi32>, %1: tensor<3x16xf32>, %2: tensor<3x16xf32>, %3: tensor<3x16xui8>):
    %4 = optc.cast %0 : (tensor<3x16xi32>) -> tensor<3x16xf32>
    %5 = optc.mul %4, %1 : (tensor<3x16xf32>, tensor<3x16xf32>) -> tensor<3x16xf32>
    %6 = optc.add %5, %2 : (tensor<3x16xf32>, tensor<3x16xf32>) -> tensor<3x16xf32>
    %7 = optc.dequantize %3, %1 : (tensor<3x16xui8>, tensor<3x16xf32>) -> tensor<3x16xf32>
    %8 = optc.add %7, %6 : (tensor<3x16xf32>, tensor<3x16xf32>) -> tensor<3x16xf32>
    optc.yield %8 : tensor<3x16xf32>
  }
  return %y : tensor<3x16xf32>
}

// A product that something else reads stays, and integers do.
// CHECK-LABEL: func.func @kept
// CHECK-NOT: optc.fma
func.func @kept(%a: tensor<8xf32>, %i: tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xi32>) {
  %y:3 = optc.kernel "loops"(%a, %i) : (tensor<8xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xi32>) {
  ^bb0(%0: tensor<8xf32>, %1: tensor<8xi32>):
    %2 = optc.mul %0, %0 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %3 = optc.add %2, %0 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %4 = optc.mul %1, %1 : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi32>
    %5 = optc.add %4, %1 : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi32>
    optc.yield %2, %3, %5 : tensor<8xf32>, tensor<8xf32>, tensor<8xi32>
  }
  return %y#0, %y#1, %y#2 : tensor<8xf32>, tensor<8xf32>, tensor<8xi32>
}
