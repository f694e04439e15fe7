// RUN: optc-opt --recognize-attention=gpu=true --canonicalize %s | FileCheck %s --check-prefixes=BOTH,GPU
// RUN: optc-opt --recognize-attention --canonicalize %s | FileCheck %s --check-prefixes=BOTH,CPU

#past = #optc.dims<[2, 2, "t", 16]>
#pair = #optc.dims<[2, 2, 3, "t", 16]>
#wide = #optc.dims<[2, 6, "t", 16]>
#turned = #optc.dims<[2, 6, 16, "t"]>
#scores = #optc.dims<[2, 6, 9, "t"]>

// Keys of two groups are repeated for three heads each: attention reads them as they are.
// BOTH-LABEL: func.func @repeated
// BOTH-NOT: optc.broadcast
// BOTH: optc.attention %arg0, %arg1, %arg2 {scale = 2.500000e-01 : f64} : (tensor<2x6x9x16xf32>, tensor<2x2x?x16xf32, {{.*}}>, tensor<2x2x?x16xf32, {{.*}}>) -> tensor<2x6x9x16xf32>
func.func @repeated(%q: tensor<2x6x9x16xf32>, %k: tensor<2x2x?x16xf32, #past>, %v: tensor<2x2x?x16xf32, #past>) -> tensor<2x6x9x16xf32> {
  %k1 = optc.reshape %k : (tensor<2x2x?x16xf32, #past>) -> tensor<2x2x1x?x16xf32, #optc.dims<[2, 2, 1, "t", 16]>>
  %k2 = optc.broadcast %k1 : (tensor<2x2x1x?x16xf32, #optc.dims<[2, 2, 1, "t", 16]>>) -> tensor<2x2x3x?x16xf32, #pair>
  %k3 = optc.reshape %k2 : (tensor<2x2x3x?x16xf32, #pair>) -> tensor<2x6x?x16xf32, #wide>
  %k4 = optc.transpose %k3 {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x6x?x16xf32, #wide>) -> tensor<2x6x16x?xf32, #turned>
  %v1 = optc.reshape %v : (tensor<2x2x?x16xf32, #past>) -> tensor<2x2x1x?x16xf32, #optc.dims<[2, 2, 1, "t", 16]>>
  %v2 = optc.broadcast %v1 : (tensor<2x2x1x?x16xf32, #optc.dims<[2, 2, 1, "t", 16]>>) -> tensor<2x2x3x?x16xf32, #pair>
  %v3 = optc.reshape %v2 : (tensor<2x2x3x?x16xf32, #pair>) -> tensor<2x6x?x16xf32, #wide>
  %c = optc.constant dense<0.25> : tensor<f32>
  %cs = optc.broadcast %c : (tensor<f32>) -> tensor<2x6x9x?xf32, #scores>
  %s = optc.contract %q, %k4 {lhs_batch = array<i64: 0, 1>, rhs_batch = array<i64: 0, 1>, lhs_contract = array<i64: 3>, rhs_contract = array<i64: 2>} : (tensor<2x6x9x16xf32>, tensor<2x6x16x?xf32, #turned>) -> tensor<2x6x9x?xf32, #scores>
  %m = optc.mul %s, %cs : (tensor<2x6x9x?xf32, #scores>, tensor<2x6x9x?xf32, #scores>) -> tensor<2x6x9x?xf32, #scores>
  %p = optc.softmax %m {axis = 3 : i64} : (tensor<2x6x9x?xf32, #scores>) -> tensor<2x6x9x?xf32, #scores>
  %y = optc.contract %p, %v3 {lhs_batch = array<i64: 0, 1>, rhs_batch = array<i64: 0, 1>, lhs_contract = array<i64: 3>, rhs_contract = array<i64: 2>} : (tensor<2x6x9x?xf32, #scores>, tensor<2x6x?x16xf32, #wide>) -> tensor<2x6x9x16xf32>
  return %y : tensor<2x6x9x16xf32>
}

// Keys that are repeated otherwise than values are heads of their own.
// BOTH-LABEL: func.func @differently
// BOTH: optc.attention %arg0, %{{.*}}, %arg2 {scale = 1.000000e+00 : f64} : (tensor<2x6x9x16xf32>, tensor<2x6x7x16xf32>, tensor<2x6x7x16xf32>)
func.func @differently(%q: tensor<2x6x9x16xf32>, %k: tensor<2x2x7x16xf32>, %v: tensor<2x6x7x16xf32>) -> tensor<2x6x9x16xf32> {
  %k1 = optc.reshape %k : (tensor<2x2x7x16xf32>) -> tensor<2x2x1x7x16xf32>
  %k2 = optc.broadcast %k1 : (tensor<2x2x1x7x16xf32>) -> tensor<2x2x3x7x16xf32>
  %k3 = optc.reshape %k2 : (tensor<2x2x3x7x16xf32>) -> tensor<2x6x7x16xf32>
  %s = optc.contract %q, %k3 {lhs_batch = array<i64: 0, 1>, rhs_batch = array<i64: 0, 1>, lhs_contract = array<i64: 3>, rhs_contract = array<i64: 3>} : (tensor<2x6x9x16xf32>, tensor<2x6x7x16xf32>) -> tensor<2x6x9x7xf32>
  %p = optc.softmax %s {axis = 3 : i64} : (tensor<2x6x9x7xf32>) -> tensor<2x6x9x7xf32>
  %y = optc.contract %p, %v {lhs_batch = array<i64: 0, 1>, rhs_batch = array<i64: 0, 1>, lhs_contract = array<i64: 3>, rhs_contract = array<i64: 2>} : (tensor<2x6x9x7xf32>, tensor<2x6x7x16xf32>) -> tensor<2x6x9x16xf32>
  return %y : tensor<2x6x9x16xf32>
}

// One query of f16, a mask of f16 and a softmax in f32: a GPU's kernel has no use for more queries, a CPU has none of f16.
// BOTH-LABEL: func.func @halves
// GPU: optc.attention %arg0, %arg1, %arg2, %arg3 {scale = 1.000000e+00 : f64} : (tensor<1x4x1x16xf16>, tensor<1x4x7x16xf16>, tensor<1x4x7x16xf16>, tensor<1x1x1x7xf16>) -> tensor<1x4x1x16xf16>
// CPU: optc.softmax
func.func @halves(%q: tensor<1x4x1x16xf16>, %k: tensor<1x4x7x16xf16>, %v: tensor<1x4x7x16xf16>, %mask: tensor<1x1x1x7xf16>) -> tensor<1x4x1x16xf16> {
  %s = optc.contract %q, %k {lhs_batch = array<i64: 0, 1>, rhs_batch = array<i64: 0, 1>, lhs_contract = array<i64: 3>, rhs_contract = array<i64: 3>} : (tensor<1x4x1x16xf16>, tensor<1x4x7x16xf16>) -> tensor<1x4x1x7xf16>
  %ms = optc.broadcast %mask : (tensor<1x1x1x7xf16>) -> tensor<1x4x1x7xf16>
  %a = optc.add %s, %ms : (tensor<1x4x1x7xf16>, tensor<1x4x1x7xf16>) -> tensor<1x4x1x7xf16>
  %f = optc.cast %a : (tensor<1x4x1x7xf16>) -> tensor<1x4x1x7xf32>
  %p = optc.softmax %f {axis = 3 : i64} : (tensor<1x4x1x7xf32>) -> tensor<1x4x1x7xf32>
  %h = optc.cast %p : (tensor<1x4x1x7xf32>) -> tensor<1x4x1x7xf16>
  %y = optc.contract %h, %v {lhs_batch = array<i64: 0, 1>, rhs_batch = array<i64: 0, 1>, lhs_contract = array<i64: 3>, rhs_contract = array<i64: 2>} : (tensor<1x4x1x7xf16>, tensor<1x4x7x16xf16>) -> tensor<1x4x1x16xf16>
  return %y : tensor<1x4x1x16xf16>
}

// Heads of one query each become the queries of their group; the query sees all keys.
// BOTH-LABEL: func.func @joined
// BOTH-DAG: %[[Q:.*]] = optc.reshape %arg0 : (tensor<2x8x1x16xf32>) -> tensor<2x2x4x16xf32>
// BOTH-DAG: %[[M:.*]] = optc.reshape %arg3 : (tensor<1x8x1x7xf32>) -> tensor<1x2x4x7xf32>
// BOTH: %[[Y:.*]] = optc.attention %[[Q]], %arg1, %arg2, %[[M]] {scale = 2.500000e-01 : f64, softcap = 5.000000e+00 : f64}
// BOTH: optc.reshape %[[Y]] : (tensor<2x2x4x16xf32>) -> tensor<2x8x1x16xf32>
func.func @joined(%q: tensor<2x8x1x16xf32>, %k: tensor<2x2x7x16xf32>, %v: tensor<2x2x7x16xf32>, %mask: tensor<1x8x1x7xf32>) -> tensor<2x8x1x16xf32> {
  %y = optc.attention %q, %k, %v, %mask {scale = 0.25 : f64, softcap = 5.0 : f64, causal = true} : (tensor<2x8x1x16xf32>, tensor<2x2x7x16xf32>, tensor<2x2x7x16xf32>, tensor<1x8x1x7xf32>) -> tensor<2x8x1x16xf32>
  return %y : tensor<2x8x1x16xf32>
}
// BOTH-LABEL: func.func @several
// BOTH: optc.attention %arg0, %arg1, %arg2
func.func @several(%q: tensor<2x8x2x16xf32>, %k: tensor<2x2x7x16xf32>, %v: tensor<2x2x7x16xf32>) -> tensor<2x8x2x16xf32> {
  %y = optc.attention %q, %k, %v {scale = 0.25 : f64} : (tensor<2x8x2x16xf32>, tensor<2x2x7x16xf32>, tensor<2x2x7x16xf32>) -> tensor<2x8x2x16xf32>
  return %y : tensor<2x8x2x16xf32>
}
