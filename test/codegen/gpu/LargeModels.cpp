//===- LargeModels.cpp - Models whose kernels are measured ----------------===//

#include "test/codegen/gpu/JoinModels.h"
#include "test/codegen/gpu/Models.h"

using namespace optc;

namespace {

// What moves 200 to 400 MB: more than caches hold.
const char *kLongSum = R"(
func.func @main(%x: tensor<33554432xT>, %y: tensor<33554432xT>) -> tensor<33554432xT> {
  %0 = optc.add %x, %y : (tensor<33554432xT>, tensor<33554432xT>) -> tensor<33554432xT>
  return %0 : tensor<33554432xT>
})";
const char *kLongGelu = R"(
func.func @main(%x: tensor<33554432xT>) -> tensor<33554432xT> {
  %0 = optc.gelu %x {approximate = "none"} : (tensor<33554432xT>) -> tensor<33554432xT>
  return %0 : tensor<33554432xT>
})";
const char *kBiasRows = R"(
func.func @main(%x: tensor<8192x4096xT>, %b: tensor<4096xT>) -> tensor<8192x4096xT> {
  %0 = optc.broadcast %b : (tensor<4096xT>) -> tensor<8192x4096xT>
  %1 = optc.add %x, %0 : (tensor<8192x4096xT>, tensor<8192x4096xT>) -> tensor<8192x4096xT>
  %2 = optc.tanh %1 : (tensor<8192x4096xT>) -> tensor<8192x4096xT>
  return %2 : tensor<8192x4096xT>
})";
const char *kScaleChannels = R"(
func.func @main(%x: tensor<32x64x16384xT>, %s: tensor<64x1xT>) -> tensor<32x64x16384xT> {
  %0 = optc.broadcast %s : (tensor<64x1xT>) -> tensor<32x64x16384xT>
  %1 = optc.mul %x, %0 : (tensor<32x64x16384xT>, tensor<32x64x16384xT>) -> tensor<32x64x16384xT>
  return %1 : tensor<32x64x16384xT>
})";
const char *kSoftmaxLong = R"(
func.func @main(%x: tensor<8192x4096xT>) -> tensor<8192x4096xT> {
  %0 = optc.softmax %x {axis = 1 : i64} : (tensor<8192x4096xT>) -> tensor<8192x4096xT>
  return %0 : tensor<8192x4096xT>
})";
const char *kSoftmaxShort = R"(
func.func @main(%x: tensor<98304x384xT>) -> tensor<98304x384xT> {
  %0 = optc.softmax %x {axis = 1 : i64} : (tensor<98304x384xT>) -> tensor<98304x384xT>
  return %0 : tensor<98304x384xT>
})";
const char *kNormRows = R"(
func.func @main(%x: tensor<32768x768xT>, %r: tensor<32768x768xT>, %w: tensor<768xT>, %b: tensor<768xT>) -> tensor<32768x768xT> {
  %s = optc.add %x, %r : (tensor<32768x768xT>, tensor<32768x768xT>) -> tensor<32768x768xT>
  %n = optc.normalize %s scale %w bias %b {axis = 1 : i64, epsilon = 1.0e-5 : f64, kind = "layer"} : (tensor<32768x768xT>, tensor<768xT>, tensor<768xT>) -> tensor<32768x768xT>
  return %n : tensor<32768x768xT>
})";
const char *kNormWide = R"(
func.func @main(%x: tensor<8192x4096xT>, %w: tensor<4096xT>, %b: tensor<4096xT>) -> tensor<8192x4096xT> {
  %n = optc.normalize %x scale %w bias %b {axis = 1 : i64, epsilon = 1.0e-5 : f64, kind = "layer"} : (tensor<8192x4096xT>, tensor<4096xT>, tensor<4096xT>) -> tensor<8192x4096xT>
  return %n : tensor<8192x4096xT>
})";
const char *kSumRows = R"(
func.func @main(%x: tensor<8192x8192xT>) -> tensor<8192xT> {
  %0 = optc.reduce %x {axes = array<i64: 1>, kind = "sum"} : (tensor<8192x8192xT>) -> tensor<8192xT>
  return %0 : tensor<8192xT>
})";
const char *kMaxColumns = R"(
func.func @main(%x: tensor<8192x8192xT>) -> tensor<8192xT> {
  %0 = optc.reduce %x {axes = array<i64: 0>, kind = "max"} : (tensor<8192x8192xT>) -> tensor<8192xT>
  return %0 : tensor<8192xT>
})";
const char *kMeanPlanes = R"(
func.func @main(%x: tensor<1024x49x1024xT>) -> tensor<1024x1024xT> {
  %0 = optc.reduce %x {axes = array<i64: 1>, kind = "mean"} : (tensor<1024x49x1024xT>) -> tensor<1024x1024xT>
  return %0 : tensor<1024x1024xT>
})";
const char *kTurn = R"(
func.func @main(%x: tensor<8192x4096xT>) -> tensor<4096x8192xT> {
  %0 = optc.transpose %x {permutation = array<i64: 1, 0>} : (tensor<8192x4096xT>) -> tensor<4096x8192xT>
  return %0 : tensor<4096x8192xT>
})";
const char *kChannelsLast = R"(
func.func @main(%x: tensor<32x64x12544xT>) -> tensor<32x12544x64xT> {
  %0 = optc.transpose %x {permutation = array<i64: 0, 2, 1>} : (tensor<32x64x12544xT>) -> tensor<32x12544x64xT>
  return %0 : tensor<32x12544x64xT>
})";
const char *kHeads = R"(
func.func @main(%x: tensor<32x1024x12x64xT>) -> tensor<32x12x1024x64xT> {
  %0 = optc.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : (tensor<32x1024x12x64xT>) -> tensor<32x12x1024x64xT>
  return %0 : tensor<32x12x1024x64xT>
})";
const char *kJoin = R"(
func.func @main(%x: tensor<8192x2048xT>, %y: tensor<8192x2048xT>) -> tensor<8192x4096xT> {
  %0 = optc.concat %x, %y {axis = 1 : i64} : (tensor<8192x2048xT>, tensor<8192x2048xT>) -> tensor<8192x4096xT>
  return %0 : tensor<8192x4096xT>
})";

const Model kLargeModels[] = {
    {"f32 bf16", kLongSum},      {"f32 f16", kLongGelu},     {"f32 bf16", kBiasRows},
    {"f32", kScaleChannels},     {"f32 bf16", kSoftmaxLong}, {"f32 bf16", kSoftmaxShort},
    {"f32 bf16", kNormRows},     {"f32 bf16", kNormWide},    {"f32 bf16", kSumRows},
    {"f32 bf16", kMaxColumns},   {"f32", kMeanPlanes},       {"f32 bf16", kTurn},
    {"f32 bf16", kChannelsLast}, {"f32 bf16", kHeads},       {"f32", kJoin}};

// Products.

const char *kSquare = R"(
func.func @main(%x: tensor<R8192x8192xT>, %w: tensor<8192x8192xT>) -> tensor<R8192x8192xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<R8192x8192xT>, tensor<8192x8192xT>) -> tensor<R8192x8192xT>
  return %0 : tensor<R8192x8192xT>
})";
const char *kSquareFloat = R"(
func.func @main(%x: tensor<R4096x4096xT>, %w: tensor<4096x4096xT>) -> tensor<R4096x4096xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<R4096x4096xT>, tensor<4096x4096xT>) -> tensor<R4096x4096xT>
  return %0 : tensor<R4096x4096xT>
})";
// As quantised layers have them: sums run along the rows of the weights.
const char *kSquareBytes = R"(
func.func @main(%x: tensor<R8192x8192xui8>, %w: tensor<8192x8192xi8>) -> tensor<R8192x8192xi32> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 1>} : (tensor<R8192x8192xui8>, tensor<8192x8192xi8>) -> tensor<R8192x8192xi32>
  return %0 : tensor<R8192x8192xi32>
})";
const char *kSquareFloat8 = R"(
func.func @main(%x: tensor<R8192x8192xT>, %w: tensor<8192x8192xT>) -> tensor<R8192x8192xbf16> {
  %0 = optc.cast %x : (tensor<R8192x8192xT>) -> tensor<R8192x8192xf32>
  %1 = optc.cast %w : (tensor<8192x8192xT>) -> tensor<8192x8192xf32>
  %2 = optc.contract %0, %1 {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 1>} : (tensor<R8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<R8192x8192xf32>
  %3 = optc.cast %2 : (tensor<R8192x8192xf32>) -> tensor<R8192x8192xbf16>
  return %3 : tensor<R8192x8192xbf16>
})";
// bert_base of 8 sequences of 128.
const char *kProjection = R"(
func.func @main(%x: tensor<R1024x768xT>, %w: tensor<768x768xT>, %b: tensor<768xT>, %r: tensor<R1024x768xT>) -> tensor<R1024x768xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<R1024x768xT>, tensor<768x768xT>) -> tensor<R1024x768xT>
  %1 = optc.broadcast %b : (tensor<768xT>) -> tensor<R1024x768xT>
  %2 = optc.add %0, %1 : (tensor<R1024x768xT>, tensor<R1024x768xT>) -> tensor<R1024x768xT>
  %3 = optc.add %2, %r : (tensor<R1024x768xT>, tensor<R1024x768xT>) -> tensor<R1024x768xT>
  return %3 : tensor<R1024x768xT>
})";
const char *kWiden = R"(
func.func @main(%x: tensor<R1024x768xT>, %w: tensor<768x3072xT>, %b: tensor<3072xT>) -> tensor<R1024x3072xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<R1024x768xT>, tensor<768x3072xT>) -> tensor<R1024x3072xT>
  %1 = optc.broadcast %b : (tensor<3072xT>) -> tensor<R1024x3072xT>
  %2 = optc.add %0, %1 : (tensor<R1024x3072xT>, tensor<R1024x3072xT>) -> tensor<R1024x3072xT>
  %3 = optc.gelu %2 {approximate = "none"} : (tensor<R1024x3072xT>) -> tensor<R1024x3072xT>
  return %3 : tensor<R1024x3072xT>
})";
const char *kNarrow = R"(
func.func @main(%x: tensor<R1024x3072xT>, %w: tensor<3072x768xT>, %b: tensor<768xT>, %r: tensor<R1024x768xT>) -> tensor<R1024x768xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<R1024x3072xT>, tensor<3072x768xT>) -> tensor<R1024x768xT>
  %1 = optc.broadcast %b : (tensor<768xT>) -> tensor<R1024x768xT>
  %2 = optc.add %0, %1 : (tensor<R1024x768xT>, tensor<R1024x768xT>) -> tensor<R1024x768xT>
  %3 = optc.add %2, %r : (tensor<R1024x768xT>, tensor<R1024x768xT>) -> tensor<R1024x768xT>
  return %3 : tensor<R1024x768xT>
})";
// 1x1 convolutions of resnet50 on 8 images.
const char *kEarly = R"(
func.func @main(%x: tensor<R25088x64xT>, %w: tensor<64x256xT>, %b: tensor<256xT>) -> tensor<R25088x256xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<R25088x64xT>, tensor<64x256xT>) -> tensor<R25088x256xT>
  %1 = optc.broadcast %b : (tensor<256xT>) -> tensor<R25088x256xT>
  %2 = optc.add %0, %1 : (tensor<R25088x256xT>, tensor<R25088x256xT>) -> tensor<R25088x256xT>
  %z = optc.constant dense<0.0> : tensor<1xT>
  %zs = optc.broadcast %z : (tensor<1xT>) -> tensor<R25088x256xT>
  %3 = optc.max %2, %zs : (tensor<R25088x256xT>, tensor<R25088x256xT>) -> tensor<R25088x256xT>
  return %3 : tensor<R25088x256xT>
})";
const char *kLate = R"(
func.func @main(%x: tensor<R1568x1024xT>, %w: tensor<1024x256xT>, %b: tensor<256xT>) -> tensor<R1568x256xT> {
  %0 = optc.contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>} : (tensor<R1568x1024xT>, tensor<1024x256xT>) -> tensor<R1568x256xT>
  %1 = optc.broadcast %b : (tensor<256xT>) -> tensor<R1568x256xT>
  %2 = optc.add %0, %1 : (tensor<R1568x256xT>, tensor<R1568x256xT>) -> tensor<R1568x256xT>
  %z = optc.constant dense<0.0> : tensor<1xT>
  %zs = optc.broadcast %z : (tensor<1xT>) -> tensor<R1568x256xT>
  %3 = optc.max %2, %zs : (tensor<R1568x256xT>, tensor<R1568x256xT>) -> tensor<R1568x256xT>
  return %3 : tensor<R1568x256xT>
})";

const char *kLongAttention = R"(
func.func @main(%q: tensor<1x16xR8192x128xT>, %k: tensor<1x16x8192x128xT>, %v: tensor<1x16x8192x128xT>) -> tensor<1x16xR8192x128xT> {
  %0 = optc.attention %q, %k, %v {scale = 0.0884 : f64} : (tensor<1x16xR8192x128xT>, tensor<1x16x8192x128xT>, tensor<1x16x8192x128xT>) -> tensor<1x16xR8192x128xT>
  return %0 : tensor<1x16xR8192x128xT>
})";
const char *kManyHeads = R"(
func.func @main(%q: tensor<8x12xR512x64xT>, %k: tensor<8x12x512x64xT>, %v: tensor<8x12x512x64xT>) -> tensor<8x12xR512x64xT> {
  %0 = optc.attention %q, %k, %v {scale = 0.125 : f64} : (tensor<8x12xR512x64xT>, tensor<8x12x512x64xT>, tensor<8x12x512x64xT>) -> tensor<8x12xR512x64xT>
  return %0 : tensor<8x12xR512x64xT>
})";

const Model kAttention[] = {{"bf16 f16", kLongAttention}, {"bf16", kManyHeads}};
const Model kProducts[] = {{"bf16 f16", kSquare},     {"i8", kSquareBytes},  {"f8E4M3FN", kSquareFloat8}, {"f32", kSquareFloat},
                           {"bf16 f32", kProjection}, {"bf16 f32", kWiden},  {"bf16 f32", kNarrow},
                           {"bf16", kEarly},          {"bf16", kLate}};

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> optc::largeModels(mlir::MLIRContext &context) {
  return joinModels(kLargeModels, context);
}
mlir::OwningOpRef<mlir::ModuleOp> optc::attentionModels(mlir::MLIRContext &context, int64_t rows) {
  return joinModels(kAttention, context, rows);
}
mlir::OwningOpRef<mlir::ModuleOp> optc::productModels(mlir::MLIRContext &context, int64_t rows) {
  return joinModels(kProducts, context, rows);
}
