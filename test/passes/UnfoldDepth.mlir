// RUN: optc-opt %s --unfold-depth | FileCheck %s

// Three taps along the first dim, two apart, every second place: three times the channels.
// CHECK-LABEL: func.func @three
// CHECK-DAG: %[[W:.*]] = optc.transpose %arg1 {permutation = array<i64: 1, 2, 0, 3, 4>}
// CHECK-DAG: %[[F:.*]] = optc.reshape %[[W]] {{.*}} -> tensor<3x3x12x8xf32>
// CHECK: %[[P:.*]] = optc.pad %arg0 {low = #optc.dims<[0, 1, 0, 0, 0]>{{.*}} -> tensor<?x11x6x6x4xf32
// CHECK-DAG: %[[A:.*]] = optc.slice %[[P]] {starts = #optc.dims<[0, 0, 0, 0, 0]>, strides = #optc.dims<[1, 2, 1, 1, 1]>{{.*}} -> tensor<?x4x6x6x4xf32
// CHECK-DAG: %[[B:.*]] = optc.slice %[[P]] {starts = #optc.dims<[0, 2, 0, 0, 0]>
// CHECK-DAG: %[[C:.*]] = optc.slice %[[P]] {starts = #optc.dims<[0, 4, 0, 0, 0]>
// CHECK: %[[S:.*]] = optc.concat %[[A]], %[[B]], %[[C]] {axis = 4 : i64}
// CHECK: %[[X:.*]] = optc.reshape %[[S]] {{.*}} -> tensor<?x6x6x12xf32, #optc.dims<["4*n", 6, 6, 12]>>
// CHECK: %[[Y:.*]] = optc.conv %[[X]], %[[F]] {{.*}}pads_high = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, strides = array<i64: 1, 1>
// CHECK: optc.reshape %[[Y]]
func.func @three(%x: tensor<?x9x6x6x4xf32, #optc.dims<["n", 9, 6, 6, 4]>>, %w: tensor<3x3x3x4x8xf32>) -> tensor<?x4x6x6x8xf32, #optc.dims<["n", 4, 6, 6, 8]>> {
  %y = optc.conv %x, %w {strides = array<i64: 2, 1, 1>, dilations = array<i64: 2, 1, 1>, pads_low = array<i64: 1, 1, 1>, pads_high = array<i64: 1, 1, 1>, groups = 1 : i64, layout = "nhwc"}
      : (tensor<?x9x6x6x4xf32, #optc.dims<["n", 9, 6, 6, 4]>>, tensor<3x3x3x4x8xf32>) -> tensor<?x4x6x6x8xf32, #optc.dims<["n", 4, 6, 6, 8]>>
  return %y : tensor<?x4x6x6x8xf32, #optc.dims<["n", 4, 6, 6, 8]>>
}

// Groups, single pixels and two dims stay.
// CHECK-LABEL: func.func @others
// CHECK-NOT: optc.concat
func.func @others(%x: tensor<1x5x6x6x4xf32>, %w: tensor<3x3x3x2x8xf32>, %v: tensor<1x1x1x4x8xf32>, %z: tensor<1x6x6x4xf32>, %u: tensor<3x3x4x8xf32>)
    -> (tensor<1x3x4x4x8xf32>, tensor<1x5x6x6x8xf32>, tensor<1x4x4x8xf32>) {
  %0 = optc.conv %x, %w {strides = array<i64: 1, 1, 1>, dilations = array<i64: 1, 1, 1>, pads_low = array<i64: 0, 0, 0>, pads_high = array<i64: 0, 0, 0>, groups = 2 : i64, layout = "nhwc"} : (tensor<1x5x6x6x4xf32>, tensor<3x3x3x2x8xf32>) -> tensor<1x3x4x4x8xf32>
  %1 = optc.conv %x, %v {strides = array<i64: 1, 1, 1>, dilations = array<i64: 1, 1, 1>, pads_low = array<i64: 0, 0, 0>, pads_high = array<i64: 0, 0, 0>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x5x6x6x4xf32>, tensor<1x1x1x4x8xf32>) -> tensor<1x5x6x6x8xf32>
  %2 = optc.conv %z, %u {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x6x6x4xf32>, tensor<3x3x4x8xf32>) -> tensor<1x4x4x8xf32>
  return %0, %1, %2 : tensor<1x3x4x4x8xf32>, tensor<1x5x6x6x8xf32>, tensor<1x4x4x8xf32>
}
