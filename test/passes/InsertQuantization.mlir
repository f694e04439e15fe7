// RUN: optc-opt --insert-quantization %s | FileCheck %s
// RUN: optc-opt --insert-quantization=dynamic=true %s | FileCheck %s --check-prefix=DYNAMIC

// A relu between two convolutions: codes of the relu's result, none between the first convolution and the relu; weights
// by the output channel. The bias and the model's result stay floats.
// CHECK-LABEL: @convolutions
// CHECK-SAME: %[[X:.*]]: tensor<1x3x8x8xf32> {optc.name = "x"}
// CHECK: optc.constant dense<0.00999999977> : tensor<f32>
// CHECK: optc.constant dense<100> : tensor<ui8>
// CHECK: optc.quantize %[[X]], %{{.*}}, %{{.*}} -> tensor<1x3x8x8xui8>
// CHECK: %[[W:.*]] = optc.quantize %{{.*}}, %{{.*}} : (tensor<4x3x1x1xf32>, tensor<4x3x1x1xf32>) -> tensor<4x3x1x1xi8>
// CHECK: %[[V:.*]] = optc.dequantize %[[W]], %{{.*}} : (tensor<4x3x1x1xi8>, tensor<4x3x1x1xf32>) -> tensor<4x3x1x1xf32>
// CHECK: %[[C:.*]] = optc.conv %{{.*}}, %[[V]]
// CHECK-NEXT: optc.broadcast
// CHECK: %[[B:.*]] = optc.add %[[C]]
// CHECK: %[[R:.*]] = optc.max %[[B]]
// CHECK: %[[Q:.*]] = optc.quantize %[[R]]
// CHECK: %[[D:.*]] = optc.dequantize %[[Q]]
// CHECK: optc.conv %[[D]]
// CHECK: return %{{.*}}, %[[R]]
// CHECK-NOT: optc.range
func.func @convolutions(%x: tensor<1x3x8x8xf32> {optc.name = "x", optc.range = array<f64: -1.0, 1.55>}) -> (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>)
{
  %w = optc.constant dense<[[[[1.0]], [[2.0]], [[3.0]]], [[[1.0]], [[2.0]], [[3.0]]], [[[1.0]], [[2.0]], [[3.0]]], [[[1.0]], [[2.0]], [[3.0]]]]> : tensor<4x3x1x1xf32>
  %v = optc.constant dense<1.0> : tensor<4x4x1x1xf32>
  %b = optc.constant dense<2.0> : tensor<4x1x1xf32>
  %z = optc.constant dense<0.0> : tensor<1x4x8x8xf32>
  %0 = optc.conv %x, %w {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  %1 = optc.broadcast %b : (tensor<4x1x1xf32>) -> tensor<1x4x8x8xf32>
  %2 = optc.add %0, %1 : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %3 = optc.max %2, %z {optc.range = array<f64: 0.0, 2.55>} : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %4 = optc.conv %3, %v {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %4, %3 : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>
}

// A residual: what the first convolution writes to memory is quantised for the addition that the last one takes up, and
// its value before the addition is not. What a concat joins has one scale.
// CHECK-LABEL: @residual
// CHECK: %[[A:.*]] = optc.conv
// CHECK: optc.quantize %[[A]]
// CHECK: %[[B:.*]] = optc.conv
// CHECK-NOT: optc.quantize %[[B]]
// CHECK: %[[S:.*]] = optc.add
// CHECK: optc.constant dense<2.000000e-02> : tensor<f32>
// CHECK: optc.quantize %[[S]]
// CHECK: %[[T:.*]] = optc.concat
// CHECK: optc.conv %[[T]]
func.func @residual(%x: tensor<1x2x8x8xf32> {optc.range = array<f64: 0.0, 5.1>}, %y: tensor<1x2x8x8xf32> {optc.range = array<f64: 0.0, 2.55>}) -> tensor<1x2x8x8xf32> {
  %w = optc.constant dense<1.0> : tensor<2x2x1x1xf32>
  %v = optc.constant dense<1.0> : tensor<2x4x1x1xf32>
  %0 = optc.conv %y, %w {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>, optc.range = array<f64: -1.0, 1.0>} : (tensor<1x2x8x8xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x8x8xf32>
  %1 = optc.conv %y, %w {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>, optc.range = array<f64: -1.0, 1.0>} : (tensor<1x2x8x8xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x8x8xf32>
  %2 = optc.add %1, %0 {optc.range = array<f64: 0.0, 1.0>} : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %3 = optc.concat %2, %x {axis = 1 : i64} : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1x4x8x8xf32>
  %4 = optc.conv %3, %v {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<2x4x1x1xf32>) -> tensor<1x2x8x8xf32>
  return %4 : tensor<1x2x8x8xf32>
}

// Without a range: kept, with the reason, or taken from the tensor itself. A product of two activations needs both.
// CHECK-LABEL: @unknown
// CHECK-SAME: optc.kept = [{node = "optc.contract", reason = "the range of what it reads is not known, it takes calibration data that gets there"}
// CHECK-SAME: reason = "asked for"}
// CHECK-NOT: optc.quantize
// DYNAMIC-LABEL: @unknown
// DYNAMIC-SAME: optc.lowered = [{node = "optc.contract", precision = "int8"}]
// DYNAMIC-DAG: %[[LOW:.*]] = optc.reduce %arg0 {axes = array<i64: 0, 1>, kind = "min"}
// DYNAMIC-DAG: %[[HIGH:.*]] = optc.reduce %arg0 {axes = array<i64: 0, 1>, kind = "max"}
// DYNAMIC: %[[Q:.*]] = optc.quantize %arg0, %{{.*}}, %{{.*}} -> tensor<?x4xui8
// DYNAMIC: %[[D:.*]] = optc.dequantize %[[Q]]
// DYNAMIC: %[[P:.*]] = optc.contract %[[D]], %{{.*}}
// The format of weights goes by the attribute, too.
// DYNAMIC: optc.contract %[[P]], %{{[^ ]*}} {{.*}}optc.keep_float = "asked for"{{.*}} : (tensor<?x4xf32, #optc.dims<["n", 4]>>, tensor<4x4xf32>)
func.func @unknown(%x: tensor<?x4xf32, #optc.dims<["n", 4]>>) -> (tensor<?x4xf32, #optc.dims<["n", 4]>>, tensor<?x?xf32, #optc.dims<["n", "n"]>>) {
  %w = optc.constant dense<1.0> : tensor<4x4xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<?x4xf32, #optc.dims<["n", 4]>>, tensor<4x4xf32>) -> tensor<?x4xf32, #optc.dims<["n", 4]>>
  %1 = optc.contract %0, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>, optc.keep_float = "asked for"} : (tensor<?x4xf32, #optc.dims<["n", 4]>>, tensor<4x4xf32>) -> tensor<?x4xf32, #optc.dims<["n", 4]>>
  %2 = optc.contract %1, %x {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 1>} : (tensor<?x4xf32, #optc.dims<["n", 4]>>, tensor<?x4xf32, #optc.dims<["n", 4]>>) -> tensor<?x?xf32, #optc.dims<["n", "n"]>>
  return %1, %2 : tensor<?x4xf32, #optc.dims<["n", 4]>>, tensor<?x?xf32, #optc.dims<["n", "n"]>>
}

// In a branch and in a loop: what they read from around them is quantised there, what they take or compute within them. What
// they yield stays as it is.
// CHECK-LABEL: @regions
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x4xf32>
// CHECK: optc.quantize %[[X]]
// CHECK: optc.if
// CHECK: %[[P:.*]] = optc.contract %{{.*}}, %{{.*}} {
// CHECK: %[[R:.*]] = optc.max %[[P]]
// CHECK: optc.quantize %[[R]]
// CHECK: optc.contract
// CHECK: optc.yield %{{.*}}, %[[R]]
// CHECK: else
// CHECK: optc.yield %[[X]], %[[X]]
// CHECK: optc.loop
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<i64>, %[[STATE:.*]]: tensor<2x4xf32>):
// CHECK: optc.quantize %[[STATE]]
// CHECK: optc.contract
// CHECK-NOT: optc.range
// CHECK: return
func.func @regions(%x: tensor<2x4xf32> {optc.range = array<f64: -1.0, 1.55>}, %c: tensor<i1>, %n: tensor<i64>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) {
  %w = optc.constant dense<2.0> : tensor<4x4xf32>
  %z = optc.constant dense<0.0> : tensor<2x4xf32>
  %yes = optc.constant dense<true> : tensor<i1>
  %0:2 = optc.if %c : (tensor<i1>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
    %1 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    %2 = optc.max %1, %z {optc.range = array<f64: 0.0, 5.1>} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %3 = optc.contract %2, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    optc.yield %3, %2 : tensor<2x4xf32>, tensor<2x4xf32>
  } else {
    optc.yield %x, %x : tensor<2x4xf32>, tensor<2x4xf32>
  }
  %4 = optc.loop trips %n init(%x) attributes {optc.range.argument1 = array<f64: -3.0, 3.0>} : (tensor<i64>, tensor<2x4xf32>) -> tensor<2x4xf32> {
  ^bb0(%i: tensor<i64>, %state: tensor<2x4xf32>):
    %5 = optc.contract %state, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    optc.yield %yes, %5 : tensor<i1>, tensor<2x4xf32>
  }
  return %0#0, %0#1, %4 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}

// A bias takes up what is to be added to its layer; a layer without one gets it.
// CHECK-LABEL: @correction
// CHECK: %[[A:.*]] = optc.contract
// CHECK: %[[S:.*]] = optc.add %{{.*}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK: %[[B:.*]] = optc.broadcast %[[S]]
// CHECK: %[[R:.*]] = optc.add %[[A]], %[[B]]
// CHECK: %[[Y:.*]] = optc.contract
// CHECK: optc.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]>
// CHECK: %[[Z:.*]] = optc.add %[[Y]]
// CHECK: return %[[Z]]
func.func @correction(%x: tensor<2x4xf32> {optc.range = array<f64: -1.0, 1.55>}) -> tensor<2x4xf32> {
  %w = optc.constant dense<2.0> : tensor<4x4xf32>
  %b = optc.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>, optc.bias_correction = array<f32: 1.0, 2.0, 3.0, 4.0>} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %1 = optc.broadcast %b : (tensor<4xf32>) -> tensor<2x4xf32>
  %2 = optc.add %0, %1 {optc.range = array<f64: -1.0, 1.0>} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = optc.contract %2, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>, optc.bias_correction = array<f32: 1.0, 2.0, 3.0, 4.0>} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  return %3 : tensor<2x4xf32>
}

// Attention reads codes of its own parts of a tensor, and rounds its probabilities; heads of odd sizes stay floats.
// CHECK-LABEL: @attention
// CHECK: %[[Q:.*]] = optc.slice %arg0
// CHECK: optc.constant dense<0.00999999977> : tensor<f32>
// CHECK: optc.quantize %[[Q]]
// CHECK: %[[K:.*]] = optc.slice %arg0
// CHECK: optc.constant dense<2.000000e-02> : tensor<f32>
// CHECK: optc.quantize %[[K]]
// CHECK: optc.attention {{.*}}optc.probability_steps = 255
// CHECK: optc.attention %arg1, %arg1, %arg1 {scale = 1.000000e+00 : f64}
func.func @attention(%x: tensor<1x2x32x32xf32>, %odd: tensor<1x2x32x6xf32> {optc.range = array<f64: 0.0, 1.0>}) -> (tensor<1x2x32x16xf32>, tensor<1x2x32x6xf32>) {
  %q = optc.slice %x {starts = #optc.dims<[0, 0, 0, 0]>, strides = #optc.dims<[1, 1, 1, 1]>, optc.range = array<f64: -1.0, 1.55>} : (tensor<1x2x32x32xf32>) -> tensor<1x2x32x16xf32>
  %k = optc.slice %x {starts = #optc.dims<[0, 0, 0, 16]>, strides = #optc.dims<[1, 1, 1, 1]>, optc.range = array<f64: 0.0, 5.1>} : (tensor<1x2x32x32xf32>) -> tensor<1x2x32x16xf32>
  %y = optc.attention %q, %k, %k {scale = 0.25 : f64} : (tensor<1x2x32x16xf32>, tensor<1x2x32x16xf32>, tensor<1x2x32x16xf32>) -> tensor<1x2x32x16xf32>
  %o = optc.attention %odd, %odd, %odd {scale = 1.0 : f64} : (tensor<1x2x32x6xf32>, tensor<1x2x32x6xf32>, tensor<1x2x32x6xf32>) -> tensor<1x2x32x6xf32>
  return %y, %o : tensor<1x2x32x16xf32>, tensor<1x2x32x6xf32>
}
