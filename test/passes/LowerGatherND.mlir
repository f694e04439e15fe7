// RUN: optc-opt --lower-gather-nd %s | FileCheck %s

// CHECK-LABEL: @pairs
// CHECK-DAG: %[[FIRST:.*]] = optc.slice %arg1 {starts = #optc.dims<[0, 0]>
// CHECK-DAG: %[[SECOND:.*]] = optc.slice %arg1 {starts = #optc.dims<[0, 1]>
// CHECK: %[[INDEX:.*]] = optc.select %{{.*}} -> tensor<4xi64>
// CHECK: %[[ROWS:.*]] = optc.reshape %arg0 {{.*}} -> tensor<15x2xf32>
// CHECK: optc.gather %[[ROWS]], %{{.*}} {axis = 0 : i64} {{.*}} -> tensor<4x2xf32>
func.func @pairs(%x: tensor<3x5x2xf32>, %i: tensor<4x2xi64>) -> tensor<4x2xf32> {
  %y = optc.gather_nd %x, %i {batch_dims = 0 : i64} : (tensor<3x5x2xf32>, tensor<4x2xi64>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// CHECK-LABEL: @batched
// CHECK: optc.gather_nd
func.func @batched(%x: tensor<3x5x2xf32>, %i: tensor<3x1xi64>) -> tensor<3x2xf32> {
  %y = optc.gather_nd %x, %i {batch_dims = 1 : i64} : (tensor<3x5x2xf32>, tensor<3x1xi64>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}
