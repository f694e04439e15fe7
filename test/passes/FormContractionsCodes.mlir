// RUN: optc-opt --compress-weights=gpu=true --form-contractions=gpu=true %s | FileCheck %s

// What a GPU multiplies in bf16 and has in few bits: some rows, or an unknown number of them, unpack it as they multiply, more have a kernel that does before.

// CHECK-LABEL: func.func @some
// CHECK: optc.kernel "matmul"(%arg0, %{{.*}}, %{{.*}}) : (tensor<20x96xbf16>, tensor<72x3x16xi8>, tensor<72x1xf16>)
// CHECK: optc.dequantize
// CHECK: optc.contract {{.*}}optc.unpacks_rhs
func.func @some(%x: tensor<20x96xbf16>) -> tensor<20x72xf32> {
  %q = optc.constant dense<3> : tensor<96x72xi8>
  %s = optc.constant dense<0.5> : tensor<96x72xf32>
  %a = optc.cast %x : (tensor<20x96xbf16>) -> tensor<20x96xf32>
  %b = optc.dequantize %q, %s : (tensor<96x72xi8>, tensor<96x72xf32>) -> tensor<96x72xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.unpacks_in_bf16} : (tensor<20x96xf32>, tensor<96x72xf32>) -> tensor<20x72xf32>
  return %y : tensor<20x72xf32>
}

// CHECK-LABEL: func.func @most
// CHECK: optc.kernel "matmul"(%arg0, %{{.*}}, %{{.*}}) : (tensor<256x96xbf16>, tensor<72x3x16xi8>, tensor<72x1xf16>)
// CHECK: optc.dequantize
// CHECK: optc.contract {{.*}}optc.unpacks_rhs
func.func @most(%x: tensor<256x96xbf16>) -> tensor<256x72xf32> {
  %q = optc.constant dense<3> : tensor<96x72xi8>
  %s = optc.constant dense<0.5> : tensor<96x72xf32>
  %a = optc.cast %x : (tensor<256x96xbf16>) -> tensor<256x96xf32>
  %b = optc.dequantize %q, %s : (tensor<96x72xi8>, tensor<96x72xf32>) -> tensor<96x72xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.unpacks_in_bf16} : (tensor<256x96xf32>, tensor<96x72xf32>) -> tensor<256x72xf32>
  return %y : tensor<256x72xf32>
}

// CHECK-LABEL: func.func @many
// CHECK: optc.kernel "loops"(%{{.*}}, %{{.*}}) : (tensor<72x3x16xi8>, tensor<72x1xf16>) -> tensor<72x96xbf16>
// CHECK: optc.kernel "matmul"(%arg0, %{{.*}}) : (tensor<257x96xbf16>, tensor<72x96xbf16>)
// CHECK-NOT: optc.unpacks_rhs
func.func @many(%x: tensor<257x96xbf16>) -> tensor<257x72xf32> {
  %q = optc.constant dense<3> : tensor<96x72xi8>
  %s = optc.constant dense<0.5> : tensor<96x72xf32>
  %a = optc.cast %x : (tensor<257x96xbf16>) -> tensor<257x96xf32>
  %b = optc.dequantize %q, %s : (tensor<96x72xi8>, tensor<96x72xf32>) -> tensor<96x72xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.unpacks_in_bf16} : (tensor<257x96xf32>, tensor<96x72xf32>) -> tensor<257x72xf32>
  return %y : tensor<257x72xf32>
}

// CHECK-LABEL: func.func @unknown
// CHECK: optc.kernel "matmul"(%arg0, %{{.*}}, %{{.*}}) : (tensor<?x96xbf16, {{.*}}>, tensor<72x3x16xi8>, tensor<72x1xf16>)
// CHECK: optc.contract {{.*}}optc.unpacks_rhs
func.func @unknown(%x: tensor<?x96xbf16, #optc.dims<["m", 96]>>) -> tensor<?x72xf32, #optc.dims<["m", 72]>> {
  %q = optc.constant dense<3> : tensor<96x72xi8>
  %s = optc.constant dense<0.5> : tensor<96x72xf32>
  %a = optc.cast %x : (tensor<?x96xbf16, #optc.dims<["m", 96]>>) -> tensor<?x96xf32, #optc.dims<["m", 96]>>
  %b = optc.dequantize %q, %s : (tensor<96x72xi8>, tensor<96x72xf32>) -> tensor<96x72xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.unpacks_in_bf16} : (tensor<?x96xf32, #optc.dims<["m", 96]>>, tensor<96x72xf32>) -> tensor<?x72xf32, #optc.dims<["m", 72]>>
  return %y : tensor<?x72xf32, #optc.dims<["m", 72]>>
}

// A part of the 32 codes that lie together.
// CHECK-LABEL: func.func @odd
// CHECK: optc.kernel "loops"(%{{.*}}, %{{.*}}) : (tensor<72x4x16xi8>, tensor<72x1xf16>) -> tensor<72x104xbf16>
// CHECK: optc.kernel "matmul"(%arg0, %{{.*}}) : (tensor<20x104xbf16>, tensor<72x104xbf16>)
// CHECK-NOT: optc.unpacks_rhs
func.func @odd(%x: tensor<20x104xbf16>) -> tensor<20x72xf32> {
  %q = optc.constant dense<3> : tensor<104x72xi8>
  %s = optc.constant dense<0.5> : tensor<104x72xf32>
  %a = optc.cast %x : (tensor<20x104xbf16>) -> tensor<20x104xf32>
  %b = optc.dequantize %q, %s : (tensor<104x72xi8>, tensor<104x72xf32>) -> tensor<104x72xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.unpacks_in_bf16} : (tensor<20x104xf32>, tensor<104x72xf32>) -> tensor<20x72xf32>
  return %y : tensor<20x72xf32>
}
