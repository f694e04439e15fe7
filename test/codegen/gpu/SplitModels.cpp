//===- SplitModels.cpp - Products of few tiles and many terms -------------===//

#include "test/codegen/gpu/JoinModels.h"
#include "test/codegen/gpu/Models.h"

using namespace optc;

namespace {

// With an epilogue; more than a tile of rows and of columns, none of them whole.
const char *kLongSum = R"(
func.func @main(%x: tensor<70x1560xT>, %w: tensor<1560x72xT>, %b: tensor<72xT>, %r: tensor<70x72xT>) -> tensor<70x72xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<70x1560xT>, tensor<1560x72xT>) -> tensor<70x72xT>
  %1 = optc.broadcast %b : (tensor<72xT>) -> tensor<70x72xT>
  %2 = optc.add %0, %1 : (tensor<70x72xT>, tensor<70x72xT>) -> tensor<70x72xT>
  %z = optc.constant dense<0.0> : tensor<1xT>
  %zs = optc.broadcast %z : (tensor<1xT>) -> tensor<70x72xT>
  %3 = optc.max %2, %zs : (tensor<70x72xT>, tensor<70x72xT>) -> tensor<70x72xT>
  %4 = optc.add %3, %r : (tensor<70x72xT>, tensor<70x72xT>) -> tensor<70x72xT>
  return %4 : tensor<70x72xT>
})";
// Batches, of which the second operand lies along k; k's that no vector divides.
const char *kLongScores = R"(
func.func @main(%q: tensor<3x21x1544xT>, %k: tensor<3x40x1544xT>, %x: tensor<13x1037xT>, %y: tensor<19x1037xT>) -> (tensor<3x21x40xT>, tensor<13x19xT>) {
  %0 = optc.contract %q, %k {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 2>} : (tensor<3x21x1544xT>, tensor<3x40x1544xT>) -> tensor<3x21x40xT>
  %1 = optc.contract %x, %y {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 1>} : (tensor<13x1037xT>, tensor<19x1037xT>) -> tensor<13x19xT>
  return %0, %1 : tensor<3x21x40xT>, tensor<13x19xT>
})";
// What filters are joined of: outer products, of sums too.
#define OUTER_SUMS R"(
  %a = optc.constant dense<[[0.5], [-0.25], [1.0], [0.0], [0.75], [-1.0], [0.5], [0.125], [-0.5], [0.25]]> : tensor<10x1xT>
  %b = optc.constant dense<[[[[0.5]], [[0.25]], [[-1.0]]], [[[-0.75]], [[1.0]], [[0.5]]], [[[0.125]], [[-0.5]], [[0.25]]]]> : tensor<3x3x1x1xT>
  %c = optc.constant dense<[0.5, 1.0, -0.25, 0.75, -0.5, 0.125, 0.25, -1.0]> : tensor<8xT>
  %a1 = optc.broadcast %a : (tensor<10x1xT>) -> tensor<3x3x16x10x8xT>
  %a2 = optc.reshape %a1 : (tensor<3x3x16x10x8xT>) -> tensor<3x3x160x8xT>
  %b1 = optc.broadcast %b : (tensor<3x3x1x1xT>) -> tensor<3x3x160x8xT>
  %c1 = optc.broadcast %c : (tensor<8xT>) -> tensor<3x3x160x8xT>
  %ab = optc.add %a2, %b1 : (tensor<3x3x160x8xT>, tensor<3x3x160x8xT>) -> tensor<3x3x160x8xT>
  %abc = optc.mul %ab, %c1 : (tensor<3x3x160x8xT>, tensor<3x3x160x8xT>) -> tensor<3x3x160x8xT>
)"
// Of two images, at their borders.
const char *kDeepConvolution = R"(
func.func @main(%x: tensor<2x5x7x160xT>, %r: tensor<2x5x4x40xf32>) -> tensor<2x5x4x40xf32> {
)" OUTER_SUMS R"(  %w = optc.concat %abc, %ab, %c1, %abc, %ab {axis = 3 : i64} : (tensor<3x3x160x8xT>, tensor<3x3x160x8xT>, tensor<3x3x160x8xT>, tensor<3x3x160x8xT>, tensor<3x3x160x8xT>) -> tensor<3x3x160x40xT>
  %xf = optc.cast %x : (tensor<2x5x7x160xT>) -> tensor<2x5x7x160xf32>
  %wf = optc.cast %w : (tensor<3x3x160x40xT>) -> tensor<3x3x160x40xf32>
  %0 = optc.conv %xf, %wf {dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, strides = array<i64: 1, 2>} : (tensor<2x5x7x160xf32>, tensor<3x3x160x40xf32>) -> tensor<2x5x4x40xf32>
  %1 = optc.add %0, %r : (tensor<2x5x4x40xf32>, tensor<2x5x4x40xf32>) -> tensor<2x5x4x40xf32>
  return %1 : tensor<2x5x4x40xf32>
})";
// More than a tile of rows and of columns, more steps of k than a tile has stages; of any number of images, so that nothing is cut.
const char *kWideConvolution = R"(
#x = #optc.dims<["n", 5, 7, 160]>
#y = #optc.dims<["n", 5, 4, 264]>
func.func @main(%x: tensor<?x5x7x160xT, #x>) -> tensor<?x5x4x264xf32, #y> {
)" OUTER_SUMS R"(  %s = optc.concat %abc, %ab, %c1 {axis = 3 : i64} : (tensor<3x3x160x8xT>, tensor<3x3x160x8xT>, tensor<3x3x160x8xT>) -> tensor<3x3x160x24xT>
  %w1 = optc.concat %s, %s, %ab {axis = 3 : i64} : (tensor<3x3x160x24xT>, tensor<3x3x160x24xT>, tensor<3x3x160x8xT>) -> tensor<3x3x160x56xT>
  %w2 = optc.concat %w1, %c1, %w1, %abc, %w1, %w1, %s {axis = 3 : i64} : (tensor<3x3x160x56xT>, tensor<3x3x160x8xT>, tensor<3x3x160x56xT>, tensor<3x3x160x8xT>, tensor<3x3x160x56xT>, tensor<3x3x160x56xT>, tensor<3x3x160x24xT>) -> tensor<3x3x160x264xT>
  %xf = optc.cast %x : (tensor<?x5x7x160xT, #x>) -> tensor<?x5x7x160xf32, #x>
  %wf = optc.cast %w2 : (tensor<3x3x160x264xT>) -> tensor<3x3x160x264xf32>
  %0 = optc.conv %xf, %wf {dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, strides = array<i64: 1, 2>} : (tensor<?x5x7x160xf32, #x>, tensor<3x3x160x264xf32>) -> tensor<?x5x4x264xf32, #y>
  return %0 : tensor<?x5x4x264xf32, #y>
})";
// Of bytes: exact, whatever the slices.
const char *kLongBytes = R"(
func.func @main(%x: tensor<2x5x5x256xui8>, %l: tensor<2x21x2085xui8>, %k: tensor<2x2085x11xi8>) -> (tensor<2x5x5x16xi32>, tensor<2x21x11xi32>) {
  %a = optc.constant dense<[5, -7, 100, -128, 3, 127, -1, 0, 9, 11, -50, 60, 77, -3, 2, 1]> : tensor<16xi8>
  %b = optc.constant dense<[[[[1]], [[-2]], [[3]]], [[[-4]], [[5]], [[0]]], [[[7]], [[8]], [[-9]]]]> : tensor<3x3x1x1xi8>
  %a1 = optc.broadcast %a : (tensor<16xi8>) -> tensor<3x3x256x16xi8>
  %b1 = optc.broadcast %b : (tensor<3x3x1x1xi8>) -> tensor<3x3x256x16xi8>
  %w = optc.mul %a1, %b1 : (tensor<3x3x256x16xi8>, tensor<3x3x256x16xi8>) -> tensor<3x3x256x16xi8>
  %z = optc.constant dense<7> : tensor<ui8>
  %p = optc.pad %x, %z {low = #optc.dims<[0, 1, 1, 0]>, mode = "constant"} : (tensor<2x5x5x256xui8>, tensor<ui8>) -> tensor<2x7x7x256xui8>
  %0 = optc.conv %p, %w {dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<2x7x7x256xui8>, tensor<3x3x256x16xi8>) -> tensor<2x5x5x16xi32>
  %1 = optc.contract %l, %k {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 1>} : (tensor<2x21x2085xui8>, tensor<2x2085x11xi8>) -> tensor<2x21x11xi32>
  return %0, %1 : tensor<2x5x5x16xi32>, tensor<2x21x11xi32>
})";

// Any number of rows: of a tile, of tiles that fill the blocks badly and of some that fill them.
const char *kAnyRows = R"(
#x = #optc.dims<["n", 1560]>
#y = #optc.dims<["n", 72]>
func.func @main(%x: tensor<?x1560xT, #x>, %w: tensor<1560x72xT>, %b: tensor<72xT>) -> tensor<?x72xT, #y> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<?x1560xT, #x>, tensor<1560x72xT>) -> tensor<?x72xT, #y>
  %1 = optc.broadcast %b : (tensor<72xT>) -> tensor<?x72xT, #y>
  %2 = optc.add %0, %1 : (tensor<?x72xT, #y>, tensor<?x72xT, #y>) -> tensor<?x72xT, #y>
  return %2 : tensor<?x72xT, #y>
})";

const Model kSplits[] = {{"f32 bf16 f16", kLongSum}, {"f32 bf16", kLongScores}, {"f32 bf16", kDeepConvolution}, {"f32", kLongBytes}};

// One query a head, of a group of heads, in slices of the keys that there are.
const char *kDecoding = R"(
#k = #optc.dims<[1, 2, "n", 64]>
#m = #optc.dims<[1, 1, 1, "n"]>
func.func @main(%q: tensor<1x4x1x64xT>, %k: tensor<1x2x?x64xT, #k>, %v: tensor<1x2x?x64xT, #k>, %m: tensor<1x1x1x?xT, #m>) -> tensor<1x4x1x64xT> {
  %0 = optc.attention %q, %k, %v, %m {scale = 0.125 : f64} : (tensor<1x4x1x64xT>, tensor<1x2x?x64xT, #k>, tensor<1x2x?x64xT, #k>, tensor<1x1x1x?xT, #m>) -> tensor<1x4x1x64xT>
  return %0 : tensor<1x4x1x64xT>
})";
// More queries than a warp has, and than a block; the first ones see a part of the keys alone.
const char *kCausalDecoding = R"(
func.func @main(%q: tensor<2x1x70x40xT>, %k: tensor<2x1x910x40xT>, %v: tensor<2x1x910x88xT>) -> tensor<2x1x70x88xT> {
  %0 = optc.attention %q, %k, %v {scale = 0.158 : f64, causal = true} : (tensor<2x1x70x40xT>, tensor<2x1x910x40xT>, tensor<2x1x910x88xT>) -> tensor<2x1x70x88xT>
  return %0 : tensor<2x1x70x88xT>
})";
// A slice of which nothing is seen, and queries that see nothing: those before the keys begin.
const char *kLateKeys = R"(
func.func @main(%q: tensor<1x1x400x64xT>, %k: tensor<1x1x390x64xT>, %v: tensor<1x1x390x64xT>) -> tensor<1x1x400x64xT> {
  %0 = optc.attention %q, %k, %v {scale = 0.125 : f64, causal = true} : (tensor<1x1x400x64xT>, tensor<1x1x390x64xT>, tensor<1x1x390x64xT>) -> tensor<1x1x400x64xT>
  return %0 : tensor<1x1x400x64xT>
})";

const Model kDecodings[] = {{"bf16 f16", kDecoding}, {"bf16", kCausalDecoding}, {"bf16", kLateKeys}};

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> optc::smallSplits(mlir::MLIRContext &context) { return joinModels(kSplits, context); }
mlir::OwningOpRef<mlir::ModuleOp> optc::anyRows(mlir::MLIRContext &context) { return joinModels({{"bf16", kAnyRows}}, context); }
mlir::OwningOpRef<mlir::ModuleOp> optc::wideConvolution(mlir::MLIRContext &context) { return joinModels({{"bf16", kWideConvolution}}, context); }
mlir::OwningOpRef<mlir::ModuleOp> optc::smallDecoding(mlir::MLIRContext &context) { return joinModels(kDecodings, context); }
