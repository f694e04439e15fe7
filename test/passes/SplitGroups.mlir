// RUN: optc-opt %s --split-groups | FileCheck %s
// RUN: optc-opt %s --split-groups --propagate-quantization --lower-qdq --canonicalize | FileCheck %s --check-prefix=BYTES

// Two groups of eight channels are two convolutions.
// CHECK-LABEL: func.func @two
// CHECK-DAG: %[[X0:.*]] = optc.slice %arg0 {starts = #optc.dims<[0, 0, 0, 0]>{{.*}} -> tensor<1x6x6x8xf32>
// CHECK-DAG: %[[X1:.*]] = optc.slice %arg0 {starts = #optc.dims<[0, 0, 0, 8]>{{.*}} -> tensor<1x6x6x8xf32>
// CHECK-DAG: %[[W0:.*]] = optc.slice %{{.*}} {starts = #optc.dims<[0, 0, 0, 0]>{{.*}} -> tensor<3x3x8x2xf32>
// CHECK-DAG: %[[W1:.*]] = optc.slice %{{.*}} {starts = #optc.dims<[0, 0, 0, 2]>{{.*}} -> tensor<3x3x8x2xf32>
// CHECK-DAG: %[[Y0:.*]] = optc.conv %[[X0]], %[[W0]] {{.*}}groups = 1{{.*}} -> tensor<1x4x4x2xf32>
// CHECK-DAG: %[[Y1:.*]] = optc.conv %[[X1]], %[[W1]] {{.*}}groups = 1{{.*}} -> tensor<1x4x4x2xf32>
// CHECK: optc.concat %[[Y0]], %[[Y1]] {axis = 3 : i64}
func.func @two(%x: tensor<1x6x6x16xf32>) -> tensor<1x4x4x4xf32> {
  %w = optc.constant dense<1.0> : tensor<3x3x8x4xf32>
  %y = optc.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 2 : i64, layout = "nhwc"} : (tensor<1x6x6x16xf32>, tensor<3x3x8x4xf32>) -> tensor<1x4x4x4xf32>
  return %y : tensor<1x4x4x4xf32>
}

// Depthwise ones, and filters that are not constant, stay.
// CHECK-LABEL: func.func @others
// CHECK: groups = 4
// CHECK: groups = 2
func.func @others(%x: tensor<1x6x6x4xf32>, %v: tensor<3x3x2x4xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) {
  %w = optc.constant dense<1.0> : tensor<3x3x1x4xf32>
  %y = optc.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 4 : i64, layout = "nhwc"} : (tensor<1x6x6x4xf32>, tensor<3x3x1x4xf32>) -> tensor<1x4x4x4xf32>
  %z = optc.conv %x, %v {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 2 : i64, layout = "nhwc"} : (tensor<1x6x6x4xf32>, tensor<3x3x2x4xf32>) -> tensor<1x4x4x4xf32>
  return %y, %z : tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>
}

// Of codes, they are products of bytes.
// BYTES-LABEL: func.func @codes
// BYTES: optc.slice %arg0 {{.*}} -> tensor<1x6x6x8xui8>
// BYTES: optc.conv {{.*}} -> tensor<1x4x4x2xi32>
// BYTES: optc.conv {{.*}} -> tensor<1x4x4x2xi32>
func.func @codes(%q: tensor<1x6x6x16xui8>) -> tensor<1x4x4x4xf32> {
  %w = optc.constant dense<3> : tensor<3x3x8x4xi8>
  %s = optc.constant dense<0.5> : tensor<1x6x6x16xf32>
  %c = optc.constant dense<[0.25, 0.5, 1.0, 2.0]> : tensor<4xf32>
  %sw = optc.broadcast %c : (tensor<4xf32>) -> tensor<3x3x8x4xf32>
  %x = optc.dequantize %q, %s : (tensor<1x6x6x16xui8>, tensor<1x6x6x16xf32>) -> tensor<1x6x6x16xf32>
  %v = optc.dequantize %w, %sw : (tensor<3x3x8x4xi8>, tensor<3x3x8x4xf32>) -> tensor<3x3x8x4xf32>
  %y = optc.conv %x, %v {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 2 : i64, layout = "nhwc"} : (tensor<1x6x6x16xf32>, tensor<3x3x8x4xf32>) -> tensor<1x4x4x4xf32>
  return %y : tensor<1x4x4x4xf32>
}
