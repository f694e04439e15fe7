// RUN: optc-opt %s --keep-float-products=levels=avx2 | FileCheck %s
// RUN: optc-opt %s --keep-float-products=levels=avx2,amx | FileCheck %s
// RUN: optc-opt %s --keep-float-products=levels=amx | FileCheck %s --check-prefix=AMX
// RUN: optc-opt %s --keep-float-products="levels=amx inputs=false" | FileCheck %s --check-prefix=ROUNDED
// RUN: optc-opt %s --keep-float-products | FileCheck %s --check-prefix=NONE
// RUN: not optc-opt %s --keep-float-products=levels=z80 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: 'z80' is no level that costs are known of

// By Winograd's algorithm in floats, where bytes would have to be multiplied as 16-bit numbers. One level of an artefact
// decides for all.
// CHECK-LABEL: func.func @large
// CHECK-SAME: optc.float_regions = [{bytes = {{.*}}, conversions = {{.*}}, f32 = {{.*}}, level = "avx2", nodes = ["c"]}]
// CHECK: optc.conv {{.*}}optc.compute_float = "quantised, computed in f32: f32 is estimated to be faster on avx2: {{[0-9.]+}} us, in 8 bits {{[0-9.]+}} us, {{[0-9.]+}} us of them conversions"
// AMX-LABEL: func.func @large
// AMX-NOT: optc.compute_float
// NONE-LABEL: func.func @large
// NONE-NOT: optc.compute_float
func.func @large(%x: tensor<1x56x56x64xui8>) -> tensor<1x56x56x64xf32> {
  %w = optc.constant dense<3> : tensor<3x3x64x64xi8>
  %s = optc.constant dense<0.5> : tensor<1x56x56x64xf32>
  %sw = optc.constant dense<0.25> : tensor<3x3x64x64xf32>
  %a = optc.dequantize %x, %s : (tensor<1x56x56x64xui8>, tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32>
  %b = optc.dequantize %w, %sw : (tensor<3x3x64x64xi8>, tensor<3x3x64x64xf32>) -> tensor<3x3x64x64xf32>
  %c = optc.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x56x56x64xf32>, tensor<3x3x64x64xf32>) -> tensor<1x56x56x64xf32> loc("c")
  return %c : tensor<1x56x56x64xf32>
}

// A matrix product gains in 8 bits on every level.
// CHECK-LABEL: func.func @matrix
// CHECK-NOT: optc.compute_float
// AMX-LABEL: func.func @matrix
// AMX-NOT: optc.compute_float
func.func @matrix(%x: tensor<128x768xui8>) -> tensor<128x768xf32> {
  %w = optc.constant dense<3> : tensor<768x768xi8>
  %s = optc.constant dense<0.5> : tensor<128x768xf32>
  %sw = optc.constant dense<0.25> : tensor<768x768xf32>
  %a = optc.dequantize %x, %s : (tensor<128x768xui8>, tensor<128x768xf32>) -> tensor<128x768xf32>
  %b = optc.dequantize %w, %sw : (tensor<768x768xi8>, tensor<768x768xf32>) -> tensor<768x768xf32>
  %c = optc.contract %a, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<128x768xf32>, tensor<768x768xf32>) -> tensor<128x768xf32>
  return %c : tensor<128x768xf32>
}

// What reads the model's input computes in f32 where that is a small part of the time: the input is limited, not rounded.
// CHECK-LABEL: func.func @input
// AMX-LABEL: func.func @input
// AMX: %[[L:.*]] = optc.max %arg0
// AMX: %[[H:.*]] = optc.min %[[L]]
// AMX: %[[T:.*]] = optc.transpose %[[H]]
// AMX: optc.conv %[[T]], {{.*}}optc.compute_float = "quantised, computed in f32: reads the model's input, which is not rounded, for {{[0-9.]+}} % of the estimated time"
// AMX: optc.conv
// AMX-NOT: optc.compute_float
// ROUNDED-LABEL: func.func @input
// ROUNDED: optc.quantize %arg0
// ROUNDED-NOT: optc.compute_float
func.func @input(%x: tensor<1x3x16x16xf32>) -> tensor<1x16x16x256xf32> {
  %sx = optc.constant dense<0.5> : tensor<1x3x16x16xf32>
  %zx = optc.constant dense<7> : tensor<1x3x16x16xui8>
  %q = optc.quantize %x, %sx, %zx : (tensor<1x3x16x16xf32>, tensor<1x3x16x16xf32>, tensor<1x3x16x16xui8>) -> tensor<1x3x16x16xui8>
  %t = optc.transpose %q {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x3x16x16xui8>) -> tensor<1x16x16x3xui8>
  %st = optc.constant dense<0.5> : tensor<1x16x16x3xf32>
  %zt = optc.constant dense<7> : tensor<1x16x16x3xui8>
  %d = optc.dequantize %t, %st, %zt : (tensor<1x16x16x3xui8>, tensor<1x16x16x3xf32>, tensor<1x16x16x3xui8>) -> tensor<1x16x16x3xf32>
  %w = optc.constant dense<3> : tensor<3x3x3x256xi8>
  %sw = optc.constant dense<0.25> : tensor<3x3x3x256xf32>
  %b = optc.dequantize %w, %sw : (tensor<3x3x3x256xi8>, tensor<3x3x3x256xf32>) -> tensor<3x3x3x256xf32>
  %c = optc.conv %d, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x16x16x3xf32>, tensor<3x3x3x256xf32>) -> tensor<1x16x16x256xf32>
  %s = optc.constant dense<0.5> : tensor<1x16x16x256xf32>
  %r = optc.quantize %c, %s : (tensor<1x16x16x256xf32>, tensor<1x16x16x256xf32>) -> tensor<1x16x16x256xui8>
  %e = optc.dequantize %r, %s : (tensor<1x16x16x256xui8>, tensor<1x16x16x256xf32>) -> tensor<1x16x16x256xf32>
  %v = optc.constant dense<3> : tensor<3x3x256x256xi8>
  %sv = optc.constant dense<0.25> : tensor<3x3x256x256xf32>
  %f = optc.dequantize %v, %sv : (tensor<3x3x256x256xi8>, tensor<3x3x256x256xf32>) -> tensor<3x3x256x256xf32>
  %y = optc.conv %e, %f {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x16x16x256xf32>, tensor<3x3x256x256xf32>) -> tensor<1x16x16x256xf32>
  return %y : tensor<1x16x16x256xf32>
}
