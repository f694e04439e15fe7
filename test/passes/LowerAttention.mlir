// RUN: optc-opt --lower-attention %s | FileCheck %s

// Two heads share a group: their queries are rows of one product.
// CHECK-LABEL: @grouped
// CHECK: %[[Q:.*]] = optc.reshape %arg0 {{.*}} -> tensor<1x2x10x8xf32>
// CHECK: %[[S:.*]] = optc.contract %[[Q]], %arg1 {{.*}} -> tensor<1x2x10x7xf32>
// CHECK: %[[H:.*]] = optc.reshape %[[S]] {{.*}} -> tensor<1x4x5x7xf32>
// CHECK: %[[SCALED:.*]] = optc.mul %[[H]]
// CHECK: %[[MASKED:.*]] = optc.add %[[SCALED]]
// CHECK: %[[P:.*]] = optc.softmax %[[MASKED]]
// CHECK: %[[MAX:.*]] = optc.reduce %[[MASKED]] {axes = array<i64: 3>, kind = "max"}
// CHECK: optc.compare %[[MAX]], %{{.*}} {predicate = "eq"}
// CHECK: %[[KEPT:.*]] = optc.select %{{.*}}, %{{.*}}, %[[P]]
// CHECK: optc.reshape %[[KEPT]] {{.*}} -> tensor<1x2x10x7xf32>
// CHECK: optc.contract {{.*}} -> tensor<1x2x10x6xf32>
func.func @grouped(%q: tensor<1x4x5x8xf32>, %k: tensor<1x2x7x8xf32>, %v: tensor<1x2x7x6xf32>, %m: tensor<1x1x5x7xf32>) -> tensor<1x4x5x6xf32> {
  %y = optc.attention %q, %k, %v, %m {scale = 0.5 : f64} : (tensor<1x4x5x8xf32>, tensor<1x2x7x8xf32>, tensor<1x2x7x6xf32>, tensor<1x1x5x7xf32>) -> tensor<1x4x5x6xf32>
  return %y : tensor<1x4x5x6xf32>
}

// What GPUs compute as one stays.
// CHECK-LABEL: @halves
// CHECK-NEXT: optc.attention
func.func @halves(%q: tensor<1x4x5x64xf16>) -> tensor<1x4x5x64xf16> {
  %y = optc.attention %q, %q, %q {scale = 0.125 : f64, causal = true} : (tensor<1x4x5x64xf16>, tensor<1x4x5x64xf16>, tensor<1x4x5x64xf16>) -> tensor<1x4x5x64xf16>
  return %y : tensor<1x4x5x64xf16>
}

// A soft cap, and heads of 4.
// CHECK-LABEL: @halves_of_others
// CHECK-NOT: optc.attention
func.func @halves_of_others(%q: tensor<1x4x5x64xf16>, %r: tensor<1x4x5x4xf16>) -> (tensor<1x4x5x64xf16>, tensor<1x4x5x4xf16>) {
  %y = optc.attention %q, %q, %q {scale = 0.125 : f64, softcap = 2.0 : f64} : (tensor<1x4x5x64xf16>, tensor<1x4x5x64xf16>, tensor<1x4x5x64xf16>) -> tensor<1x4x5x64xf16>
  %z = optc.attention %r, %r, %r {scale = 0.125 : f64} : (tensor<1x4x5x4xf16>, tensor<1x4x5x4xf16>, tensor<1x4x5x4xf16>) -> tensor<1x4x5x4xf16>
  return %y, %z : tensor<1x4x5x64xf16>, tensor<1x4x5x4xf16>
}
