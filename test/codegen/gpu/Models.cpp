//===- Models.cpp - Models whose kernels are tried ------------------------===//

#include "test/codegen/gpu/Models.h"
#include "test/codegen/gpu/JoinModels.h"

using namespace optc;

namespace {

// Dims: n dynamic.
const char *kElementwise = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<?xT, #d>) -> tensor<?xT, #d> {
  %0 = optc.add %x, %y : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.mul %0, %x : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %2 = optc.max %1, %y : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  return %2 : tensor<?xT, #d>
})";
const char *kBroadcast = R"(
#d = #optc.dims<["n", 96]>
func.func @main(%x: tensor<?x96xT, #d>, %b: tensor<96xT>, %c: tensor<1xT>) -> tensor<?x96xT, #d> {
  %0 = optc.broadcast %b : (tensor<96xT>) -> tensor<?x96xT, #d>
  %1 = optc.add %x, %0 : (tensor<?x96xT, #d>, tensor<?x96xT, #d>) -> tensor<?x96xT, #d>
  %2 = optc.broadcast %c : (tensor<1xT>) -> tensor<?x96xT, #d>
  %3 = optc.sub %1, %2 : (tensor<?x96xT, #d>, tensor<?x96xT, #d>) -> tensor<?x96xT, #d>
  return %3 : tensor<?x96xT, #d>
})";
const char *kTransposed = R"(
func.func @main(%x: tensor<5x7x12xT>, %y: tensor<12x5x7xT>) -> tensor<12x5x7xT> {
  %0 = optc.transpose %x {permutation = array<i64: 2, 0, 1>} : (tensor<5x7x12xT>) -> tensor<12x5x7xT>
  %1 = optc.sub %0, %y : (tensor<12x5x7xT>, tensor<12x5x7xT>) -> tensor<12x5x7xT>
  return %1 : tensor<12x5x7xT>
})";
// Squares, the last ones not whole; rows of few elements.
const char *kTurned = R"(
#d = #optc.dims<["n", 46, 70]>
#t = #optc.dims<[70, "n", 46]>
func.func @main(%x: tensor<?x46x70xT, #d>, %y: tensor<70x?x46xT, #t>, %z: tensor<65x33xT>) -> (tensor<70x?x46xT, #t>, tensor<33x65xT>) {
  %0 = optc.add %x, %x : (tensor<?x46x70xT, #d>, tensor<?x46x70xT, #d>) -> tensor<?x46x70xT, #d>
  %1 = optc.transpose %0 {permutation = array<i64: 2, 0, 1>} : (tensor<?x46x70xT, #d>) -> tensor<70x?x46xT, #t>
  %2 = optc.sub %1, %y : (tensor<70x?x46xT, #t>, tensor<70x?x46xT, #t>) -> tensor<70x?x46xT, #t>
  %3 = optc.transpose %z {permutation = array<i64: 1, 0>} : (tensor<65x33xT>) -> tensor<33x65xT>
  return %2, %3 : tensor<70x?x46xT, #t>, tensor<33x65xT>
})";
// Neighbours that stay neighbours.
const char *kHeadsOf = R"(
func.func @main(%x: tensor<5x3x2x16xT>, %y: tensor<4x24xT>, %z: tensor<4x8xT>) -> (tensor<2x5x3x16xT>, tensor<4x32xT>, tensor<4x8xT>) {
  %0 = optc.transpose %x {permutation = array<i64: 2, 0, 1, 3>} : (tensor<5x3x2x16xT>) -> tensor<2x5x3x16xT>
  %1 = optc.concat %y, %z {axis = 1 : i64} : (tensor<4x24xT>, tensor<4x8xT>) -> tensor<4x32xT>
  %2 = optc.slice %y {starts = #optc.dims<[0, 8]>, strides = #optc.dims<[1, 1]>} : (tensor<4x24xT>) -> tensor<4x8xT>
  return %0, %1, %2 : tensor<2x5x3x16xT>, tensor<4x32xT>, tensor<4x8xT>
})";
// Long rows side by side: slices.
const char *kColumns = R"(
#d = #optc.dims<[70, "n"]>
#r = #optc.dims<["n"]>
func.func @main(%x: tensor<70x?xT, #d>, %y: tensor<3x200x64xT>, %z: tensor<300x40xT>) -> (tensor<?xT, #r>, tensor<3x200x64xT>, tensor<40xi64>) {
  %0 = optc.reduce %x {axes = array<i64: 0>, kind = "sum"} : (tensor<70x?xT, #d>) -> tensor<?xT, #r>
  %1 = optc.softmax %y {axis = 1 : i64} : (tensor<3x200x64xT>) -> tensor<3x200x64xT>
  %2 = optc.arg_reduce %z {axis = 0 : i64, kind = "max", last = false} : (tensor<300x40xT>) -> tensor<40xi64>
  return %0, %1, %2 : tensor<?xT, #r>, tensor<3x200x64xT>, tensor<40xi64>
})";
const char *kMask = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<?xT, #d>, %m: tensor<?xi1, #d>) -> (tensor<?xT, #d>, tensor<?xi1, #d>) {
  %0 = optc.compare %x, %y {predicate = "lt"} : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xi1, #d>
  %1 = optc.and %0, %m : (tensor<?xi1, #d>, tensor<?xi1, #d>) -> tensor<?xi1, #d>
  %2 = optc.select %1, %x, %y : (tensor<?xi1, #d>, tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  return %2, %1 : tensor<?xT, #d>, tensor<?xi1, #d>
})";
const char *kIntegers = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<?xT, #d>) -> (tensor<?xT, #d>, tensor<?xf32, #d>) {
  %0 = optc.div %x, %y : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.mod %x, %y {truncate = false} : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %2 = optc.sub %0, %1 : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %3 = optc.cast %2 : (tensor<?xT, #d>) -> tensor<?xf32, #d>
  return %2, %3 : tensor<?xT, #d>, tensor<?xf32, #d>
})";
const char *kGather = R"(
func.func @main(%x: tensor<10x8xT>, %i: tensor<3xi64>) -> tensor<3x8xT> {
  %0 = optc.gather %x, %i {axis = 0 : i64} : (tensor<10x8xT>, tensor<3xi64>) -> tensor<3x8xT>
  return %0 : tensor<3x8xT>
})";
const char *kTable = R"(
func.func @main(%i: tensor<3xi64>) -> tensor<3x64xf32> {
  %0 = optc.constant dense<[0.5, 1.5, -2.0, 0.25]> : tensor<4xT>
  %1 = optc.broadcast %0 : (tensor<4xT>) -> tensor<80x16x4xT>
  %2 = optc.reshape %1 : (tensor<80x16x4xT>) -> tensor<80x64xT>
  %3 = optc.cast %2 : (tensor<80x64xT>) -> tensor<80x64xf32>
  %4 = optc.gather %3, %i {axis = 0 : i64} : (tensor<80x64xf32>, tensor<3xi64>) -> tensor<3x64xf32>
  return %4 : tensor<3x64xf32>
})";
const char *kActivations = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>) -> tensor<?xT, #d> {
  %0 = optc.gelu %x {approximate = "none"} : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.silu %0 : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %2 = optc.softplus %1 : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %3 = optc.tanh %2 : (tensor<?xT, #d>) -> tensor<?xT, #d>
  return %3 : tensor<?xT, #d>
})";
// The second kernel writes over what the first has made.
const char *kInPlaceOps = R"(
func.func @main(%x: tensor<10x8xT>, %i: tensor<3xi64>, %y: tensor<3x8xT>) -> tensor<3x8xT> {
  %0 = optc.gather %x, %i {axis = 0 : i64} : (tensor<10x8xT>, tensor<3xi64>) -> tensor<3x8xT>
  %1 = optc.mul %0, %0 : (tensor<3x8xT>, tensor<3x8xT>) -> tensor<3x8xT>
  %2 = optc.sub %y, %1 : (tensor<3x8xT>, tensor<3x8xT>) -> tensor<3x8xT>
  return %2 : tensor<3x8xT>
})";
// Movement: an element at a time.
const char *kMovement = R"(
func.func @main(%x: tensor<4x6xT>, %y: tensor<3x6xT>) -> (tensor<7x9xT>, tensor<2x6xT>) {
  %0 = optc.concat %x, %y {axis = 0 : i64} : (tensor<4x6xT>, tensor<3x6xT>) -> tensor<7x6xT>
  %1 = optc.pad %0 {low = #optc.dims<[0, 2]>, mode = "reflect"} : (tensor<7x6xT>) -> tensor<7x9xT>
  %2 = optc.slice %x {starts = #optc.dims<[3, 5]>, strides = #optc.dims<[-2, -1]>} : (tensor<4x6xT>) -> tensor<2x6xT>
  %3 = optc.add %2, %2 : (tensor<2x6xT>, tensor<2x6xT>) -> tensor<2x6xT>
  return %1, %3 : tensor<7x9xT>, tensor<2x6xT>
})";
// Rows: of a warp's part, of a warp, of a block, in a loop, of unknown length, across.
const char *kSoftmaxes = R"(
#d = #optc.dims<[3, "n"]>
func.func @main(%a: tensor<5x10xT>, %b: tensor<9x128xT>, %c: tensor<2x2048xT>, %e: tensor<2x1000xT>, %f: tensor<3x?xT, #d>, %g: tensor<2x17x24xT>)
    -> (tensor<5x10xT>, tensor<9x128xT>, tensor<2x2048xT>, tensor<2x1000xT>, tensor<3x?xT, #d>, tensor<2x17x24xT>) {
  %0 = optc.softmax %a {axis = 1 : i64} : (tensor<5x10xT>) -> tensor<5x10xT>
  %1 = optc.softmax %b {axis = 1 : i64} : (tensor<9x128xT>) -> tensor<9x128xT>
  %2 = optc.softmax %c {axis = 1 : i64} : (tensor<2x2048xT>) -> tensor<2x2048xT>
  %3 = optc.softmax %e {axis = 1 : i64} : (tensor<2x1000xT>) -> tensor<2x1000xT>
  %4 = optc.softmax %f {axis = 1 : i64} : (tensor<3x?xT, #d>) -> tensor<3x?xT, #d>
  %5 = optc.softmax %g {axis = 1 : i64} : (tensor<2x17x24xT>) -> tensor<2x17x24xT>
  return %0, %1, %2, %3, %4, %5 : tensor<5x10xT>, tensor<9x128xT>, tensor<2x2048xT>, tensor<2x1000xT>, tensor<3x?xT, #d>, tensor<2x17x24xT>
})";
const char *kNormalize = R"(
#d = #optc.dims<["n", 768]>
func.func @main(%x: tensor<?x768xT, #d>, %r: tensor<?x768xT, #d>, %w: tensor<768xT>, %b: tensor<768xT>) -> (tensor<?x768xT, #d>, tensor<?x768xT, #d>) {
  %s = optc.add %x, %r : (tensor<?x768xT, #d>, tensor<?x768xT, #d>) -> tensor<?x768xT, #d>
  %n = optc.normalize %s scale %w bias %b {axis = 1 : i64, epsilon = 1.0e-5 : f64, kind = "layer"} : (tensor<?x768xT, #d>, tensor<768xT>, tensor<768xT>) -> tensor<?x768xT, #d>
  return %s, %n : tensor<?x768xT, #d>, tensor<?x768xT, #d>
})";
const char *kReductions = R"(
#d = #optc.dims<["n", 33]>
#r = #optc.dims<["n"]>
#w = #optc.dims<[4, "n"]>
func.func @main(%x: tensor<?x33xT, #d>, %y: tensor<4x?xT, #w>, %z: tensor<6x64xT>) -> (tensor<?xT, #r>, tensor<?xT, #r>, tensor<4xT>, tensor<?xT, #r>, tensor<6xi64>, tensor<4xi64>) {
  %0 = optc.reduce %x {axes = array<i64: 1>, kind = "sum"} : (tensor<?x33xT, #d>) -> tensor<?xT, #r>
  %1 = optc.reduce %x {axes = array<i64: 1>, kind = "max"} : (tensor<?x33xT, #d>) -> tensor<?xT, #r>
  %2 = optc.reduce %y {axes = array<i64: 1>, kind = "min"} : (tensor<4x?xT, #w>) -> tensor<4xT>
  %3 = optc.reduce %y {axes = array<i64: 0>, kind = "sum"} : (tensor<4x?xT, #w>) -> tensor<?xT, #r>
  %4 = optc.arg_reduce %z {axis = 1 : i64, kind = "max", last = false} : (tensor<6x64xT>) -> tensor<6xi64>
  %5 = optc.arg_reduce %y {axis = 1 : i64, kind = "min", last = true} : (tensor<4x?xT, #w>) -> tensor<4xi64>
  return %0, %1, %2, %3, %4, %5 : tensor<?xT, #r>, tensor<?xT, #r>, tensor<4xT>, tensor<?xT, #r>, tensor<6xi64>, tensor<4xi64>
})";

// Products: of weights with an epilogue, of batches, of a right operand along k, of rows that no vector
// divides.
const char *kLinear = R"(
#d = #optc.dims<["n", 136]>
#y = #optc.dims<["n", 200]>
func.func @main(%x: tensor<?x136xT, #d>, %w: tensor<136x200xT>, %b: tensor<200xT>, %r: tensor<?x200xT, #y>) -> tensor<?x200xT, #y> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<?x136xT, #d>, tensor<136x200xT>) -> tensor<?x200xT, #y>
  %1 = optc.broadcast %b : (tensor<200xT>) -> tensor<?x200xT, #y>
  %2 = optc.add %0, %1 : (tensor<?x200xT, #y>, tensor<?x200xT, #y>) -> tensor<?x200xT, #y>
  %z = optc.constant dense<0.0> : tensor<1xT>
  %zs = optc.broadcast %z : (tensor<1xT>) -> tensor<?x200xT, #y>
  %3 = optc.max %2, %zs : (tensor<?x200xT, #y>, tensor<?x200xT, #y>) -> tensor<?x200xT, #y>
  %4 = optc.add %3, %r : (tensor<?x200xT, #y>, tensor<?x200xT, #y>) -> tensor<?x200xT, #y>
  return %4 : tensor<?x200xT, #y>
})";
const char *kScores = R"(
func.func @main(%q: tensor<3x70x64xT>, %k: tensor<3x90x64xT>, %v: tensor<3x64x72xT>) -> (tensor<3x70x90xT>, tensor<3x70x72xT>) {
  %0 = optc.contract %q, %k {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 2>} : (tensor<3x70x64xT>, tensor<3x90x64xT>) -> tensor<3x70x90xT>
  %1 = optc.contract %q, %v {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 1>} : (tensor<3x70x64xT>, tensor<3x64x72xT>) -> tensor<3x70x72xT>
  return %0, %1 : tensor<3x70x90xT>, tensor<3x70x72xT>
})";
const char *kOddProduct = R"(
func.func @main(%x: tensor<13x37xT>, %w: tensor<37x19xT>) -> tensor<13x19xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<13x37xT>, tensor<37x19xT>) -> tensor<13x19xT>
  return %0 : tensor<13x19xT>
})";

// Convolutions: a pixel is no multiple of 16 bytes, and is; the filter is an outer sum.
const char *kConvolution = R"(
#x = #optc.dims<["n", 9, 7, 12]>
#y = #optc.dims<["n", 5, 9, 40]>
func.func @main(%x: tensor<?x9x7x12xT, #x>, %r: tensor<?x5x9x40xf32, #y>) -> tensor<?x5x9x40xf32, #y> {
  %a = optc.constant dense<[[[[0.5], [-0.25], [1.0], [0.0], [0.75], [-1.0], [0.5], [0.125], [-0.5], [0.25], [0.75], [-0.125]]]]> : tensor<1x1x12x1xT>
  %b = optc.constant dense<[[[[0.5]], [[0.25]]], [[[-0.75]], [[1.0]]], [[[0.125]], [[-0.5]]]]> : tensor<3x2x1x1xT>
  %c = optc.constant dense<[0.5, 1.0, -0.25, 0.75, -0.5, 0.125, 0.25, -1.0]> : tensor<8xT>
  %a1 = optc.broadcast %a : (tensor<1x1x12x1xT>) -> tensor<3x2x12x8xT>
  %b1 = optc.broadcast %b : (tensor<3x2x1x1xT>) -> tensor<3x2x12x8xT>
  %c1 = optc.broadcast %c : (tensor<8xT>) -> tensor<3x2x12x8xT>
  %ab = optc.add %a1, %b1 : (tensor<3x2x12x8xT>, tensor<3x2x12x8xT>) -> tensor<3x2x12x8xT>
  %abc = optc.mul %ab, %c1 : (tensor<3x2x12x8xT>, tensor<3x2x12x8xT>) -> tensor<3x2x12x8xT>
  %w = optc.concat %abc, %ab, %c1, %abc, %ab {axis = 3 : i64} : (tensor<3x2x12x8xT>, tensor<3x2x12x8xT>, tensor<3x2x12x8xT>, tensor<3x2x12x8xT>, tensor<3x2x12x8xT>) -> tensor<3x2x12x40xT>
  %xf = optc.cast %x : (tensor<?x9x7x12xT, #x>) -> tensor<?x9x7x12xf32, #x>
  %wf = optc.cast %w : (tensor<3x2x12x40xT>) -> tensor<3x2x12x40xf32>
  %0 = optc.conv %xf, %wf {dilations = array<i64: 1, 2>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 1, 3>, pads_low = array<i64: 1, 1>, strides = array<i64: 2, 1>} : (tensor<?x9x7x12xf32, #x>, tensor<3x2x12x40xf32>) -> tensor<?x5x9x40xf32, #y>
  %1 = optc.add %0, %r : (tensor<?x5x9x40xf32, #y>, tensor<?x5x9x40xf32, #y>) -> tensor<?x5x9x40xf32, #y>
  return %1 : tensor<?x5x9x40xf32, #y>
})";
// Of bytes: padded with 7; single pixels; a product of two activations.
const char *kBytes = R"(
#x = #optc.dims<["n", 6, 7, 16]>
#p = #optc.dims<["n", 8, 9, 16]>
#y = #optc.dims<["n", 6, 7, 16]>
#l = #optc.dims<["n", 21, 37]>
#r = #optc.dims<["n", 37, 11]>
#s = #optc.dims<["n", 21, 11]>
func.func @main(%x: tensor<?x6x7x16xui8, #x>, %l: tensor<?x21x37xui8, #l>, %k: tensor<?x37x11xi8, #r>)
    -> (tensor<?x6x7x16xi32, #y>, tensor<?x6x7x16xi32, #y>, tensor<?x21x11xi32, #s>) {
  %a = optc.constant dense<[5, -7, 100, -128, 3, 127, -1, 0, 9, 11, -50, 60, 77, -3, 2, 1]> : tensor<16xi8>
  %b = optc.constant dense<[[[[1]], [[-2]], [[3]]], [[[-4]], [[5]], [[0]]], [[[7]], [[8]], [[-9]]]]> : tensor<3x3x1x1xi8>
  %c = optc.constant dense<[[1], [2], [-3], [4], [5], [-6], [7], [8], [9], [-10], [11], [12], [-13], [14], [15], [16]]> : tensor<16x1xi8>
  %a1 = optc.broadcast %a : (tensor<16xi8>) -> tensor<3x3x16x16xi8>
  %b1 = optc.broadcast %b : (tensor<3x3x1x1xi8>) -> tensor<3x3x16x16xi8>
  %c1 = optc.broadcast %c : (tensor<16x1xi8>) -> tensor<3x3x16x16xi8>
  %ab = optc.mul %a1, %b1 : (tensor<3x3x16x16xi8>, tensor<3x3x16x16xi8>) -> tensor<3x3x16x16xi8>
  %w = optc.add %ab, %c1 : (tensor<3x3x16x16xi8>, tensor<3x3x16x16xi8>) -> tensor<3x3x16x16xi8>
  %o = optc.slice %w {starts = #optc.dims<[1, 1, 0, 0]>, strides = #optc.dims<[1, 1, 1, 1]>} : (tensor<3x3x16x16xi8>) -> tensor<1x1x16x16xi8>
  %z = optc.constant dense<7> : tensor<ui8>
  %p = optc.pad %x, %z {low = #optc.dims<[0, 1, 1, 0]>, mode = "constant"} : (tensor<?x6x7x16xui8, #x>, tensor<ui8>) -> tensor<?x8x9x16xui8, #p>
  %0 = optc.conv %p, %w {dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<?x8x9x16xui8, #p>, tensor<3x3x16x16xi8>) -> tensor<?x6x7x16xi32, #y>
  %1 = optc.conv %x, %o {dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 0, 0>, pads_low = array<i64: 0, 0>, strides = array<i64: 1, 1>} : (tensor<?x6x7x16xui8, #x>, tensor<1x1x16x16xi8>) -> tensor<?x6x7x16xi32, #y>
  %2 = optc.contract %l, %k {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 1>} : (tensor<?x21x37xui8, #l>, tensor<?x37x11xi8, #r>) -> tensor<?x21x11xi32, #s>
  return %0, %1, %2 : tensor<?x6x7x16xi32, #y>, tensor<?x6x7x16xi32, #y>, tensor<?x21x11xi32, #s>
})";

// A few rows: weights in columns, operands along k and along n, of odd lengths.
const char *kFewRows = R"(
#k = #optc.dims<[3, "n", 40]>
#s = #optc.dims<[3, 2, "n"]>
#v = #optc.dims<[3, "n", 24]>
func.func @main(%x: tensor<5x37xT>, %q: tensor<3x2x40xT>, %k: tensor<3x?x40xT, #k>, %p: tensor<3x2x?xT, #s>, %v: tensor<3x?x24xT, #v>)
    -> (tensor<5x30xT>, tensor<3x2x?xT, #s>, tensor<3x2x24xT>) {
  %a = optc.constant dense<[0.5, -0.25, 1.0, 0.0, 0.75, -1.0, 0.5, 0.125, -0.5, 0.25]> : tensor<10xT>
  %a1 = optc.broadcast %a : (tensor<10xT>) -> tensor<37x3x10xT>
  %b = optc.reshape %a1 : (tensor<37x3x10xT>) -> tensor<37x30xT>
  %0 = optc.contract %x, %b {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<5x37xT>, tensor<37x30xT>) -> tensor<5x30xT>
  %1 = optc.contract %q, %k {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 2>} : (tensor<3x2x40xT>, tensor<3x?x40xT, #k>) -> tensor<3x2x?xT, #s>
  %2 = optc.contract %p, %v {lhs_batch = array<i64: 0>, rhs_batch = array<i64: 0>, lhs_contract = array<i64: 2>, rhs_contract = array<i64: 1>} : (tensor<3x2x?xT, #s>, tensor<3x?x24xT, #v>) -> tensor<3x2x24xT>
  return %0, %1, %2 : tensor<5x30xT>, tensor<3x2x?xT, #s>, tensor<3x2x24xT>
})";
// A right operand along k, whose tiles are not whole in any direction.
const char *kOddScores = R"(
func.func @main(%q: tensor<13x37xT>, %k: tensor<19x37xT>) -> tensor<13x19xT> {
  %0 = optc.contract %q, %k {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 1>} : (tensor<13x37xT>, tensor<19x37xT>) -> tensor<13x19xT>
  return %0 : tensor<13x19xT>
})";

// Powers of one type and of two; remainders that have the sign of either operand.
const char *kPowers = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<?xT, #d>, %i: tensor<?xi32, #d>, %j: tensor<?xui8, #d>, %f: tensor<?xf32, #d>)
    -> (tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xi32, #d>, tensor<?xT, #d>, tensor<?xT, #d>) {
  %0 = optc.pow %x, %y : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.pow %x, %i : (tensor<?xT, #d>, tensor<?xi32, #d>) -> tensor<?xT, #d>
  %2 = optc.pow %x, %j : (tensor<?xT, #d>, tensor<?xui8, #d>) -> tensor<?xT, #d>
  %3 = optc.pow %x, %f : (tensor<?xT, #d>, tensor<?xf32, #d>) -> tensor<?xT, #d>
  %4 = optc.pow %i, %y : (tensor<?xi32, #d>, tensor<?xT, #d>) -> tensor<?xi32, #d>
  %5 = optc.mod %x, %y {truncate = false} : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  %6 = optc.mod %x, %y {truncate = true} : (tensor<?xT, #d>, tensor<?xT, #d>) -> tensor<?xT, #d>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xi32, #d>, tensor<?xT, #d>, tensor<?xT, #d>
})";
// The functions of f64.
const char *kFunctions = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xT, #d>) -> (tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>) {
  %0 = optc.exp %x : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.log %0 : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %2 = optc.gelu %x {approximate = "tanh"} : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %3 = optc.erf %x : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %4 = optc.sigmoid %x : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %5 = optc.asinh %x : (tensor<?xT, #d>) -> tensor<?xT, #d>
  return %1, %2, %3, %4, %5 : tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>, tensor<?xT, #d>
})";
const char *kNorms = R"(
#x = #optc.dims<["n", 3, 9, 7]>
#y = #optc.dims<["n", 3, 5, 6]>
func.func @main(%x: tensor<?x3x9x7xT, #x>, %z: tensor<1x2x6x5x4xT>) -> (tensor<?x3x5x6xT, #y>, tensor<1x2x3x4x3xT>, tensor<1x2x6x5x4xT>) {
  %0 = optc.pool %x {kind = "lp", window = array<i64: 3, 2>, strides = array<i64: 2, 1>, dilations = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, pads_high = array<i64: 1, 1>,
      ceil = false, count_padding = false, p = 2 : i64} : (tensor<?x3x9x7xT, #x>) -> tensor<?x3x5x6xT, #y>
  %1 = optc.pool %z {kind = "lp", window = array<i64: 2, 2, 2>, strides = array<i64: 2, 1, 1>, dilations = array<i64: 1, 1, 1>, pads_low = array<i64: 0, 0, 0>,
      pads_high = array<i64: 0, 0, 0>, ceil = false, count_padding = false, p = 3 : i64} : (tensor<1x2x6x5x4xT>) -> tensor<1x2x3x4x3xT>
  %2 = optc.pool %z {kind = "lp", window = array<i64: 1, 3, 3>, strides = array<i64: 1, 1, 1>, dilations = array<i64: 1, 1, 1>, pads_low = array<i64: 0, 1, 1>,
      pads_high = array<i64: 0, 1, 1>, ceil = false, count_padding = false, p = 1 : i64} : (tensor<1x2x6x5x4xT>) -> tensor<1x2x6x5x4xT>
  return %0, %1, %2 : tensor<?x3x5x6xT, #y>, tensor<1x2x3x4x3xT>, tensor<1x2x6x5x4xT>
})";
// Codes that are moved, and conversions within larger kernels.
const char *kCodes = R"(
#d = #optc.dims<["n", 24]>
func.func @main(%x: tensor<?x24xT, #d>, %y: tensor<6x24xT>, %f: tensor<?x24xf32, #d>, %s: tensor<1xf32>, %z: tensor<10x8xT>, %i: tensor<3xi64>, %v: tensor<24xT>)
    -> (tensor<24x?xT, #optc.dims<[24, "n"]>>, tensor<8x24xT>, tensor<?x24xf32, #d>, tensor<?x24xT, #d>, tensor<3x8xT>, tensor<2x12xT>, tensor<?x24xf32, #d>) {
  %0 = optc.transpose %x {permutation = array<i64: 1, 0>} : (tensor<?x24xT, #d>) -> tensor<24x?xT, #optc.dims<[24, "n"]>>
  %1 = optc.pad %y {low = #optc.dims<[1, 0]>, mode = "constant"} : (tensor<6x24xT>) -> tensor<8x24xT>
  %2 = optc.cast %x : (tensor<?x24xT, #d>) -> tensor<?x24xf32, #d>
  %3 = optc.broadcast %s : (tensor<1xf32>) -> tensor<?x24xf32, #d>
  %4 = optc.mul %2, %3 : (tensor<?x24xf32, #d>, tensor<?x24xf32, #d>) -> tensor<?x24xf32, #d>
  %5 = optc.add %4, %f : (tensor<?x24xf32, #d>, tensor<?x24xf32, #d>) -> tensor<?x24xf32, #d>
  %6 = optc.cast %f : (tensor<?x24xf32, #d>) -> tensor<?x24xT, #d>
  %7 = optc.gather %z, %i {axis = 0 : i64} : (tensor<10x8xT>, tensor<3xi64>) -> tensor<3x8xT>
  %8 = optc.slice %y {starts = #optc.dims<[5, 22]>, strides = #optc.dims<[-3, -2]>} : (tensor<6x24xT>) -> tensor<2x12xT>
  %9 = optc.broadcast %v : (tensor<24xT>) -> tensor<?x24xT, #d>
  %10 = optc.cast %9 : (tensor<?x24xT, #d>) -> tensor<?x24xf32, #d>
  %11 = optc.sub %10, %f : (tensor<?x24xf32, #d>, tensor<?x24xf32, #d>) -> tensor<?x24xf32, #d>
  return %0, %1, %5, %6, %7, %8, %11 : tensor<24x?xT, #optc.dims<[24, "n"]>>, tensor<8x24xT>, tensor<?x24xf32, #d>, tensor<?x24xT, #d>, tensor<3x8xT>, tensor<2x12xT>, tensor<?x24xf32, #d>
})";
const char *kSameBits = R"(
#d = #optc.dims<["n"]>
func.func @main(%x: tensor<?xf32, #d>, %y: tensor<?xi32, #d>, %z: tensor<?xf64, #d>, %c: tensor<?xf8E5M2, #d>) -> (tensor<?xi32, #d>, tensor<?xf32, #d>, tensor<?xi64, #d>, tensor<?xui8, #d>) {
  %0 = optc.bitcast %x : (tensor<?xf32, #d>) -> tensor<?xi32, #d>
  %1 = optc.bitcast %y : (tensor<?xi32, #d>) -> tensor<?xf32, #d>
  %2 = optc.bitcast %z : (tensor<?xf64, #d>) -> tensor<?xi64, #d>
  %3 = optc.bitcast %c : (tensor<?xf8E5M2, #d>) -> tensor<?xui8, #d>
  return %0, %1, %2, %3 : tensor<?xi32, #d>, tensor<?xf32, #d>, tensor<?xi64, #d>, tensor<?xui8, #d>
})";

const Model kModels[] = {
    {"f32 f16 bf16 f64 i8 ui16 i64", kPowers},
    {"f32 f64", kFunctions},
    {"f32 f16 f64", kNorms},
    {"f8E4M3FN f8E4M3FNUZ f8E5M2FNUZ !optc.f4E2M1 !optc.f8E8M0 i4 ui2", kCodes},
    {"f32", kSameBits},
    {"f32 f16 bf16 f64 i64 i8 ui16", kElementwise},
    {"f32 f16 i32", kBroadcast},
    {"f32 i8", kTransposed},
    {"f32 bf16 i8 i64", kTurned},
    {"f32 bf16 i1", kHeadsOf},
    {"f32 f16", kColumns},
    {"f32 i64", kMask},
    {"i8 i16 i32 i64 ui8", kIntegers},
    {"f32", kGather},
    {"f16 bf16 f8E4M3FN f8E5M2", kTable},
    {"f32 i64", kInPlaceOps},
    {"f32 f16 f64", kActivations},
    {"f32 i1", kMovement},
    {"f32 f16 bf16 f64", kSoftmaxes},
    {"f32 f16", kNormalize},
    {"f32 f16 i8 i32 i64", kReductions},
};

// Attention: of heads that lie side by side, of groups, of unknown lengths, masked; of more tiles of keys than there are stages.
const char *kHeadsSideBySide = R"(
func.func @main(%x: tensor<2x150x192xT>, %k: tensor<2x150x192xT>, %v: tensor<2x150x192xT>) -> tensor<2x150x3x64xT> {
  %0 = optc.reshape %x : (tensor<2x150x192xT>) -> tensor<2x150x3x64xT>
  %1 = optc.transpose %0 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x150x3x64xT>) -> tensor<2x3x150x64xT>
  %2 = optc.reshape %k : (tensor<2x150x192xT>) -> tensor<2x150x3x64xT>
  %3 = optc.transpose %2 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x150x3x64xT>) -> tensor<2x3x150x64xT>
  %4 = optc.reshape %v : (tensor<2x150x192xT>) -> tensor<2x150x3x64xT>
  %5 = optc.transpose %4 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x150x3x64xT>) -> tensor<2x3x150x64xT>
  %6 = optc.attention %1, %3, %5 {scale = 0.125 : f64} : (tensor<2x3x150x64xT>, tensor<2x3x150x64xT>, tensor<2x3x150x64xT>) -> tensor<2x3x150x64xT>
  %7 = optc.transpose %6 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x3x150x64xT>) -> tensor<2x150x3x64xT>
  return %7 : tensor<2x150x3x64xT>
})";
const char *kGroups = R"(
#q = #optc.dims<[1, 4, "n", 128]>
func.func @main(%q: tensor<1x4x?x128xT, #q>, %k: tensor<1x2x420x128xT>, %v: tensor<1x2x420x128xT>, %m: tensor<1x1x1x420xT>)
    -> (tensor<1x4x?x128xT, #q>, tensor<1x4x?x128xT, #q>) {
  %0 = optc.attention %q, %k, %v {scale = 0.0884 : f64, causal = true} : (tensor<1x4x?x128xT, #q>, tensor<1x2x420x128xT>, tensor<1x2x420x128xT>) -> tensor<1x4x?x128xT, #q>
  %1 = optc.attention %q, %k, %v, %m {scale = 0.0884 : f64} : (tensor<1x4x?x128xT, #q>, tensor<1x2x420x128xT>, tensor<1x2x420x128xT>, tensor<1x1x1x420xT>) -> tensor<1x4x?x128xT, #q>
  return %0, %1 : tensor<1x4x?x128xT, #q>, tensor<1x4x?x128xT, #q>
})";

// Heads of no multiple of 16, values of another width; the mask's rows are dynamic.
const char *kOddHeads = R"(
#q = #optc.dims<[2, 3, "n", 40]>
#m = #optc.dims<[2, 1, "n", 70]>
#y = #optc.dims<[2, 3, "n", 88]>
func.func @main(%q: tensor<2x3x?x40xT, #q>, %k: tensor<2x3x70x40xT>, %v: tensor<2x3x70x88xT>, %m: tensor<2x1x?x70xT, #m>) -> tensor<2x3x?x88xT, #y> {
  %0 = optc.attention %q, %k, %v, %m {scale = 0.158 : f64, causal = true} : (tensor<2x3x?x40xT, #q>, tensor<2x3x70x40xT>, tensor<2x3x70x88xT>, tensor<2x1x?x70xT, #m>) -> tensor<2x3x?x88xT, #y>
  return %0 : tensor<2x3x?x88xT, #y>
})";

// So few keys that one more or less shows.
const char *kFewKeys = R"(
func.func @main(%q: tensor<1x2x21x64xT>, %k: tensor<1x2x9x64xT>, %v: tensor<1x2x9x64xT>) -> tensor<1x2x21x64xT> {
  %0 = optc.attention %q, %k, %v {scale = 0.125 : f64} : (tensor<1x2x21x64xT>, tensor<1x2x9x64xT>, tensor<1x2x9x64xT>) -> tensor<1x2x21x64xT>
  return %0 : tensor<1x2x21x64xT>
})";

// Filters that are operands: of a plane, a line, one channel a group, over three dims.
const char *kFilters = R"(
#x = #optc.dims<["n", 9, 7, 12]>
#y = #optc.dims<["n", 5, 9, 20]>
#v = #optc.dims<["n", 5, 6, 6, 4]>
#z = #optc.dims<["n", 3, 6, 6, 24]>
func.func @main(%x: tensor<?x9x7x12xT, #x>, %w: tensor<3x2x12x20xT>, %l: tensor<2x19x8xT>, %k: tensor<5x8x17xT>, %d: tensor<3x3x1x12xT>, %v: tensor<?x5x6x6x4xT, #v>, %u: tensor<3x3x3x4x24xT>)
    -> (tensor<?x5x9x20xT, #y>, tensor<2x15x17xT>, tensor<?x9x7x12xT, #x>, tensor<?x3x6x6x24xT, #z>) {
  %0 = optc.conv %x, %w {dilations = array<i64: 1, 2>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 1, 3>, pads_low = array<i64: 1, 1>, strides = array<i64: 2, 1>}
      : (tensor<?x9x7x12xT, #x>, tensor<3x2x12x20xT>) -> tensor<?x5x9x20xT, #y>
  %1 = optc.conv %l, %k {dilations = array<i64: 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 0>, pads_low = array<i64: 0>, strides = array<i64: 1>}
      : (tensor<2x19x8xT>, tensor<5x8x17xT>) -> tensor<2x15x17xT>
  %2 = optc.conv %x, %d {dilations = array<i64: 1, 1>, groups = 12 : i64, layout = "nhwc", pads_high = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, strides = array<i64: 1, 1>}
      : (tensor<?x9x7x12xT, #x>, tensor<3x3x1x12xT>) -> tensor<?x9x7x12xT, #x>
  %3 = optc.conv %v, %u {dilations = array<i64: 1, 1, 1>, groups = 1 : i64, layout = "nhwc", pads_high = array<i64: 1, 1, 1>, pads_low = array<i64: 1, 1, 1>, strides = array<i64: 2, 1, 1>}
      : (tensor<?x5x6x6x4xT, #v>, tensor<3x3x3x4x24xT>) -> tensor<?x3x6x6x24xT, #z>
  return %0, %1, %2, %3 : tensor<?x5x9x20xT, #y>, tensor<2x15x17xT>, tensor<?x9x7x12xT, #x>, tensor<?x3x6x6x24xT, #z>
})";

const Model kSmallAttention[] = {{"bf16 f16", kHeadsSideBySide}, {"bf16", kGroups}, {"f16 bf16", kOddHeads}, {"bf16", kFewKeys}};
const Model kSmallProducts[] = {{"f32 bf16 f16", kLinear}, {"f32 bf16 f64 i64", kScores}, {"f32 bf16 f64 i32", kOddProduct}, {"f32 f16", kFilters}, {"f32", kOddScores}, {"f32 bf16 f16", kConvolution}, {"f32", kBytes}, {"f32 bf16 f16", kFewRows}};

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> optc::smallModels(mlir::MLIRContext &context) {
  return joinModels(kModels, context);
}
mlir::OwningOpRef<mlir::ModuleOp> optc::smallProducts(mlir::MLIRContext &context) {
  return joinModels(kSmallProducts, context);
}
mlir::OwningOpRef<mlir::ModuleOp> optc::smallAttention(mlir::MLIRContext &context) {
  return joinModels(kSmallAttention, context);
}
