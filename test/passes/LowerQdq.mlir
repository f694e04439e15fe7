// RUN: optc-opt %s --lower-qdq --canonicalize | FileCheck %s

// Bytes are multiplied, the zero point of the rows taken off a column's sum, one factor a column; what is quantised after it is
// divided by its scale before the bias, so that one rounding remains.
// CHECK-LABEL: func.func @contract
// CHECK: %[[P:.*]] = optc.contract %arg0, %{{.*}} : (tensor<?x3xui8{{.*}}>, tensor<3x2xi8>) -> tensor<?x2xi32
// CHECK: %[[C:.*]] = optc.sub %[[P]]
// CHECK: %[[F:.*]] = optc.cast %[[C]] {{.*}} -> tensor<?x2xf32
// CHECK: %[[M:.*]] = optc.mul %[[F]]
// CHECK: %[[A:.*]] = optc.add %[[M]]
// CHECK: optc.quantize %[[A]]
!x = tensor<?x3xui8, #optc.dims<["n", 3]>>
!xf = tensor<?x3xf32, #optc.dims<["n", 3]>>
!y = tensor<?x2xf32, #optc.dims<["n", 2]>>
!yq = tensor<?x2xui8, #optc.dims<["n", 2]>>
func.func @contract(%x: !x) -> !yq {
  %w = optc.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8>
  %sx = optc.constant dense<0.5> : tensor<f32>
  %zx = optc.constant dense<7> : tensor<ui8>
  %sw = optc.constant dense<[0.25, 0.125]> : tensor<2xf32>
  %sy = optc.constant dense<2.0> : tensor<f32>
  %bias = optc.constant dense<[1.0, 3.0]> : tensor<2xf32>
  %a = optc.broadcast %sx : (tensor<f32>) -> !xf
  %b = optc.broadcast %zx : (tensor<ui8>) -> !x
  %c = optc.dequantize %x, %a, %b : (!x, !xf, !x) -> !xf
  %d = optc.broadcast %sw : (tensor<2xf32>) -> tensor<3x2xf32>
  %e = optc.dequantize %w, %d : (tensor<3x2xi8>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %f = optc.contract %c, %e {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (!xf, tensor<3x2xf32>) -> !y
  %g = optc.broadcast %bias : (tensor<2xf32>) -> !y
  %h = optc.add %f, %g : (!y, !y) -> !y
  %i = optc.broadcast %sy : (tensor<f32>) -> !y
  %j = optc.quantize %h, %i : (!y, !y) -> !yq
  return %j : !yq
}

// Padding has the value of the zero point; signed rows become unsigned where they are quantised.
// CHECK-LABEL: func.func @conv
// CHECK: %[[Q:.*]] = optc.quantize %arg0, {{.*}} -> tensor<1x4x4x2xui8>
// CHECK: %[[P:.*]] = optc.pad %[[Q]]
// CHECK: optc.conv %[[P]], {{.*}} pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, {{.*}} (tensor<1x6x6x2xui8>, tensor<3x3x2x1xi8>) -> tensor<1x4x4x1xi32>
func.func @conv(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x1xf32> {
  %w = optc.constant dense<3> : tensor<3x3x2x1xi8>
  %s = optc.constant dense<0.5> : tensor<1x4x4x2xf32>
  %z = optc.constant dense<-5> : tensor<1x4x4x2xi8>
  %sw = optc.constant dense<0.25> : tensor<3x3x2x1xf32>
  %q = optc.quantize %x, %s, %z : (tensor<1x4x4x2xf32>, tensor<1x4x4x2xf32>, tensor<1x4x4x2xi8>) -> tensor<1x4x4x2xi8>
  %a = optc.dequantize %q, %s, %z : (tensor<1x4x4x2xi8>, tensor<1x4x4x2xf32>, tensor<1x4x4x2xi8>) -> tensor<1x4x4x2xf32>
  %b = optc.dequantize %w, %sw : (tensor<3x3x2x1xi8>, tensor<3x3x2x1xf32>) -> tensor<3x3x2x1xf32>
  %c = optc.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x4x4x2xf32>, tensor<3x3x2x1xf32>) -> tensor<1x4x4x1xf32>
  return %c : tensor<1x4x4x1xf32>
}

// A depthwise convolution of bytes.
// CHECK-LABEL: func.func @depthwise
// CHECK: optc.conv %arg0, {{.*}} groups = 2 {{.*}} (tensor<1x4x4x2xui8>, tensor<3x3x1x2xi8>) -> tensor<1x2x2x2xi32>
// CHECK: optc.mul
func.func @depthwise(%x: tensor<1x4x4x2xui8>) -> tensor<1x2x2x2xf32> {
  %w = optc.constant dense<3> : tensor<3x3x1x2xi8>
  %s = optc.constant dense<0.5> : tensor<1x4x4x2xf32>
  %sw = optc.constant dense<0.25> : tensor<3x3x1x2xf32>
  %a = optc.dequantize %x, %s : (tensor<1x4x4x2xui8>, tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %b = optc.dequantize %w, %sw : (tensor<3x3x1x2xi8>, tensor<3x3x1x2xf32>) -> tensor<3x3x1x2xf32>
  %c = optc.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 2 : i64, layout = "nhwc"} : (tensor<1x4x4x2xf32>, tensor<3x3x1x2xf32>) -> tensor<1x2x2x2xf32>
  return %c : tensor<1x2x2x2xf32>
}

// With a zero point of the weights it computes the same whole numbers in f32.
// CHECK-LABEL: func.func @depthwiseZero
// CHECK: optc.cast %arg0 {{.*}} -> tensor<1x4x4x2xf32>
// CHECK: optc.conv {{.*}} groups = 2 {{.*}} -> tensor<1x2x2x2xf32>
// CHECK: optc.mul
func.func @depthwiseZero(%x: tensor<1x4x4x2xui8>) -> tensor<1x2x2x2xf32> {
  %w = optc.constant dense<3> : tensor<3x3x1x2xi8>
  %zw = optc.constant dense<1> : tensor<3x3x1x2xi8>
  %s = optc.constant dense<0.5> : tensor<1x4x4x2xf32>
  %sw = optc.constant dense<0.25> : tensor<3x3x1x2xf32>
  %a = optc.dequantize %x, %s : (tensor<1x4x4x2xui8>, tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %b = optc.dequantize %w, %sw, %zw : (tensor<3x3x1x2xi8>, tensor<3x3x1x2xf32>, tensor<3x3x1x2xi8>) -> tensor<3x3x1x2xf32>
  %c = optc.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 2 : i64, layout = "nhwc"} : (tensor<1x4x4x2xf32>, tensor<3x3x1x2xf32>) -> tensor<1x2x2x2xf32>
  return %c : tensor<1x2x2x2xf32>
}

// A zero point a channel takes its multiple of the sums over windows off.
// CHECK-LABEL: func.func @filterZeros
// CHECK-DAG: optc.conv %arg0, %{{.*}} groups = 1 {{.*}} -> tensor<1x2x2x3xi32>
// CHECK-DAG: %[[SUMS:.*]] = optc.conv %arg0, %{{.*}} groups = 1 {{.*}} (tensor<1x4x4x2xui8>, tensor<3x3x2x1xi8>) -> tensor<1x2x2x1xi32>
// CHECK: optc.broadcast %[[SUMS]]
// CHECK: optc.sub
func.func @filterZeros(%x: tensor<1x4x4x2xui8>) -> tensor<1x2x2x3xf32> {
  %w = optc.constant dense<3> : tensor<3x3x2x3xi8>
  %three = optc.constant dense<[1, -2, 0]> : tensor<3xi8>
  %zw = optc.broadcast %three : (tensor<3xi8>) -> tensor<3x3x2x3xi8>
  %s = optc.constant dense<0.5> : tensor<1x4x4x2xf32>
  %sw = optc.constant dense<0.25> : tensor<3x3x2x3xf32>
  %a = optc.dequantize %x, %s : (tensor<1x4x4x2xui8>, tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %b = optc.dequantize %w, %sw, %zw : (tensor<3x3x2x3xi8>, tensor<3x3x2x3xf32>, tensor<3x3x2x3xi8>) -> tensor<3x3x2x3xf32>
  %c = optc.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x4x4x2xf32>, tensor<3x3x2x3xf32>) -> tensor<1x2x2x3xf32>
  return %c : tensor<1x2x2x3xf32>
}

// A scale that varies along k is not of a column: the product stays one of floats.
// CHECK-LABEL: func.func @alongK
// CHECK: optc.contract {{.*}} -> tensor<1x2xf32>
func.func @alongK(%x: tensor<1x3xui8>, %sw: tensor<3x1xf32>) -> tensor<1x2xf32> {
  %w = optc.constant dense<1> : tensor<3x2xi8>
  %s = optc.constant dense<0.5> : tensor<1x3xf32>
  %a = optc.dequantize %x, %s : (tensor<1x3xui8>, tensor<1x3xf32>) -> tensor<1x3xf32>
  %d = optc.broadcast %sw : (tensor<3x1xf32>) -> tensor<3x2xf32>
  %b = optc.dequantize %w, %d : (tensor<3x2xi8>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %c = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  return %c : tensor<1x2xf32>
}

// What is to stay in floats does, and the report says why.
// CHECK-LABEL: func.func @kept
// CHECK-SAME: optc.kept = [{node = "c", reason = "faster"}]
// CHECK: optc.conv {{.*}} -> tensor<1x16x16x16xf32>
// CHECK-NOT: optc.compute_float
func.func @kept(%x: tensor<1x16x16x16xui8>) -> tensor<1x16x16x16xf32> {
  %w = optc.constant dense<3> : tensor<3x3x16x16xi8>
  %s = optc.constant dense<0.5> : tensor<1x16x16x16xf32>
  %sw = optc.constant dense<0.25> : tensor<3x3x16x16xf32>
  %a = optc.dequantize %x, %s : (tensor<1x16x16x16xui8>, tensor<1x16x16x16xf32>) -> tensor<1x16x16x16xf32>
  %b = optc.dequantize %w, %sw : (tensor<3x3x16x16xi8>, tensor<3x3x16x16xf32>) -> tensor<3x3x16x16xf32>
  %c = optc.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", optc.compute_float = "faster"} : (tensor<1x16x16x16xf32>, tensor<3x3x16x16xf32>) -> tensor<1x16x16x16xf32> loc("c")
  return %c : tensor<1x16x16x16xf32>
}

// A zero point for each column of the weights: its multiple of the row's sum comes off.
// CHECK-LABEL: func.func @column_zeros
// CHECK: %[[P:.*]] = optc.contract %arg0, %{{.*}} -> tensor<4x2xi32>
// CHECK: %[[R:.*]] = optc.reduce %{{.*}} {{.*}} -> tensor<4xi32>
// CHECK: optc.mul %{{.*}} : (tensor<4x2xi32>, tensor<4x2xi32>) -> tensor<4x2xi32>
// CHECK: optc.sub %{{.*}} : (tensor<4x2xi32>, tensor<4x2xi32>) -> tensor<4x2xi32>
func.func @column_zeros(%x: tensor<4x3xui8>) -> tensor<4x2xf32> {
  %w = optc.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8>
  %z = optc.constant dense<[1, -2]> : tensor<2xi8>
  %zw = optc.broadcast %z : (tensor<2xi8>) -> tensor<3x2xi8>
  %s = optc.constant dense<0.5> : tensor<4x3xf32>
  %sw = optc.constant dense<0.25> : tensor<3x2xf32>
  %a = optc.dequantize %x, %s : (tensor<4x3xui8>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %b = optc.dequantize %w, %sw, %zw : (tensor<3x2xi8>, tensor<3x2xf32>, tensor<3x2xi8>) -> tensor<3x2xf32>
  %c = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
  return %c : tensor<4x2xf32>
}
