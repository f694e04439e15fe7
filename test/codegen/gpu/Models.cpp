//===- Models.cpp - Models whose kernels are tried ------------------------===//

#include "test/codegen/gpu/Models.h"
#include "ir/Dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"

using namespace optc;

namespace {

/// A function, and the element types that stand for T in it.
struct Model {
  const char *elements;
  const char *text;
};

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

const Model kModels[] = {
    {"f32 f16 bf16 f64 i64 i8 ui16", kElementwise},
    {"f32 f16 i32", kBroadcast},
    {"f32 i8", kTransposed},
    {"f32 i64", kMask},
    {"i8 i16 i32 i64 ui8", kIntegers},
    {"f32", kGather},
    {"f16 bf16 f8E4M3FN f8E5M2", kTable},
    {"f32 i64", kInPlaceOps},
    {"f32 f16", kActivations},
    {"f32 i1", kMovement},
    {"f32 f16 bf16", kSoftmaxes},
    {"f32 f16", kNormalize},
    {"f32 f16 i8 i32 i64", kReductions},
};

//===-- Large ones, to be measured -----------------------------------------===//

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
    {"f32 bf16", kLongSum},     {"f32 f16", kLongGelu},  {"f32 bf16", kBiasRows},   {"f32", kScaleChannels},
    {"f32 bf16", kSoftmaxLong}, {"f32 bf16", kSoftmaxShort}, {"f32 bf16", kNormRows}, {"f32 bf16", kNormWide},
    {"f32 bf16", kSumRows},     {"f32 bf16", kMaxColumns}, {"f32", kMeanPlanes},    {"f32 bf16", kTurn},
    {"f32 bf16", kChannelsLast}, {"f32 bf16", kHeads},    {"f32", kJoin}};

/// All models as one: the arguments, ops and results of each function in turn.
mlir::OwningOpRef<mlir::ModuleOp> joined(llvm::ArrayRef<Model> models, mlir::MLIRContext &context) {
  mlir::OpBuilder b(&context);
  mlir::Location loc = b.getUnknownLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  b.setInsertionPointToEnd(module->getBody());
  auto main = b.create<mlir::func::FuncOp>(loc, "main", b.getFunctionType({}, {}));
  mlir::Block *block = main.addEntryBlock();
  b.setInsertionPointToEnd(block);
  llvm::SmallVector<mlir::Value> results;
  for (const Model &model : models) {
    llvm::SmallVector<llvm::StringRef> elements;
    llvm::StringRef(model.elements).split(elements, ' ');
    for (llvm::StringRef element : elements) {
      std::string text;
      for (const char *c = model.text; *c; ++c)
        text += *c == 'T' && c[-1] == 'x' ? element.str() : std::string(1, *c);
      auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
      if (!parsed)
        return nullptr;
      auto f = parsed->lookupSymbol<mlir::func::FuncOp>("main");
      mlir::IRMapping mapping;
      for (mlir::Value argument : f.getArguments())
        mapping.map(argument, block->addArgument(argument.getType(), loc));
      for (mlir::Operation &op : f.getBody().front().without_terminator())
        b.clone(op, mapping);
      for (mlir::Value result : f.getBody().front().getTerminator()->getOperands())
        results.push_back(mapping.lookup(result));
    }
  }
  b.create<mlir::func::ReturnOp>(loc, results);
  main.setType(b.getFunctionType(block->getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(results))));
  return module;
}

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> optc::smallModels(mlir::MLIRContext &context) { return joined(kModels, context); }
mlir::OwningOpRef<mlir::ModuleOp> optc::largeModels(mlir::MLIRContext &context) {
  return joined(kLargeModels, context);
}
