// RUN: optc-opt --skip-rounding %s | FileCheck %s

// CHECK-LABEL: func.func @residual
// CHECK: optc.constant dense<-1.180000e+02> : tensor<f32>
// CHECK: %[[A:.*]] = optc.max %{{.*}}, %{{.*}} :
// CHECK: optc.constant dense<1.370000e+02> : tensor<f32>
// CHECK: %[[B:.*]] = optc.min %[[A]], %{{.*}} :
// CHECK: %[[D:.*]] = optc.mul %[[B]], %{{.*}} :
// CHECK: %[[S:.*]] = optc.add %[[D]], %{{.*}} :
// CHECK: optc.quantize %[[S]]
// CHECK-NOT: optc.dequantize
func.func @residual(%x: tensor<3x16xf32>, %r: tensor<3x16xf32>) -> tensor<3x16xui8> {
  %y = optc.kernel "loops"(%x, %r) : (tensor<3x16xf32>, tensor<3x16xf32>) -> tensor<3x16xui8> {
  ^bb0(%0: tensor<3x16xf32>, %1: tensor<3x16xf32>):
    %one = optc.constant dense<1.0> : tensor<3x16xf32>
    %s = optc.constant dense<0.5> : tensor<3x16xf32>
    %z = optc.constant dense<118> : tensor<3x16xui8>
    %q = optc.quantize %0, %one, %z : (tensor<3x16xf32>, tensor<3x16xf32>, tensor<3x16xui8>) -> tensor<3x16xui8>
    %d = optc.dequantize %q, %s, %z : (tensor<3x16xui8>, tensor<3x16xf32>, tensor<3x16xui8>) -> tensor<3x16xf32>
    %a = optc.add %d, %1 : (tensor<3x16xf32>, tensor<3x16xf32>) -> tensor<3x16xf32>
    %c = optc.quantize %a, %one : (tensor<3x16xf32>, tensor<3x16xf32>) -> tensor<3x16xui8>
    optc.yield %c : tensor<3x16xui8>
  }
  return %y : tensor<3x16xui8>
}

// Codes that are stored, and values that a user sees, are rounded.
// CHECK-LABEL: func.func @stored
// CHECK: optc.quantize
// CHECK: optc.dequantize
// CHECK-LABEL: func.func @seen
// CHECK: optc.quantize
// CHECK: optc.dequantize
func.func @stored(%x: tensor<8xf32>) -> (tensor<8xui8>, tensor<8xui8>) {
  %y:2 = optc.kernel "loops"(%x) : (tensor<8xf32>) -> (tensor<8xui8>, tensor<8xui8>) {
  ^bb0(%0: tensor<8xf32>):
    %one = optc.constant dense<1.0> : tensor<8xf32>
    %q = optc.quantize %0, %one : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xui8>
    %d = optc.dequantize %q, %one : (tensor<8xui8>, tensor<8xf32>) -> tensor<8xf32>
    %a = optc.add %d, %0 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %c = optc.quantize %a, %one : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xui8>
    optc.yield %q, %c : tensor<8xui8>, tensor<8xui8>
  }
  return %y#0, %y#1 : tensor<8xui8>, tensor<8xui8>
}
func.func @seen(%x: tensor<8xf32>) -> tensor<8xf32> {
  %y = optc.kernel "loops"(%x) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%0: tensor<8xf32>):
    %one = optc.constant dense<1.0> : tensor<8xf32>
    %q = optc.quantize %0, %one : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xui8>
    %d = optc.dequantize %q, %one : (tensor<8xui8>, tensor<8xf32>) -> tensor<8xf32>
    optc.yield %d : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}
