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

// Many ways lead to the same quantisation.
// CHECK-LABEL: func.func @ways
// CHECK-NOT: optc.dequantize
func.func @ways(%x: tensor<8xf32>) -> tensor<8xui8> {
  %y = optc.kernel "loops"(%x) : (tensor<8xf32>) -> tensor<8xui8> {
  ^bb0(%0: tensor<8xf32>):
    %one = optc.constant dense<1.0> : tensor<8xf32>
    %q = optc.quantize %0, %one : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xui8>
    %v0 = optc.dequantize %q, %one : (tensor<8xui8>, tensor<8xf32>) -> tensor<8xf32>
    %v1 = optc.add %v0, %v0 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v2 = optc.add %v1, %v1 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v3 = optc.add %v2, %v2 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v4 = optc.add %v3, %v3 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v5 = optc.add %v4, %v4 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v6 = optc.add %v5, %v5 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v7 = optc.add %v6, %v6 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v8 = optc.add %v7, %v7 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v9 = optc.add %v8, %v8 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v10 = optc.add %v9, %v9 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v11 = optc.add %v10, %v10 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v12 = optc.add %v11, %v11 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v13 = optc.add %v12, %v12 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v14 = optc.add %v13, %v13 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v15 = optc.add %v14, %v14 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v16 = optc.add %v15, %v15 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v17 = optc.add %v16, %v16 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v18 = optc.add %v17, %v17 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v19 = optc.add %v18, %v18 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v20 = optc.add %v19, %v19 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v21 = optc.add %v20, %v20 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v22 = optc.add %v21, %v21 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v23 = optc.add %v22, %v22 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v24 = optc.add %v23, %v23 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v25 = optc.add %v24, %v24 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v26 = optc.add %v25, %v25 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v27 = optc.add %v26, %v26 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v28 = optc.add %v27, %v27 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v29 = optc.add %v28, %v28 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v30 = optc.add %v29, %v29 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v31 = optc.add %v30, %v30 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v32 = optc.add %v31, %v31 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v33 = optc.add %v32, %v32 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v34 = optc.add %v33, %v33 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v35 = optc.add %v34, %v34 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v36 = optc.add %v35, %v35 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v37 = optc.add %v36, %v36 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v38 = optc.add %v37, %v37 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v39 = optc.add %v38, %v38 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v40 = optc.add %v39, %v39 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v41 = optc.add %v40, %v40 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v42 = optc.add %v41, %v41 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v43 = optc.add %v42, %v42 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v44 = optc.add %v43, %v43 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v45 = optc.add %v44, %v44 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v46 = optc.add %v45, %v45 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v47 = optc.add %v46, %v46 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %v48 = optc.add %v47, %v47 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %c = optc.quantize %v48, %one : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xui8>
    optc.yield %c : tensor<8xui8>
  }
  return %y : tensor<8xui8>
}
