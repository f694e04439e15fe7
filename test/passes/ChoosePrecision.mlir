// RUN: optc-opt %s --choose-precision=levels=avx2 | FileCheck %s
// RUN: optc-opt %s --choose-precision=levels=amx | FileCheck %s --check-prefix=AMX
// RUN: optc-opt %s --choose-precision=levels=avx2 --insert-quantization=dynamic=true | FileCheck %s --check-prefix=INSERT
// RUN: optc-opt %s --choose-precision | FileCheck %s --check-prefix=NONE
// RUN: optc-opt %s --choose-precision=levels=avx512 | FileCheck %s --check-prefix=AVX512

// A chain of a product that gains and a depthwise convolution that loses without wide vectors.
// CHECK-LABEL: func.func @mixed
// CHECK-SAME: optc.float_regions = [{{{.*}}nodes = ["depthwise"]}]
// CHECK: optc.conv {{.*}} : (tensor<1x256x14x14xf32>, tensor<256x256x1x1xf32>)
// CHECK: optc.conv {{.*}}optc.faster_in_float = "f32 is estimated to be faster on avx2
// NONE-LABEL: func.func @mixed
// NONE-NOT: optc.faster_in_float
func.func @mixed(%x: tensor<1x256x14x14xf32> {optc.range = array<f64: -1.0, 1.0>}) -> tensor<1x256x14x14xf32> {
  %w = optc.constant dense<1.0> : tensor<256x256x1x1xf32>
  %v = optc.constant dense<1.0> : tensor<256x1x5x5xf32>
  %0 = optc.conv %x, %w {dilations = array<i64: 1, 1>, groups = 1 : i64, pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>, optc.range = array<f64: -1.0, 1.0>} : (tensor<1x256x14x14xf32>, tensor<256x256x1x1xf32>) -> tensor<1x256x14x14xf32> loc("pointwise")
  %1 = optc.conv %0, %v {dilations = array<i64: 1, 1>, groups = 256 : i64, pads_high = array<i64: 2, 2>, pads_low = array<i64: 2, 2>, strides = array<i64: 1, 1>} : (tensor<1x256x14x14xf32>, tensor<256x1x5x5xf32>) -> tensor<1x256x14x14xf32> loc("depthwise")
  return %1 : tensor<1x256x14x14xf32>
}

// One row: what takes time is reading the weights. Ranges of run time would cost more than they gain.
// CHECK-LABEL: func.func @row
// CHECK: optc.contract {{.*}}optc.weights_only = "f32 is estimated to be faster on avx2
// INSERT-LABEL: func.func @row
// INSERT-SAME: optc.lowered = [{node = "row", precision = "int8 weights; f32 is estimated
// INSERT: %[[Q:.*]] = optc.quantize {{.*}} -> tensor<768x3072xi8>
// INSERT: %[[D:.*]] = optc.dequantize %[[Q]]
// INSERT: optc.contract %arg0, %[[D]]
// INSERT-NOT: optc.weights_only
func.func @row(%x: tensor<1x768xf32>) -> tensor<1x3072xf32> {
  %w = optc.constant dense<1.0> : tensor<768x3072xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<1x768xf32>, tensor<768x3072xf32>) -> tensor<1x3072xf32> loc("row")
  return %y : tensor<1x3072xf32>
}

// Many rows are worth the ranges of run time.
// AMX-LABEL: func.func @rows
// AMX-NOT: optc.faster_in_float
// AMX-NOT: optc.weights_only
func.func @rows(%x: tensor<128x768xf32>) -> tensor<128x3072xf32> {
  %w = optc.constant dense<1.0> : tensor<768x3072xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<128x768xf32>, tensor<768x3072xf32>) -> tensor<128x3072xf32>
  return %y : tensor<128x3072xf32>
}

// Attention in 8 bits takes as long as its exponentials: without a dot product of bytes that is no gain.
// AMX-LABEL: @attention
// AMX: optc.attention %arg0, %arg1, %arg2 {scale
// AVX512-LABEL: @attention
// AVX512: optc.attention {{.*}}optc.faster_in_float
!heads = tensor<1x12x256x64xf32>
func.func @attention(%q: !heads {optc.range = array<f64: -1.0, 1.0>}, %k: !heads {optc.range = array<f64: -1.0, 1.0>}, %v: !heads {optc.range = array<f64: -1.0, 1.0>}) -> !heads {
  %y = optc.attention %q, %k, %v {scale = 0.125 : f64} : (!heads, !heads, !heads) -> !heads
  return %y : !heads
}

// A part of a tensor is read where it is as floats; codes of it are stored.
// AMX-LABEL: @attention_of_parts
// AMX: optc.attention {{.*}}optc.faster_in_float
!joined = tensor<1x12x64x192xf32>
!part = tensor<1x12x64x64xf32>
func.func @attention_of_parts(%x: !joined) -> !part {
  %q = optc.slice %x {starts = #optc.dims<[0, 0, 0, 0]>, strides = #optc.dims<[1, 1, 1, 1]>, optc.range = array<f64: -1.0, 1.0>} : (!joined) -> !part
  %k = optc.slice %x {starts = #optc.dims<[0, 0, 0, 64]>, strides = #optc.dims<[1, 1, 1, 1]>, optc.range = array<f64: -1.0, 1.0>} : (!joined) -> !part
  %v = optc.slice %x {starts = #optc.dims<[0, 0, 0, 128]>, strides = #optc.dims<[1, 1, 1, 1]>, optc.range = array<f64: -1.0, 1.0>} : (!joined) -> !part
  %y = optc.attention %q, %k, %v {scale = 0.125 : f64} : (!part, !part, !part) -> !part
  return %y : !part
}
