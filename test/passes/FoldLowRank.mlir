// RUN: optc-opt %s --fold-scales --fold-low-rank --canonicalize | FileCheck %s

// With the scale between the products, in any order.
// CHECK-LABEL: func.func @scaled
// CHECK: %[[AB:.*]] = optc.contract %{{.*}}, %{{.*}} : (tensor<3x1xf32>, tensor<1x2xf32>) -> tensor<3x2xf32>
// CHECK: %[[W:.*]] = optc.add %{{.*}}, %[[AB]] : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
// CHECK: %[[Y:.*]] = optc.contract %arg0, %[[W]]
// CHECK-NEXT: return %[[Y]]
func.func @scaled(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %s = optc.constant dense<0.5> : tensor<f32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.broadcast %s : (tensor<f32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %4 = optc.mul %2, %3 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %5 = optc.add %4, %0 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %5 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// Under a bias and a residual, with matrices that lie as [out, in]: the sum lies as the weight does.
// CHECK-LABEL: func.func @turned
// CHECK: %[[BA:.*]] = optc.contract %{{.*}}, %{{.*}} : (tensor<2x1xf32>, tensor<1x3xf32>) -> tensor<2x3xf32>
// CHECK: %[[W:.*]] = optc.add %{{.*}}, %[[BA]] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK: %[[Y:.*]] = optc.contract %arg0, %[[W]] {{{.*}}rhs_contract = array<i64: 1>}
// CHECK: %[[B:.*]] = optc.add %[[Y]], %{{.*}}
// CHECK: %[[R:.*]] = optc.add %arg1, %[[B]]
// CHECK-NEXT: return %[[R]]
func.func @turned(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, %r: tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %a = optc.constant dense<[[1.0, 2.0, 3.0]]> : tensor<1x3xf32>
  %b = optc.constant dense<[[4.0], [5.0]]> : tensor<2x1xf32>
  %c = optc.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 1>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<2x3xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.broadcast %c : (tensor<2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %2 = optc.add %0, %1 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %r, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %4 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 1>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<1x3xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %5 = optc.contract %4, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 1>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<2x1xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %6 = optc.add %3, %5 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %6 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// The layer of rows, the branch of sentences.
// CHECK-LABEL: func.func @reshaped
// CHECK: %[[X:.*]] = optc.reshape %arg0
// CHECK: %[[W:.*]] = optc.add {{.*}} -> tensor<3x2xf32>
// CHECK: %[[F:.*]] = optc.contract %[[X]], %[[W]]
// CHECK: %[[Y:.*]] = optc.reshape %[[F]]
// CHECK-NEXT: return %[[Y]]
func.func @reshaped(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %f = optc.reshape %x : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x3xf32, #optc.dims<["N*T", 3]>>
  %0 = optc.contract %f, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<?x3xf32, #optc.dims<["N*T", 3]>>, tensor<3x2xf32>) -> tensor<?x2xf32, #optc.dims<["N*T", 2]>>
  %g = optc.reshape %0 : (tensor<?x2xf32, #optc.dims<["N*T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %g, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// Two adapters, one after the other.
// CHECK-LABEL: func.func @two
// CHECK-COUNT-1: optc.contract %arg0
// CHECK-NOT: optc.contract %arg0
// CHECK: return
func.func @two(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %c = optc.constant dense<[[7.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %d = optc.constant dense<[[4.0, 8.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %4 = optc.contract %x, %c {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %5 = optc.contract %4, %d {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %6 = optc.add %3, %5 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %6 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// Sums of 16-bit weights are computed in f32.
// CHECK-LABEL: func.func @halves
// CHECK: optc.add {{.*}} : (tensor<3x2xf32>, tensor<3x2xf32>)
// CHECK: %[[W:.*]] = optc.cast {{.*}} : (tensor<3x2xf32>) -> tensor<3x2xf16>
// CHECK: %[[Y:.*]] = optc.contract %arg0, %[[W]]
// CHECK-NEXT: return %[[Y]]
func.func @halves(%x: tensor<?x?x3xf16, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf16, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf16>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf16>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf16>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf16, #optc.dims<["N", "T", 3]>>, tensor<3x2xf16>) -> tensor<?x?x2xf16, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf16, #optc.dims<["N", "T", 3]>>, tensor<3x1xf16>) -> tensor<?x?x1xf16, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf16, #optc.dims<["N", "T", 1]>>, tensor<1x2xf16>) -> tensor<?x?x2xf16, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf16, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf16, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf16, #optc.dims<["N", "T", 2]>>
  return %3 : tensor<?x?x2xf16, #optc.dims<["N", "T", 2]>>
}

// An empty rank leaves the weight.
// CHECK-LABEL: func.func @empty
// CHECK: %[[Y:.*]] = optc.contract %arg0, %{{.*}} : ({{.*}}, tensor<3x2xf32>)
// CHECK-NEXT: return %[[Y]]
func.func @empty(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<> : tensor<3x0xf32>
  %b = optc.constant dense<> : tensor<0x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x0xf32>) -> tensor<?x?x0xf32, #optc.dims<["N", "T", 0]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x0xf32, #optc.dims<["N", "T", 0]>>, tensor<0x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// The layer's own result is read, too.
// CHECK-LABEL: func.func @read
// CHECK-COUNT-3: optc.contract
// CHECK: return
func.func @read(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %0, %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// So is the branch's.
// CHECK-LABEL: func.func @branch_read
// CHECK-COUNT-3: optc.contract
// CHECK: return
func.func @branch_read(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %2, %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// A factor is an input: it may be switched.
// CHECK-LABEL: func.func @factor
// CHECK-COUNT-3: optc.contract
// CHECK: return
func.func @factor(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, %a: tensor<3x1xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// The scale is an input.
// CHECK-LABEL: func.func @scale
// CHECK-COUNT-3: optc.contract
// CHECK: return
func.func @scale(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, %s: tensor<f32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.broadcast %s : (tensor<f32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %4 = optc.mul %2, %3 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %5 = optc.add %0, %4 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %5 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// The weight comes in few bits.
// CHECK-LABEL: func.func @codes
// CHECK-COUNT-3: optc.contract
// CHECK: return
func.func @codes(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %q = optc.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8>
  %step = optc.constant dense<0.1> : tensor<3x2xf32>
  %w = optc.dequantize %q, %step : (tensor<3x2xi8>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// The layer has another input.
// CHECK-LABEL: func.func @other
// CHECK-COUNT-3: optc.contract
// CHECK: return
func.func @other(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, %z: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %z, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// Something that is no sum lies between.
// CHECK-LABEL: func.func @between
// CHECK-COUNT-3: optc.contract
// CHECK: return
func.func @between(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>> {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %n = optc.neg %0 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %n, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %3 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}

// Two layers share their weight, each has a branch of its own: it is stored once.
// CHECK-LABEL: func.func @shared
// CHECK-COUNT-6: optc.contract
// CHECK: return
func.func @shared(%x: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, %z: tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>) -> (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) {
  %w = optc.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %a = optc.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %b = optc.constant dense<[[4.0, 5.0]]> : tensor<1x2xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %1 = optc.contract %x, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %2 = optc.contract %1, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %3 = optc.add %0, %2 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %4 = optc.contract %z, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %5 = optc.contract %z, %a {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x3xf32, #optc.dims<["N", "T", 3]>>, tensor<3x1xf32>) -> tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>
  %6 = optc.contract %5, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 0>} : (tensor<?x?x1xf32, #optc.dims<["N", "T", 1]>>, tensor<1x2xf32>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  %7 = optc.add %4, %6 : (tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>) -> tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
  return %3, %7 : tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>, tensor<?x?x2xf32, #optc.dims<["N", "T", 2]>>
}
