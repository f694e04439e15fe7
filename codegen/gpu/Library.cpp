//===- Library.cpp - Kernels that call a function of the library ----------===//
//
// Each is one call, of sizes and pointers, and a launch for each of the function's steps:
//
//   TopK<float, 1024, true, true>::run({1, s0, 1, 50}, x0, y0, y1, error, workspace, launch)
//
// tile/*.cuh say what the functions compute, and how they are launched.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/Generators.h"
#include "codegen/kernel/LibraryKernel.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace optc;

namespace {

class LibraryCall {
public:
  explicit LibraryCall(DeviceFunction &f) : f(f), op(f.kernel.getBody().front().front()) {}
  LogicalResult run();

private:
  void emit(CumulativeOp op);
  void emit(TopKOp op);
  void emit(NonZeroOp op);
  void emit(NmsOp op);
  void emit(UniqueOp op);
  void emit(GatherElementsOp op);
  void emit(GatherNDOp op);
  void emit(MaxUnpoolOp op);
  void emit(ScatterElementsOp op);
  void emit(ScatterNDOp op);
  void emit(GridSampleOp op);
  void emit(ResizeOp op);
  void emit(RoiAlignOp op);
  void emit(MaxPoolIndicesOp op);
  void emit(ReverseSequenceOp op);
  void emit(LrnOp op);
  /// A thread for each.
  void useThreads(const DimExpr &items, StringRef file) {
    f.library = {"sort", file};
    f.threads = 256;
    f.items = items;
    f.itemsPerBlock = f.threads;
  }
  std::string number(double x) { return cudaConstant(f.b.getF64FloatAttr(x), f.b.getF64Type(), true).text; }
  static constexpr int64_t kItems = 4; // that a thread of a scatter moves
  /// `sizes`: elements of y, updates, elements of each, then the places'.
  void emitLastUpdates(ArrayRef<std::string> parameters, ArrayRef<DimExpr> sizes,
                       ArrayRef<std::string> arguments);
  void emitScatter(const std::string &places, ArrayRef<DimExpr> placeSizes, StringRef reduction,
                   const DimExpr &updates, const DimExpr &length);

  /// The type of an element in the text; integers as they are meant.
  static std::string typeText(Type element) {
    if (element.isUnsignedInteger() && element.getIntOrFloatBitWidth() > 1)
      return "u" + std::to_string(element.getIntOrFloatBitWidth());
    return cudaType(memoryType(element));
  }
  std::string operand(unsigned i) const { return pointer(i, elementOf(f.kernel.getOperand(i)), "const "); }
  std::string result(unsigned i) const {
    return pointer(f.kernel.getNumOperands() + i, elementOf(f.kernel.getResult(i)), "");
  }
  /// The parameter's type is signed.
  std::string pointer(unsigned parameter, Type element, const std::string &qualifier) const {
    std::string type = typeText(element), name = f.parameters[parameter].name;
    return type == cudaType(memoryType(element)) ? name : "(" + qualifier + type + " *)" + name;
  }
  /// Of an operand of the op that may be absent.
  std::string optional(Value v) const {
    return v ? operand(cast<BlockArgument>(v).getArgNumber()) : "nullptr";
  }

  void call(const std::string &function, ArrayRef<std::string> parameters, ArrayRef<DimExpr> sizes,
            ArrayRef<std::string> arguments) {
    SmallVector<Value> values;
    for (const DimExpr &d : sizes)
      values.push_back(f.size(d));
    f.callLibrary(function + "<" + llvm::join(parameters, ", ") + ">::run", values, arguments);
  }

  DeviceFunction &f;
  Operation &op;
};

std::string text(bool x) { return x ? "true" : "false"; }
std::string text(int64_t x) { return std::to_string(x); }

/// Bytes of an array that others follow.
DimExpr aligned(const DimExpr &bytes) { return DimExpr::ceildiv(bytes, 16) * DimExpr(16); }

/// outer, n, inner around a dim.
struct Rows {
  DimExpr outer = 1, n = 1, inner = 1;
  Rows(Value x, int64_t axis) {
    Dims dims = dimsOf(x);
    outer = numElements(ArrayRef(dims).take_front(axis));
    n = dims[axis];
    inner = numElements(ArrayRef(dims).drop_front(axis + 1));
  }
  DimExpr count() const { return outer * inner; }
};

/// 1 where n is larger than a constant, else 0.
DimExpr isAbove(const DimExpr &n, int64_t bound) { return DimExpr::min(DimExpr::floordiv(n, bound + 1), 1); }

/// Launches of a sort: of the tiles, then for each doubling of the runs.
DimExpr sortRounds(const DimExpr &n, int64_t tile) {
  DimExpr rounds = 1;
  for (int64_t width = tile; width < int64_t(1) << 31; width *= 2)
    rounds = rounds + isAbove(n, width);
  return rounds;
}

/// As large as a block's memory allows; smaller for short rows.
int64_t sortTile(const DimExpr &n) {
  constexpr int64_t kSmallest = 64, kLargest = 1024;
  auto known = n.constant();
  return known ? std::clamp<int64_t>(llvm::PowerOf2Ceil(std::max<int64_t>(*known, 1)), kSmallest, kLargest)
               : kLargest;
}

/// Bytes of a key of an element.
int64_t keyBytes(Type element) {
  return element.isF16() || element.isBF16() ? 4 : element.getIntOrFloatBitWidth() / 8;
}

/// Twice keys and positions.
DimExpr sortWorkspace(const DimExpr &all, int64_t bytes) {
  return DimExpr(2) * (aligned(all * DimExpr(bytes)) + aligned(all * DimExpr(4)));
}

//===----------------------------------------------------------------------===//
// Scans and sorts
//===----------------------------------------------------------------------===//

void LibraryCall::emit(CumulativeOp op) {
  Rows rows(op.getX(), op.getAxis());
  // A block has enough to do with a row, unless it is short.
  constexpr int64_t kShortest = 64;
  bool isRow = rows.inner == DimExpr(1) && rows.n.constant().value_or(kShortest) >= kShortest;
  int64_t part = isRow ? 2048 : 128;
  DimExpr parts = DimExpr::ceildiv(rows.n, part);
  f.library = {"scan"};
  f.threads = 256;
  f.items = rows.count() * parts;
  f.itemsPerBlock = isRow ? 1 : f.threads;
  f.useWorkspace(rows.count() * parts * DimExpr(8));
  f.repeat(DimExpr(1) + DimExpr(2) * isAbove(rows.n, part));
  call(isRow ? "ScanRows" : "ScanColumns",
       {typeText(elementOf(op.getX())), text(op.getKind() == "prod"), text(op.getExclusive()),
        text(op.getReverse())},
       {rows.outer, rows.n, rows.inner}, {operand(0), result(0), "workspace", "launch"});
}

void LibraryCall::emit(TopKOp op) {
  Rows rows(op.getX(), op.getAxis());
  Type element = elementOf(op.getX());
  int64_t tile = sortTile(rows.n);
  f.library = {"sort"};
  f.threads = tile / 2;
  f.items = rows.count() * DimExpr::max(DimExpr::ceildiv(rows.n, tile), 1);
  f.useWorkspace(sortWorkspace(rows.count() * rows.n, keyBytes(element)));
  f.repeat(sortRounds(rows.n, tile));
  call("TopK", {typeText(element), text(tile), text(op.getLargest()), text(op.getSorted())},
       {rows.outer, rows.n, rows.inner, dimsOf(op.getValues())[op.getAxis()]},
       {operand(0), result(0), result(1), "error", "workspace", "launch"});
}

void LibraryCall::emit(NonZeroOp op) {
  Dims dims = dimsOf(op.getX());
  f.library = {"scan", "nonzero"};
  f.threads = 256;
  f.items = numElements(dims);
  f.itemsPerBlock = 2048;
  f.useWorkspace(f.blocks() * DimExpr(8));
  f.countResults(2);
  f.repeat(3);
  call("NonZero", {typeText(elementOf(op.getX())), text(int64_t(dims.size()))}, dims,
       {operand(0), result(0), "workspace", "count", "launch"});
}

void LibraryCall::emit(NmsOp op) {
  Dims scores = dimsOf(op.getScores());
  Type element = elementOf(op.getScores());
  DimExpr rows = scores[0] * scores[1], n = scores[2];
  int64_t tile = sortTile(n);
  f.library = {"scan", "sort", "nms"};
  f.threads = tile / 2;
  f.items = rows * DimExpr::ceildiv(n, tile);
  f.useWorkspace(sortWorkspace(rows * n, keyBytes(element)) + rows * DimExpr(16));
  DimExpr rounds = sortRounds(n, tile);
  f.countResults(rounds + 2);
  f.repeat(rounds + 3);
  auto typeOf = [&](Value v, const char *otherwise) { return v ? typeText(elementOf(v)) : otherwise; };
  call("Nms",
       {typeText(elementOf(op.getBoxes())), typeText(element), typeOf(op.getMaxPerClass(), "i64"),
        typeOf(op.getIouThreshold(), "float"), typeOf(op.getScoreThreshold(), "float"), text(tile),
        text(op.getCenterBox())},
       scores,
       {operand(0), operand(1), optional(op.getMaxPerClass()), optional(op.getIouThreshold()),
        optional(op.getScoreThreshold()), result(0), "workspace", "count", "launch"});
}

void LibraryCall::emit(UniqueOp op) {
  DimExpr n = numElements(dimsOf(op.getX()));
  Type element = elementOf(op.getX());
  int64_t tile = sortTile(n);
  f.library = {"scan", "sort", "unique"};
  f.threads = tile / 2;
  f.items = n;
  f.itemsPerBlock = tile;
  f.useWorkspace(sortWorkspace(n, keyBytes(element)) + DimExpr(3) * aligned(n * DimExpr(4)) +
                 DimExpr(16) * f.blocks());
  DimExpr rounds = sortRounds(n, tile);
  f.countResults(rounds + 2);
  f.repeat(rounds + 5);
  call("Unique", {typeText(element), text(tile), text(op.getSorted())}, {n},
       {operand(0), result(0), result(1), result(2), result(3), "workspace", "count", "launch"});
}

//===----------------------------------------------------------------------===//
// Gathers and scatters
//===----------------------------------------------------------------------===//

void LibraryCall::emit(GatherElementsOp op) {
  Dims sizes = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  int64_t rank = int64_t(sizes.size());
  sizes.append(indices.begin(), indices.end());
  useThreads(numElements(indices), "scatter");
  call("GatherElements",
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getIndices())), text(rank),
        text(int64_t(op.getAxis()))},
       sizes, {operand(0), operand(1), result(0), "error"});
}

void LibraryCall::emit(GatherNDOp op) {
  Dims x = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  int64_t batch = op.getBatchDims(), depth = *indices.back().constant();
  indices.pop_back();
  ArrayRef<DimExpr> dims(x);
  SmallVector<DimExpr> sizes{numElements(dims.take_front(batch)),
                             numElements(ArrayRef(indices).drop_front(batch)),
                             numElements(dims.drop_front(batch + depth))};
  llvm::append_range(sizes, dims.slice(batch, depth));
  useThreads(numElements(dimsOf(op.getY())), "scatter");
  call("GatherTuples", {typeText(elementOf(op.getX())), typeText(elementOf(op.getIndices())), text(depth)},
       sizes, {operand(0), operand(1), result(0), "error"});
}

void LibraryCall::emit(MaxUnpoolOp op) {
  DimExpr all = numElements(dimsOf(op.getY())), updates = numElements(dimsOf(op.getX()));
  emitLastUpdates({typeText(elementOf(op.getX())), typeText(elementOf(op.getIndices())), "FlatPlaces"},
                  {all, updates, 1, all},
                  {"nullptr", operand(1), operand(0), result(0), "error", "workspace", "launch"});
}

void LibraryCall::emit(ScatterElementsOp op) {
  Dims sizes = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  std::string places =
      "ElementPlaces<" + text(int64_t(sizes.size())) + ", " + text(int64_t(op.getAxis())) + ">";
  sizes.append(indices.begin(), indices.end());
  emitScatter(places, sizes, op.getReduction(), numElements(indices), 1);
}

void LibraryCall::emit(ScatterNDOp op) {
  Dims x = dimsOf(op.getX()), indices = dimsOf(op.getIndices());
  int64_t depth = *indices.back().constant();
  indices.pop_back();
  emitScatter("TuplePlaces<" + text(depth) + ">", ArrayRef(x).take_front(depth), op.getReduction(),
              numElements(indices), numElements(ArrayRef(x).drop_front(depth)));
}

void LibraryCall::emitLastUpdates(ArrayRef<std::string> parameters, ArrayRef<DimExpr> sizes,
                                  ArrayRef<std::string> arguments) {
  f.library = {"sort", "scatter"};
  f.threads = 256;
  f.items = DimExpr::max(sizes[0], sizes[1] * sizes[2]);
  f.itemsPerBlock = f.threads * kItems;
  f.useWorkspace(sizes[0] * DimExpr(8));
  f.repeat(3);
  call("Scatter", parameters, sizes, arguments);
}

void LibraryCall::emitScatter(const std::string &places, ArrayRef<DimExpr> placeSizes, StringRef reduction,
                              const DimExpr &updates, const DimExpr &length) {
  DimExpr all = numElements(dimsOf(f.kernel.getOperand(0)));
  SmallVector<DimExpr> sizes{all, updates, length};
  sizes.append(placeSizes.begin(), placeSizes.end());
  std::vector<std::string> parameters{typeText(elementOf(f.kernel.getOperand(0))),
                                      typeText(elementOf(f.kernel.getOperand(1))), places};
  std::vector<std::string> arguments{operand(0), operand(1),  operand(2), result(0),
                                     "error",    "workspace", "launch"};
  if (reduction == "none")
    return emitLastUpdates(parameters, sizes, arguments);
  f.library = {"sort", "scatter"};
  int64_t tile = sortTile(updates);
  f.threads = tile / 2;
  f.items = DimExpr::max(DimExpr::ceildiv(updates, tile),
                         DimExpr::ceildiv(DimExpr::max(all, updates * length), f.threads * kItems));
  f.useWorkspace(aligned(updates * DimExpr(12)) + sortWorkspace(updates, 8));
  f.repeat(sortRounds(updates, tile) + 2);
  parameters.push_back(reduction == "add"   ? "kAdd"
                       : reduction == "mul" ? "kMul"
                       : reduction == "min" ? "kMin"
                                            : "kMax");
  parameters.push_back(text(tile));
  call("ScatterCombined", parameters, sizes, arguments);
}

//===----------------------------------------------------------------------===//
// Samples
//===----------------------------------------------------------------------===//

void LibraryCall::emit(GridSampleOp op) {
  Dims x = dimsOf(op.getX()), grid = dimsOf(op.getGrid());
  constexpr int64_t kChannels = 8; // GridSample's
  int64_t taps = op.getMode() == "nearest" ? 1 : op.getMode() == "linear" ? 2 : 4;
  DimExpr places = numElements(ArrayRef(grid).drop_front().drop_back());
  SmallVector<DimExpr> sizes{x[0], x[1], places};
  sizes.append(x.begin() + 2, x.end());
  useThreads(x[0] * DimExpr::ceildiv(x[1], kChannels) * places, "sampling");
  StringRef padding = op.getPadding() == "border"       ? "kBorder"
                      : op.getPadding() == "reflection" ? "kReflection"
                                                        : "kZeros";
  call("GridSample",
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getGrid())), text(int64_t(x.size()) - 2),
        text(taps), padding.str(), text(op.getAlignCorners())},
       sizes, {operand(0), operand(1), result(0), "error"});
}

void LibraryCall::emit(ResizeOp op) {
  Dims sizes = dimsOf(op.getX()), y = dimsOf(op.getY());
  int64_t rank = int64_t(sizes.size());
  sizes.append(y.begin(), y.end());
  useThreads(numElements(y), "sampling");
  f.library.push_back("resize");
  StringRef mode = op.getMode() == "nearest" ? "kNearest" : op.getMode() == "linear" ? "kLinear" : "kCubic";
  StringRef coordinates = llvm::StringSwitch<StringRef>(op.getCoordinates())
                              .Case("half_pixel_symmetric", "kHalfPixelSymmetric")
                              .Case("pytorch_half_pixel", "kPytorchHalfPixel")
                              .Case("align_corners", "kAlignCorners")
                              .Case("asymmetric", "kAsymmetric")
                              .Case("tf_crop_and_resize", "kCropAndResize")
                              .Case("tf_half_pixel_for_nn", "kHalfPixelForNearest")
                              .Default("kHalfPixel");
  StringRef rounding = llvm::StringSwitch<StringRef>(op.getNearestMode())
                           .Case("floor", "kFloor")
                           .Case("ceil", "kCeil")
                           .Case("round_prefer_ceil", "kRoundPreferCeil")
                           .Default("kRoundPreferFloor");
  std::vector<std::string> scales;
  auto roi = op.getRoi();
  for (int64_t d = 0; d < rank; ++d)
    scales.push_back(number(op.getScales().empty() ? 0 : op.getScales()[d]));
  for (int64_t d = 0; d < 2 * rank; ++d)
    scales.push_back(number(roi.empty() ? d / rank : roi[d]));
  call("Resize",
       {typeText(elementOf(op.getX())), text(rank), mode.str(), coordinates.str(), rounding.str(),
        text(op.getExcludeOutside()), text(op.getAntialias())},
       sizes,
       {operand(0), optional(op.getScale()), optional(op.getRegion()), result(0),
        "ResizeScales<" + text(rank) + ">{" + llvm::join(scales, ", ") + "}",
        "ResizeFormula{" + number(op.getCubicCoeffA().convertToDouble()) + ", " +
            number(op.getExtrapolationValue().convertToDouble()) + "}",
        "error"});
}

void LibraryCall::emit(RoiAlignOp op) {
  Dims x = dimsOf(op.getX()), y = dimsOf(op.getY());
  useThreads(numElements(y), "sampling");
  call("RoiAlign",
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getRois())), typeText(elementOf(op.getBatch())),
        text(op.getKind() == "mean"), text(op.getHalfPixel())},
       {x[0], x[1], x[2], x[3], y[0], y[2], y[3], DimExpr(int64_t(op.getSamplingRatio()))},
       {operand(0), operand(1), operand(2), result(0), number(op.getSpatialScale().convertToDouble()),
        "error"});
}

void LibraryCall::emit(MaxPoolIndicesOp op) {
  Dims x = dimsOf(op.getX()), y = dimsOf(op.getY());
  SmallVector<DimExpr> sizes{x[0] * x[1]};
  sizes.append(x.begin() + 2, x.end());
  sizes.append(y.begin() + 2, y.end());
  for (ArrayRef<int64_t> list : {op.getWindow(), op.getStrides(), op.getDilations(), op.getPadsLow()})
    sizes.append(list.begin(), list.end());
  useThreads(numElements(y), "sampling");
  call("MaxPoolIndices",
       {typeText(elementOf(op.getX())), text(int64_t(x.size()) - 2), text(op.getColumnMajor())}, sizes,
       {operand(0), result(0), result(1)});
}

void LibraryCall::emit(ReverseSequenceOp op) {
  Dims x = dimsOf(op.getX());
  int64_t time = op.getTimeAxis(), batch = op.getBatchAxis(), low = std::min(time, batch),
          high = std::max(time, batch);
  ArrayRef<DimExpr> dims(x);
  useThreads(numElements(x), "sampling");
  call("ReverseSequence",
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getLengths())), text(time < batch)},
       {numElements(dims.take_front(low)), x[low], numElements(dims.slice(low + 1, high - low - 1)), x[high],
        numElements(dims.drop_front(high + 1))},
       {operand(0), operand(1), result(0), "error"});
}

void LibraryCall::emit(LrnOp op) {
  Rows rows(op.getX(), 1);
  useThreads(rows.count() * rows.n, "sampling");
  call("Lrn", {typeText(elementOf(op.getX()))},
       {rows.outer, rows.n, rows.inner, DimExpr(int64_t(op.getSize()))},
       {operand(0), result(0), number(op.getAlpha().convertToDouble() / double(op.getSize())),
        number(op.getBeta().convertToDouble()), number(op.getBias().convertToDouble())});
}

LogicalResult LibraryCall::run() {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<CumulativeOp, TopKOp, NonZeroOp, NmsOp, UniqueOp, GatherElementsOp, GatherNDOp, MaxUnpoolOp,
            ScatterElementsOp, ScatterNDOp, GridSampleOp, ResizeOp, RoiAlignOp, MaxPoolIndicesOp,
            ReverseSequenceOp, LrnOp>([&](auto o) {
        emit(o);
        return success();
      })
      .Default(failure());
}

} // namespace

LogicalResult optc::generateDeviceLibrary(DeviceFunction &f) {
  if (!hasLibraryKernel(&f.kernel.getBody().front().front()))
    return failure();
  return LibraryCall(f).run();
}
