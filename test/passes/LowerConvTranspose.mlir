// RUN: optc-opt --lower-conv-transpose %s | FileCheck %s
// RUN: optc-opt --optc-default %s | FileCheck %s --check-prefix=KERNELS

// Four phases of two by two taps; the bias, one number a channel, goes before the weaving.
// CHECK-LABEL: func.func @twice
// CHECK: %[[W:.*]] = optc.slice {{.*}} strides = #optc.dims<[1, 1, -1, 1, -1, 1]>
// CHECK: %[[P:.*]] = optc.transpose %[[W]] {permutation = array<i64: 2, 4, 0, 3, 5, 1>}
// CHECK: %[[C:.*]] = optc.conv {{.*}}pads_high = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, strides = array<i64: 1, 1>} : (tensor<1x5x6x4xf32>, tensor<2x2x4x12xf32>) -> tensor<1x6x7x12xf32>
// CHECK: %[[S:.*]] = optc.add %[[C]]
// CHECK: optc.reshape %[[S]] : (tensor<1x6x7x12xf32>) -> tensor<1x6x7x2x2x3xf32>
// CHECK: optc.slice {{.*}}starts = #optc.dims<[0, 1, 1, 0]>{{.*}} -> tensor<1x10x12x3xf32>
// KERNELS-LABEL: func.func @twice
// KERNELS: optc.kernel "conv"
// KERNELS-NOT: optc.conv_transpose
// KERNELS: return
func.func @twice(%x: tensor<1x4x5x6xf32>) -> tensor<1x3x10x12xf32> {
  %w = optc.constant dense<3.0> : tensor<4x3x4x4xf32>
  %bias = optc.constant dense<[[[1.0]], [[2.0]], [[3.0]]]> : tensor<3x1x1xf32>
  %c = optc.conv_transpose %x, %w {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64} : (tensor<1x4x5x6xf32>, tensor<4x3x4x4xf32>) -> tensor<1x3x10x12xf32>
  %b = optc.broadcast %bias : (tensor<3x1x1xf32>) -> tensor<1x3x10x12xf32>
  %s = optc.add %c, %b : (tensor<1x3x10x12xf32>, tensor<1x3x10x12xf32>) -> tensor<1x3x10x12xf32>
  return %s : tensor<1x3x10x12xf32>
}

// Taps are filled up with the zero point; weights stay codes with a scale for each channel of each phase.
// CHECK-LABEL: func.func @codes
// CHECK: optc.pad %{{.*}}, %{{.*}} {low = {{.*}} -> tensor<4x3x4xi8>
// CHECK: %[[B:.*]] = optc.dequantize {{.*}} -> tensor<2x4x6xf32>
// CHECK: optc.conv %{{.*}}, %[[B]] {{.*}} -> tensor<1x6x6xf32>
func.func @codes(%x: tensor<1x4x5xf32>) -> tensor<1x3x11xf32> {
  %k = optc.constant dense<[[1], [2], [3]]> : tensor<3x1xi8>
  %kw = optc.broadcast %k : (tensor<3x1xi8>) -> tensor<4x3x3xi8>
  %scales = optc.constant dense<[[1.0], [2.0], [4.0]]> : tensor<3x1xf32>
  %sw = optc.broadcast %scales : (tensor<3x1xf32>) -> tensor<4x3x3xf32>
  %zw = optc.constant dense<5> : tensor<4x3x3xi8>
  %b = optc.dequantize %kw, %sw, %zw : (tensor<4x3x3xi8>, tensor<4x3x3xf32>, tensor<4x3x3xi8>) -> tensor<4x3x3xf32>
  %c = optc.conv_transpose %x, %b {strides = array<i64: 2>, dilations = array<i64: 1>, pads_low = array<i64: 0>, pads_high = array<i64: 0>, output_padding = array<i64: 0>, groups = 1 : i64} : (tensor<1x4x5xf32>, tensor<4x3x3xf32>) -> tensor<1x3x11xf32>
  return %c : tensor<1x3x11xf32>
}

// Groups stay.
// CHECK-LABEL: func.func @groups
// CHECK: optc.conv_transpose
func.func @groups(%x: tensor<1x4x5xf32>) -> tensor<1x4x10xf32> {
  %w = optc.constant dense<3.0> : tensor<4x2x2xf32>
  %c = optc.conv_transpose %x, %w {strides = array<i64: 2>, dilations = array<i64: 1>, pads_low = array<i64: 0>, pads_high = array<i64: 0>, output_padding = array<i64: 0>, groups = 2 : i64} : (tensor<1x4x5xf32>, tensor<4x2x2xf32>) -> tensor<1x4x10xf32>
  return %c : tensor<1x4x10xf32>
}
