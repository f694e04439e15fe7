// RUN: optc-opt --insert-rounding=gpu=true %s | FileCheck %s --check-prefix=GPU
// RUN: optc-opt %s --insert-rounding | FileCheck %s
// RUN: optc-opt "--insert-rounding=gpu=true tf32=true" %s | FileCheck %s --check-prefix=TF32
// RUN: optc-opt %s --insert-rounding=tiles=false | FileCheck %s --check-prefix=VECTORS

#dims = #optc.dims<["n", 64]>

// Both operands are rounded; what the model returns is not, and a product of few rows is left alone.
// CHECK-LABEL: func.func @products
// CHECK-SAME: optc.lowered = [{node = "y", precision = "bf16, sums in f32"}]
// CHECK: %[[W:.*]] = optc.constant dense<5.000000e-01>
// CHECK: %[[X:.*]] = optc.tanh %arg0
// CHECK: %[[H:.*]] = optc.cast %[[X]] : (tensor<12x64xf32>) -> tensor<12x64xbf16>
// CHECK: %[[R:.*]] = optc.cast %[[H]] : (tensor<12x64xbf16>) -> tensor<12x64xf32>
// CHECK: %[[V:.*]] = optc.cast %[[W]] : (tensor<64x64xf32>) -> tensor<64x64xbf16>
// CHECK: %[[U:.*]] = optc.cast %[[V]] : (tensor<64x64xbf16>) -> tensor<64x64xf32>
// CHECK: %[[Y:.*]] = optc.contract %[[R]], %[[U]]
// CHECK: %[[N:.*]] = optc.neg %[[R]]
// CHECK: %[[Z:.*]] = optc.contract %arg1, %[[W]]
// CHECK: return %[[Y]], %[[X]], %[[N]], %[[Z]]
func.func @products(%x: tensor<12x64xf32>, %p: tensor<4x64xf32>) -> (tensor<12x64xf32>, tensor<12x64xf32>, tensor<12x64xf32>, tensor<4x64xf32>) {
  %w = optc.constant dense<0.5> : tensor<64x64xf32>
  %h = optc.tanh %x : (tensor<12x64xf32>) -> tensor<12x64xf32>
  %y = optc.contract %h, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<12x64xf32>, tensor<64x64xf32>) -> tensor<12x64xf32> loc("y")
  %n = optc.neg %h : (tensor<12x64xf32>) -> tensor<12x64xf32>
  %z = optc.contract %p, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<4x64xf32>, tensor<64x64xf32>) -> tensor<4x64xf32>
  return %y, %h, %n, %z : tensor<12x64xf32>, tensor<12x64xf32>, tensor<12x64xf32>, tensor<4x64xf32>
}

// The tensor under movement is rounded; a size that is known at run time only has many rows.
// CHECK-LABEL: func.func @movement
// CHECK: %[[H:.*]] = optc.cast %arg0 {{.*}} -> tensor<?x8x8xbf16
// CHECK: %[[R:.*]] = optc.cast %[[H]]
// CHECK: %[[X:.*]] = optc.reshape %[[R]]
// CHECK: optc.contract %[[X]]
func.func @movement(%x: tensor<?x8x8xf32, #optc.dims<["n", 8, 8]>>) -> tensor<?x64xf32, #optc.dims<["n", 64]>> {
  %w = optc.constant dense<0.5> : tensor<64x64xf32>
  %r = optc.reshape %x : (tensor<?x8x8xf32, #optc.dims<["n", 8, 8]>>) -> tensor<?x64xf32, #dims>
  %y = optc.contract %r, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<?x64xf32, #dims>, tensor<64x64xf32>) -> tensor<?x64xf32, #optc.dims<["n", 64]>>
  return %y : tensor<?x64xf32, #optc.dims<["n", 64]>>
}

// A weight beyond bf16, a small product, one that is to be kept, and one of dequantised bytes stay.
// CHECK-LABEL: func.func @kept
// CHECK-SAME: optc.kept = [{node = "large", reason = "a weight does not fit bf16"}, {node = "optc.contract", reason = "--keep-float"}]
// CHECK-NOT: bf16>
// CHECK: return
func.func @kept(%x: tensor<12x64xf32>, %q: tensor<12x64xui8>) -> (tensor<12x64xf32>, tensor<12x4xf32>, tensor<12x64xf32>, tensor<12x64xf32>) {
  %w = optc.constant dense<3.4e38> : tensor<64x64xf32>
  %v = optc.constant dense<0.5> : tensor<64x4xf32>
  %u = optc.constant dense<0.5> : tensor<64x64xf32>
  %s = optc.constant dense<0.5> : tensor<12x64xf32>
  %a = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<12x64xf32>, tensor<64x64xf32>) -> tensor<12x64xf32> loc("large")
  %b = optc.contract %x, %v {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<12x64xf32>, tensor<64x4xf32>) -> tensor<12x4xf32>
  %c = optc.contract %x, %u {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>, optc.keep_float = "--keep-float"} : (tensor<12x64xf32>, tensor<64x64xf32>) -> tensor<12x64xf32>
  %d = optc.dequantize %q, %s : (tensor<12x64xui8>, tensor<12x64xf32>) -> tensor<12x64xf32>
  %e = optc.contract %d, %u {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<12x64xf32>, tensor<64x64xf32>) -> tensor<12x64xf32>
  return %a, %b, %c, %e : tensor<12x64xf32>, tensor<12x4xf32>, tensor<12x64xf32>, tensor<12x64xf32>
}

// Winograd's algorithm in f32 is faster than vectors of bf16, AMX's tiles are not.
// CHECK-LABEL: func.func @winograd
// CHECK: optc.cast %arg0
// VECTORS-LABEL: func.func @winograd
// VECTORS-SAME: reason = "by Winograd's algorithm it is faster in f32 on a CPU without AMX"
// VECTORS-NOT: optc.cast
// VECTORS: return
func.func @winograd(%x: tensor<1x28x28x64xf32>) -> tensor<1x28x28x64xf32> {
  %w = optc.constant dense<0.5> : tensor<3x3x64x64xf32>
  %y = optc.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x28x28x64xf32>, tensor<3x3x64x64xf32>) -> tensor<1x28x28x64xf32>
  return %y : tensor<1x28x28x64xf32>
}

// Attention on a product reads bf16 through slices of it, and may round its probabilities; one query, or keys from elsewhere, gain nothing.
// CHECK-LABEL: func.func @attention
// CHECK: %[[P:.*]] = optc.contract
// CHECK: %[[S:.*]] = optc.add %{{.*}}, %[[P]]
// CHECK: %[[H:.*]] = optc.cast %[[S]] {{.*}} -> tensor<32x96xbf16>
// CHECK: %[[R:.*]] = optc.cast %[[H]]
// CHECK: optc.reshape %[[R]]
// CHECK: optc.attention {{.*}}optc.rounds_probabilities
// CHECK-NOT: optc.rounds_probabilities
// CHECK: return
// VECTORS-LABEL: func.func @attention
// VECTORS-NOT: optc.rounds_probabilities
// VECTORS: return
!heads = tensor<1x2x32x16xf32>
!one = tensor<1x2x1x16xf32>
func.func @attention(%x: tensor<32x64xf32>, %one: !one, %keys: !heads) -> (!heads, !one, !heads) {
  %w = optc.constant dense<0.5> : tensor<64x96xf32>
  %b = optc.constant dense<1.0> : tensor<32x96xf32>
  %p = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<32x64xf32>, tensor<64x96xf32>) -> tensor<32x96xf32>
  %s = optc.add %b, %p : (tensor<32x96xf32>, tensor<32x96xf32>) -> tensor<32x96xf32>
  %r = optc.reshape %s : (tensor<32x96xf32>) -> tensor<1x32x6x16xf32>
  %t = optc.transpose %r {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x32x6x16xf32>) -> tensor<1x6x32x16xf32>
  %q = optc.slice %t {starts = #optc.dims<[0, 0, 0, 0]>, strides = #optc.dims<[1, 1, 1, 1]>} : (tensor<1x6x32x16xf32>) -> !heads
  %k = optc.slice %t {starts = #optc.dims<[0, 2, 0, 0]>, strides = #optc.dims<[1, 1, 1, 1]>} : (tensor<1x6x32x16xf32>) -> !heads
  %v = optc.slice %t {starts = #optc.dims<[0, 4, 0, 0]>, strides = #optc.dims<[1, 1, 1, 1]>} : (tensor<1x6x32x16xf32>) -> !heads
  %y = optc.attention %q, %k, %v {scale = 0.25 : f64} : (!heads, !heads, !heads) -> !heads
  %z = optc.attention %one, %k, %v {scale = 0.25 : f64} : (!one, !heads, !heads) -> !one
  %c = optc.attention %q, %keys, %v {scale = 0.25 : f64} : (!heads, !heads, !heads) -> !heads
  return %y, %z, %c : !heads, !one, !heads
}

// What a model has in f16 is rounded, what it has in bf16 is so already.
// CHECK-LABEL: func.func @halves
// CHECK: %[[A:.*]] = optc.cast %arg0 : (tensor<12x64xf16>) -> tensor<12x64xf32>
// CHECK: %[[H:.*]] = optc.cast %[[A]] : (tensor<12x64xf32>) -> tensor<12x64xbf16>
// CHECK: %[[R:.*]] = optc.cast %[[H]]
// CHECK: %[[B:.*]] = optc.cast %arg1 : (tensor<12x64xbf16>) -> tensor<12x64xf32>
// CHECK: optc.contract %[[R]]
// CHECK: optc.contract %[[B]]
func.func @halves(%x: tensor<12x64xf16>, %z: tensor<12x64xbf16>) -> (tensor<12x64xf32>, tensor<12x64xf32>) {
  %w = optc.constant dense<0.5> : tensor<64x64xf32>
  %a = optc.cast %x : (tensor<12x64xf16>) -> tensor<12x64xf32>
  %b = optc.cast %z : (tensor<12x64xbf16>) -> tensor<12x64xf32>
  %c = optc.contract %a, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<12x64xf32>, tensor<64x64xf32>) -> tensor<12x64xf32>
  %d = optc.contract %b, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<12x64xf32>, tensor<64x64xf32>) -> tensor<12x64xf32>
  return %c, %d : tensor<12x64xf32>, tensor<12x64xf32>
}

// A GPU's products are rounded whatever their rows are, its convolutions whatever Winograd's algorithm would be worth.
// GPU-LABEL: @of_a_gpu
// GPU: %[[H:.*]] = optc.cast %arg0 : (tensor<1x64xf32>) -> tensor<1x64xbf16>
// GPU: %[[X:.*]] = optc.cast %[[H]]
// GPU: %[[G:.*]] = optc.cast %arg1 : (tensor<1x8x8x32xf32>) -> tensor<1x8x8x32xbf16>
// GPU: %[[I:.*]] = optc.cast %[[G]]
// GPU: optc.conv %[[I]]
// GPU: optc.contract %[[X]]
func.func @of_a_gpu(%x: tensor<1x64xf32>, %i: tensor<1x8x8x32xf32>) -> (tensor<1x64xf32>, tensor<1x6x6x32xf32>) {
  %w = optc.constant dense<0.5> : tensor<64x64xf32>
  %f = optc.constant dense<0.5> : tensor<3x3x32x32xf32>
  %z = optc.conv %i, %f {dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x8x8x32xf32>, tensor<3x3x32x32xf32>) -> tensor<1x6x6x32xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<1x64xf32>, tensor<64x64xf32>) -> tensor<1x64xf32>
  return %y, %z : tensor<1x64xf32>, tensor<1x6x6x32xf32>
}

// To tf32, operands stay f32: of weights and of activations, with batches; few rows, which reading the right operand takes, stay as they are.
// TF32-LABEL: @of_tensor_cores
// TF32-SAME: optc.lowered = [{node = "z", precision = "tf32, sums in f32"}, {node = "y", precision = "tf32, sums in f32"}]
// TF32-DAG: %[[W:.*]] = optc.constant dense<5.000000e-01> : tensor<64x64xf32>
// TF32-DAG: %[[X:.*]] = optc.round_tf32 %arg0 : (tensor<3x12x64xf32>)
// TF32-DAG: %[[K:.*]] = optc.round_tf32 %arg1 : (tensor<3x20x64xf32>)
// TF32-DAG: %[[I:.*]] = optc.round_tf32 %arg2
// TF32-DAG: %[[F:.*]] = optc.round_tf32 %{{.*}} : (tensor<3x3x32x32xf32>)
// TF32: optc.conv %[[I]], %[[F]] {{.*}}optc.tf32
// TF32: optc.contract %[[X]], %[[K]] {{.*}}optc.tf32
// TF32: optc.contract %arg3, %[[W]]
// TF32-NOT: optc.tf32
func.func @of_tensor_cores(%q: tensor<3x12x64xf32>, %k: tensor<3x20x64xf32>, %i: tensor<1x8x8x32xf32>, %p: tensor<8x64xf32>) -> (tensor<3x12x20xf32>, tensor<1x6x6x32xf32>, tensor<8x64xf32>) {
  %w = optc.constant dense<0.5> : tensor<64x64xf32>
  %f = optc.constant dense<0.5> : tensor<3x3x32x32xf32>
  %z = optc.conv %i, %f {dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x8x8x32xf32>, tensor<3x3x32x32xf32>) -> tensor<1x6x6x32xf32> loc("z")
  %y = optc.contract %q, %k {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 2>} : (tensor<3x12x64xf32>, tensor<3x20x64xf32>) -> tensor<3x12x20xf32> loc("y")
  %few = optc.contract %p, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  return %y, %z, %few : tensor<3x12x20xf32>, tensor<1x6x6x32xf32>, tensor<8x64xf32>
}
