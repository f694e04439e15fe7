// RUN: optc-opt --compress-weights="format=int4" --form-contractions %s | FileCheck %s --check-prefix=INT4
// RUN: optc-opt --compress-weights="format=int8 block=64" %s | FileCheck %s --check-prefix=INT8
// RUN: optc-opt --compress-weights="format=bf16" %s | FileCheck %s --check-prefix=BF16
// RUN: optc-opt --compress-weights="format=f8" %s | FileCheck %s --check-prefix=F8
// RUN: optc-opt --compress-weights %s | FileCheck %s --check-prefix=KEPT
// RUN: not optc-opt --compress-weights="format=int3" %s 2>&1 | FileCheck %s --check-prefix=FORMAT
// RUN: not optc-opt --compress-weights="format=int4 block=20" %s 2>&1 | FileCheck %s --check-prefix=BLOCK

// A table that is a product's weight, too, is there once: 80 columns are 5 panels; 100 k's are 13 words and 4 scales.
// INT4-LABEL: func.func @tied
// INT4-DAG: %[[WORDS:.*]] = optc.constant {{.*}} : tensor<5x13x16xi32>
// INT4-DAG: %[[SCALES:.*]] = optc.constant {{.*}} : tensor<5x4x16xf16>
// INT4: optc.kernel "matmul"(%arg0, %[[WORDS]], %[[SCALES]])
// INT4: optc.shift {{.*}} {direction = "left"}
// INT4: optc.shift {{.*}} {direction = "right"}
// INT4: optc.dequantize
// INT4: optc.contract
// INT4: optc.kernel "loops"(%[[WORDS]], %[[SCALES]], %arg1)
// INT4: optc.gather
// INT8-LABEL: func.func @tied
// INT8-DAG: tensor<5x100x16xi8>
// INT8-DAG: tensor<5x2x16xf16>
// BF16-LABEL: func.func @tied
// BF16: tensor<5x100x16xbf16>
// F8-LABEL: func.func @tied
// F8-DAG: tensor<5x100x16xf8E4M3FN>
// F8-DAG: tensor<5x1x16xf16>
// Without a format f32 stays f32, but both read the panels.
// KEPT-LABEL: func.func @tied
// KEPT-NOT: dequantize
// KEPT: %[[PANELS:.*]] = optc.transpose {{.*}} -> tensor<5x100x16xf32>
// KEPT: optc.kernel "loops"(%[[PANELS]], %arg1)
// KEPT: optc.gather
func.func @tied(%x: tensor<3x100xf32>, %i: tensor<7xi64>) -> (tensor<3x80xf32>, tensor<7x100xf32>) {
  %table = optc.constant dense<0.5> : tensor<80x100xf32>
  %y = optc.contract %x, %table {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 1>} : (tensor<3x100xf32>, tensor<80x100xf32>) -> tensor<3x80xf32>
  %e = optc.gather %table, %i {axis = 0 : i64} : (tensor<80x100xf32>, tensor<7xi64>) -> tensor<7x100xf32>
  return %y, %e : tensor<3x80xf32>, tensor<7x100xf32>
}

// Codes that the model has keep their bits: these are of 4, with a zero point of 8.
// KEPT-LABEL: func.func @codes
// KEPT-DAG: optc.constant {{.*}} : tensor<5x4x16xi32>
// KEPT-DAG: optc.constant {{.*}} : tensor<5x1x16xf16>
// KEPT: optc.dequantize %{{.*}}, %{{.*}} : (tensor<5x32x16xi8>, tensor<5x32x16xf32>) -> tensor<5x32x16xf32>
func.func @codes(%x: tensor<3x32xf32>) -> tensor<3x80xf32> {
  %q = optc.constant dense<11> : tensor<32x80xui8>
  %z = optc.constant dense<8> : tensor<32x80xui8>
  %s = optc.constant dense<0.5> : tensor<32x80xf32>
  %w = optc.dequantize %q, %s, %z : (tensor<32x80xui8>, tensor<32x80xf32>, tensor<32x80xui8>) -> tensor<32x80xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<3x32xf32>, tensor<32x80xf32>) -> tensor<3x80xf32>
  return %y : tensor<3x80xf32>
}

// What is kept in floats stays, and so does the product's table; one that is only gathered from lies by rows.
// BF16-LABEL: func.func @keep
// BF16-SAME: optc.kept = [{node = "{{.*}}", reason = "as asked"}]
// BF16: optc.contract %arg0, %{{.*}} : (tensor<3x100xf32>, tensor<100x80xf32>)
// BF16-LABEL: func.func @rows
// BF16: %[[ROWS:.*]] = optc.constant {{.*}} : tensor<80x100xbf16>
// BF16: optc.kernel "loops"(%[[ROWS]], %arg0)
// INT4-LABEL: func.func @rows
// INT4-DAG: tensor<80x4x16xi8>
// INT4-DAG: tensor<80x4xf16>
func.func @keep(%x: tensor<3x100xf32>) -> tensor<3x80xf32> {
  %w = optc.constant dense<0.5> : tensor<100x80xf32>
  %y = optc.contract %x, %w {optc.keep_float = "as asked", lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<3x100xf32>, tensor<100x80xf32>) -> tensor<3x80xf32>
  return %y : tensor<3x80xf32>
}
func.func @rows(%i: tensor<7xi64>) -> tensor<7x100xf32> {
  %table = optc.constant dense<0.5> : tensor<80x100xf32>
  %e = optc.gather %table, %i {axis = 0 : i64} : (tensor<80x100xf32>, tensor<7xi64>) -> tensor<7x100xf32>
  return %e : tensor<7x100xf32>
}

// A weight may be gathered itself: it goes with what is stored instead of it.
// BF16-LABEL: func.func @gathered
// BF16-NOT: optc.gather
// BF16: tensor<5x100x16xbf16>
// BF16-NOT: optc.gather
// BF16: return
func.func @gathered(%x: tensor<3x100xf32>) -> tensor<3x80xf32> {
  %table = optc.constant dense<0.5> : tensor<200x80xf32>
  %i = optc.constant dense<7> : tensor<100xi64>
  %w = optc.gather %table, %i {axis = 0 : i64} : (tensor<200x80xf32>, tensor<100xi64>) -> tensor<100x80xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<3x100xf32>, tensor<100x80xf32>) -> tensor<3x80xf32>
  return %y : tensor<3x80xf32>
}

// FORMAT: error: 'int3' is no format of weights
// BLOCK: error: a block of 20 weights: expected a multiple of 8, at least 16
