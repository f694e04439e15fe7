// RUN: optc-opt --lower-attention %s | FileCheck %s
// RUN: optc-opt --lower-attention=flash=true %s | FileCheck %s --check-prefix=FLASH

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

// What GPUs compute as one stays, where all of them do.
// CHECK-LABEL: @halves
// CHECK-NOT: optc.attention
// FLASH-LABEL: @halves
// FLASH: optc.attention
func.func @halves(%q: tensor<1x4x5x64xf16>) -> tensor<1x4x5x64xf16> {
  %y = optc.attention %q, %q, %q {scale = 0.125 : f64, causal = true} : (tensor<1x4x5x64xf16>, tensor<1x4x5x64xf16>, tensor<1x4x5x64xf16>) -> tensor<1x4x5x64xf16>
  return %y : tensor<1x4x5x64xf16>
}
