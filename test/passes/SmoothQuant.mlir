// RUN: optc-opt --smooth-quant --fold-constants --canonicalize %s | FileCheck %s
// RUN: optc-opt --smooth-quant=alpha=1.0 --fold-constants --canonicalize %s | FileCheck %s --check-prefix=ALL

// Channel 0 reaches 16, channel 1 reaches 1; the weights are alike. Half of the ratio's exponent goes to them, or all of it.
// CHECK-LABEL: @both
// CHECK-DAG: %[[G:.*]] = optc.constant dense<[2.500000e-01, 1.000000e+00]> : tensor<2xf32>
// CHECK-DAG: %[[B:.*]] = optc.constant dense<[5.000000e-01, 3.000000e+00]> : tensor<2xf32>
// CHECK-DAG: %[[W:.*]] = optc.constant dense<{{\[\[}}4.000000e+00, 4.000000e+00], [1.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>
// CHECK: optc.normalize %{{.*}} scale %[[G]] bias %[[B]]
// CHECK: optc.contract %{{.*}}, %[[W]]
// ALL-LABEL: @both
// ALL-DAG: optc.constant dense<[6.250000e-02, 1.000000e+00]> : tensor<2xf32>
func.func @both(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %g = optc.constant dense<1.0> : tensor<2xf32>
  %b = optc.constant dense<[2.0, 3.0]> : tensor<2xf32>
  %w = optc.constant dense<1.0> : tensor<2x2xf32>
  %0 = optc.normalize %x scale %g bias %b {axis = 1 : i64, epsilon = 1.0e-05 : f64, kind = "layer", optc.channel_max = array<f32: 16.0, 1.0>} : (tensor<3x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  %1 = optc.contract %0, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}

// What else reads it (a residual) would have to be scaled back: left alone.
// CHECK-LABEL: @residual
// CHECK: optc.normalize %arg0 {
// CHECK-NOT: optc.channel_max
func.func @residual(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = optc.constant dense<1.0> : tensor<2x2xf32>
  %0 = optc.normalize %x {axis = 1 : i64, epsilon = 1.0e-05 : f64, kind = "rms", optc.channel_max = array<f32: 16.0, 1.0>} : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = optc.contract %0, %w {lhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_batch = array<i64>, rhs_contract = array<i64: 0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %2 = optc.add %0, %1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return %2 : tensor<3x2xf32>
}
