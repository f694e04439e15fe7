// RUN: optc-opt --compress-weights=gpu=true %s | FileCheck %s
// RUN: optc-opt --compress-weights=gpu=true --form-contractions=gpu=true %s | FileCheck %s --check-prefix=KERNEL
// RUN: optc-opt --compress-weights %s | FileCheck %s --check-prefix=CPU

// Of zeros everywhere two of four are left out: 100 columns are 7 times 16, 200 k's twice 128.
// CHECK-LABEL: func.func @many
// CHECK-SAME: optc.sparse = [{found = "100.0 % zeros, 2 of 4 along the contracted dim: the others are stored and multiplied, 7744 bytes less"
// CHECK-DAG: %[[VALUES:.*]] = optc.constant {{.*}} : tensor<112x128xbf16>
// CHECK-DAG: %[[POSITIONS:.*]] = optc.constant {{.*}} : tensor<7x2x16x4xi32>
// CHECK: optc.reshape %[[POSITIONS]]
// CHECK: optc.reshape %[[VALUES]]
// CHECK: optc.slice {{.*}} : (tensor<112x256xbf16>) -> tensor<100x200xbf16>
// CHECK: optc.contract %{{.*}}, %{{.*}} {{{.*}}optc.two_of_four{{.*}}rhs_contract = array<i64: 1>} : (tensor<?x200xf32, {{.*}}>, tensor<100x200xf32>)
// KERNEL-LABEL: func.func @many
// KERNEL: optc.kernel "matmul"(%arg0, %{{.*}}, %{{.*}}) : (tensor<?x200xbf16, {{.*}}>, tensor<7x2x16x4xi32>, tensor<112x128xbf16>)
// KERNEL: optc.contract {{.*}} {{{.*}}optc.two_of_four
// CPU-LABEL: func.func @many
// CPU-NOT: two_of_four
func.func @many(%x: tensor<?x200xbf16, #optc.dims<["m", 200]>>) -> tensor<?x100xf32, #optc.dims<["m", 100]>> {
  %w = optc.constant dense<0.0> : tensor<200x100xbf16>
  %a = optc.cast %x : (tensor<?x200xbf16, #optc.dims<["m", 200]>>) -> tensor<?x200xf32, #optc.dims<["m", 200]>>
  %b = optc.cast %w : (tensor<200x100xbf16>) -> tensor<200x100xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<?x200xf32, #optc.dims<["m", 200]>>, tensor<200x100xf32>) -> tensor<?x100xf32, #optc.dims<["m", 100]>>
  return %y : tensor<?x100xf32, #optc.dims<["m", 100]>>
}

// Few rows read their weights at the speed of memory; an embedding reads all of them.
// CHECK-LABEL: func.func @few
// CHECK-SAME: stored as dense, few rows are not multiplied by these instructions
// CHECK: optc.contract %{{.*}} : (tensor<8x128xf32>, tensor<128x64xf32>)
func.func @few(%x: tensor<8x128xf16>) -> tensor<8x64xf32> {
  %w = optc.constant dense<0.0> : tensor<128x64xf16>
  %a = optc.cast %x : (tensor<8x128xf16>) -> tensor<8x128xf32>
  %b = optc.cast %w : (tensor<128x64xf16>) -> tensor<128x64xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<8x128xf32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  return %y : tensor<8x64xf32>
}
// CHECK-LABEL: func.func @tied
// CHECK-SAME: stored as dense, an embedding reads it, too
// CHECK-NOT: two_of_four
func.func @tied(%x: tensor<20x128xf16>, %i: tensor<3xi64>) -> (tensor<20x64xf32>, tensor<3x64xf16>) {
  %w = optc.constant dense<0.0> : tensor<128x64xf16>
  %a = optc.cast %x : (tensor<20x128xf16>) -> tensor<20x128xf32>
  %b = optc.cast %w : (tensor<128x64xf16>) -> tensor<128x64xf32>
  %y = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<20x128xf32>, tensor<128x64xf32>) -> tensor<20x64xf32>
  %g = optc.gather %w, %i {axis = 0 : i64} : (tensor<128x64xf16>, tensor<3xi64>) -> tensor<3x64xf16>
  return %y, %g : tensor<20x64xf32>, tensor<3x64xf16>
}
