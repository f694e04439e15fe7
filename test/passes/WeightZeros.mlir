// RUN: optc-opt --compress-weights --form-contractions %s | FileCheck %s
// RUN: optc-opt --compress-weights="format=bf16" %s | FileCheck %s --check-prefix=BF16
// RUN: optc-opt --compress-weights="format=int8" %s | FileCheck %s --check-prefix=INT8
// RUN: optc-opt --compress-weights="spreads-masks=true spreads-two-of-four=true" %s | FileCheck %s --check-prefix=VBMI2
// RUN: optc-opt --compress-weights="spreads-two-of-four=true" %s | FileCheck %s --check-prefix=FOURS

// Every other column is 0: a mask of 16 bits for each of 5 x 64 rows of panels, 8 values each and 16 more.
// CHECK-LABEL: func.func @columns
// CHECK-SAME: optc.sparse = [{found = "50.0 % zeros: stored without them, 9512 bytes less"
// CHECK-DAG: %[[VALUES:.*]] = optc.constant {{.*}} : tensor<2576xf32>
// CHECK-DAG: %[[MASKS:.*]] = optc.constant {{.*}} : tensor<5x64xi16>
// CHECK-DAG: %[[STARTS:.*]] = optc.constant {{.*}} : tensor<6xi32>
// CHECK: optc.kernel "matmul"(%arg0, %[[VALUES]], %[[MASKS]], %[[STARTS]])
// CHECK: optc.cumulative
// CHECK: optc.gather
// CHECK: optc.contract
// BF16-LABEL: func.func @columns
// BF16: tensor<2576xbf16>
// INT8-LABEL: func.func @columns
// INT8-SAME: stored as dense, codes of few bits have no masks
// INT8: tensor<5x64x16xi8>
func.func @columns(%x: tensor<3x64xf32>) -> tensor<3x80xf32> {
  %two = optc.constant dense<[0.0, 1.5]> : tensor<2xf32>
  %all = optc.broadcast %two : (tensor<2xf32>) -> tensor<64x40x2xf32>
  %w = optc.reshape %all : (tensor<64x40x2xf32>) -> tensor<64x80xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<3x64xf32>, tensor<64x80xf32>) -> tensor<3x80xf32>
  return %y : tensor<3x80xf32>
}

// Many rows read it.
// CHECK-LABEL: func.func @rows
// CHECK-SAME: stored as dense, many rows read it
// CHECK: tensor<5x64x16xf32>
// BF16-LABEL: func.func @rows
// BF16: tensor<2576xbf16>
func.func @rows(%x: tensor<30x64xf32>) -> tensor<30x80xf32> {
  %two = optc.constant dense<[0.0, 1.5]> : tensor<2xf32>
  %all = optc.broadcast %two : (tensor<2xf32>) -> tensor<64x40x2xf32>
  %w = optc.reshape %all : (tensor<64x40x2xf32>) -> tensor<64x80xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<30x64xf32>, tensor<64x80xf32>) -> tensor<30x80xf32>
  return %y : tensor<30x80xf32>
}

// Every other k is 0: half of the blocks are stored, whatever the rows.
// CHECK-LABEL: func.func @blocks
// CHECK-SAME: at most 32 of 64 blocks of 16 columns are not 0 and stored, 9600 bytes less
// CHECK-DAG: %[[BLOCKS:.*]] = optc.constant {{.*}} : tensor<5x32x16xf32>
// CHECK-DAG: %[[ROWS:.*]] = optc.constant {{.*}} : tensor<5x32xi32>
// CHECK: optc.kernel "matmul"(%arg0, %[[BLOCKS]], %[[ROWS]])
// CHECK: optc.scatter_nd
func.func @blocks(%x: tensor<30x64xf32>) -> tensor<30x80xf32> {
  %two = optc.constant dense<[[0.0], [1.5]]> : tensor<2x1xf32>
  %all = optc.broadcast %two : (tensor<2x1xf32>) -> tensor<32x2x80xf32>
  %w = optc.reshape %all : (tensor<32x2x80xf32>) -> tensor<64x80xf32>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<30x64xf32>, tensor<64x80xf32>) -> tensor<30x80xf32>
  return %y : tensor<30x80xf32>
}

// Windows leave out such blocks, too: the filter is a matrix with a row for each tap and channel.
// CHECK-LABEL: func.func @windows
// CHECK-SAME: at most 18 of 144 blocks of 16 columns are not 0 and stored
// CHECK: optc.kernel "conv"(%arg0, %{{.*}}, %{{.*}}) : (tensor<1x20x20x16xf32>, tensor<3x18x16xf32>, tensor<3x18xi32>)
func.func @windows(%x: tensor<1x20x20x16xf32>) -> tensor<1x9x9x48xf32> {
  %eight = optc.constant dense<[[0.0], [0.0], [0.0], [0.0], [0.0], [1.5], [0.0], [0.0]]> : tensor<8x1xf32>
  %all = optc.broadcast %eight : (tensor<8x1xf32>) -> tensor<18x8x48xf32>
  %w = optc.reshape %all : (tensor<18x8x48xf32>) -> tensor<3x3x16x48xf32>
  %y = optc.conv %x, %w {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, groups = 1 : i64, layout = "nhwc"} : (tensor<1x20x20x16xf32>, tensor<3x3x16x48xf32>) -> tensor<1x9x9x48xf32>
  return %y : tensor<1x9x9x48xf32>
}

// Products of bytes with many rows stay dense.
// CHECK-LABEL: func.func @bytes
// CHECK-SAME: stored as dense, many rows read it
func.func @bytes(%x: tensor<30x64xui8>) -> tensor<30x80xi32> {
  %two = optc.constant dense<[0, 3]> : tensor<2xi8>
  %all = optc.broadcast %two : (tensor<2xi8>) -> tensor<64x40x2xi8>
  %w = optc.reshape %all : (tensor<64x40x2xi8>) -> tensor<64x80xi8>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<30x64xui8>, tensor<64x80xi8>) -> tensor<30x80xi32>
  return %y : tensor<30x80xi32>
}

// Few rows: masks of 64 codes, or 2 of 4.
// CHECK-LABEL: func.func @fewBytes
// CHECK-SAME: stored as dense, products of bytes take longer than reading them
// VBMI2-LABEL: func.func @fewBytes
// VBMI2: tensor<5x16xi64>
// FOURS-LABEL: func.func @fewBytes
// FOURS-SAME: stored as dense, not every CPU spreads bytes by masks
func.func @fewBytes(%x: tensor<3x64xui8>) -> tensor<3x80xi32> {
  %two = optc.constant dense<[0, 3]> : tensor<2xi8>
  %all = optc.broadcast %two : (tensor<2xi8>) -> tensor<64x40x2xi8>
  %w = optc.reshape %all : (tensor<64x40x2xi8>) -> tensor<64x80xi8>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<3x64xui8>, tensor<64x80xi8>) -> tensor<3x80xi32>
  return %y : tensor<3x80xi32>
}

// FOURS-LABEL: func.func @fours
// FOURS-SAME: 2 of 4 along the contracted dim: stored without them
// FOURS: tensor<5x2x16xi32>
func.func @fours(%x: tensor<3x64xui8>) -> tensor<3x80xi32> {
  %two = optc.constant dense<[[0], [3]]> : tensor<2x1xi8>
  %all = optc.broadcast %two : (tensor<2x1xi8>) -> tensor<32x2x80xi8>
  %w = optc.reshape %all : (tensor<32x2x80xi8>) -> tensor<64x80xi8>
  %y = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<3x64xui8>, tensor<64x80xi8>) -> tensor<3x80xi32>
  return %y : tensor<3x80xi32>
}
