//===- LibraryImages.cpp - Samples and windows of images ------------------===//
//
// A thread for each element of a result, or a few channels of it: tile/sampling.cuh, tile/regions.cuh, tile/resize.cuh, tile/conv_direct.cuh.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/LibraryCall.h"
#include "codegen/gpu/ProductEpilogue.h"
#include "codegen/kernel/LibraryKernel.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace optc;

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
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getGrid())), libraryText(int64_t(x.size()) - 2),
        libraryText(taps), padding.str(), libraryText(op.getAlignCorners())},
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
       {typeText(elementOf(op.getX())), libraryText(rank), mode.str(), coordinates.str(), rounding.str(),
        libraryText(op.getExcludeOutside()), libraryText(op.getAntialias())},
       sizes,
       {operand(0), optional(op.getScale()), optional(op.getRegion()), result(0),
        "ResizeScales<" + libraryText(rank) + ">{" + llvm::join(scales, ", ") + "}",
        "ResizeFormula{" + number(op.getCubicCoeffA().convertToDouble()) + ", " +
            number(op.getExtrapolationValue().convertToDouble()) + "}",
        "error"});
}

void LibraryCall::emit(RoiAlignOp op) {
  Dims x = dimsOf(op.getX()), y = dimsOf(op.getY());
  useThreads(numElements(y), "sampling");
  f.library.push_back("regions");
  call("RoiAlign",
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getRois())), typeText(elementOf(op.getBatch())),
        libraryText(op.getKind() == "mean"), libraryText(op.getHalfPixel())},
       {x[0], x[1], x[2], x[3], y[0], y[2], y[3]},
       {operand(0), operand(1), operand(2), result(0), libraryText(int64_t(op.getSamplingRatio())), number(op.getSpatialScale().convertToDouble()),
        "error"});
}

void LibraryCall::emit(MaxRoiPoolOp op) {
  Dims x = dimsOf(op.getX()), y = dimsOf(op.getY());
  useThreads(numElements(y), "sampling");
  f.library.push_back("regions");
  call("MaxRoiPool", {typeText(elementOf(op.getX())), typeText(elementOf(op.getRois()))}, {x[0], x[1], x[2], x[3], y[0], y[2], y[3]},
       {operand(0), operand(1), result(0), number(op.getSpatialScale().convertToDouble()), "error"});
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
       {typeText(elementOf(op.getX())), libraryText(int64_t(x.size()) - 2), libraryText(op.getColumnMajor())}, sizes,
       {operand(0), result(0), result(1)});
}

void LibraryCall::emit(ReverseSequenceOp op) {
  Dims x = dimsOf(op.getX());
  int64_t time = op.getTimeAxis(), batch = op.getBatchAxis(), low = std::min(time, batch),
          high = std::max(time, batch);
  ArrayRef<DimExpr> dims(x);
  useThreads(numElements(x), "sampling");
  call("ReverseSequence",
       {typeText(elementOf(op.getX())), typeText(elementOf(op.getLengths())), libraryText(time < batch)},
       {numElements(dims.take_front(low)), x[low], numElements(dims.slice(low + 1, high - low - 1)), x[high],
        numElements(dims.drop_front(high + 1))},
       {operand(0), operand(1), result(0), "error"});
}

void LibraryCall::emit(LrnOp op) {
  AroundDim rows(op.getX(), 1);
  useThreads(rows.count() * rows.n, "sampling");
  call("Lrn", {typeText(elementOf(op.getX()))},
       {rows.outer, rows.n, rows.inner, DimExpr(int64_t(op.getSize()))},
       {operand(0), result(0), number(op.getAlpha().convertToDouble() / double(op.getSize())),
        number(op.getBeta().convertToDouble()), number(op.getBias().convertToDouble())});
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// DirectWindow: sizes of an image and of a window's places, the window.
static SmallVector<DimExpr> directWindow(ArrayRef<DimExpr> image, ArrayRef<DimExpr> places, ArrayRef<DimExpr> size, ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                                         ArrayRef<int64_t> low) {
  SmallVector<DimExpr> window(image);
  llvm::append_range(window, places);
  llvm::append_range(window, size);
  for (ArrayRef<int64_t> list : {strides, dilations, low})
    window.append(list.begin(), list.end());
  return window;
}

/// Channels last.
static ArrayRef<DimExpr> spatialOf(const Dims &image) { return ArrayRef(image).drop_front().drop_back(); }

void LibraryCall::emitConv(Value image, Value filter, Value result, int64_t groups, bool isTransposed, ArrayRef<DimExpr> window) {
  Dims x = dimsOf(image), y = dimsOf(result);
  int64_t most = elementOf(result).getIntOrFloatBitWidth() == 64 ? 2 : 4, lanes = dividingLanes(DimExpr::floordiv(y.back(), groups), most);
  useThreads(numElements(ArrayRef(y).drop_back()) * DimExpr::floordiv(y.back(), lanes), "sampling");
  f.library.push_back("conv_direct");
  SmallVector<DimExpr> sizes{x[0], x.back(), y.back(), DimExpr(groups)};
  llvm::append_range(sizes, window);
  call("DirectConv",
       {typeText(elementOf(image)), typeText(elementOf(filter)), typeText(elementOf(result)), libraryText(int64_t(x.size()) - 2), libraryText(lanes),
        libraryText(isTransposed)},
       sizes, {operand(0), operand(1), this->result(0)});
}

void LibraryCall::emit(ConvOp op) {
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW()), y = dimsOf(op.getY());
  emitConv(op.getX(), op.getW(), op.getY(), op.getGroups(), false,
           directWindow(spatialOf(x), spatialOf(y), ArrayRef(w).drop_back(2), op.getStrides(), op.getDilations(), op.getPadsLow()));
}

void LibraryCall::emit(ConvTransposeOp op) {
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW()), y = dimsOf(op.getY());
  emitConv(op.getX(), op.getW(), op.getY(), op.getGroups(), true,
           directWindow(spatialOf(y), spatialOf(x), ArrayRef(w).drop_back(2), op.getStrides(), op.getDilations(), op.getPadsLow()));
}

void LibraryCall::emit(Col2ImOp op) {
  Dims x = dimsOf(op.getX()), y = dimsOf(op.getY()), block = op.getBlock().dims();
  size_t spatial = block.size();
  useThreads(numElements(y), "sampling");
  f.library.push_back("conv_direct");
  SmallVector<DimExpr> sizes{y[0], y[1], x[0], x[1], x[2]};
  llvm::append_range(sizes, directWindow(ArrayRef(y).drop_front(2), placesOf(op), block, op.getStrides(), op.getDilations(), op.getPads().take_front(spatial)));
  call("Col2Im", {typeText(elementOf(op.getX())), libraryText(int64_t(spatial))}, sizes, {operand(0), result(0), "error"});
}

void LibraryCall::emit(DeformConvOp op) {
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW()), y = dimsOf(op.getY());
  constexpr int64_t kChannels = 8; // DeformConv's
  int64_t groups = op.getGroups();
  useThreads(y[0] * DimExpr(groups) * DimExpr::ceildiv(DimExpr::floordiv(y[1], groups), kChannels) * numElements(ArrayRef(y).drop_front(2)), "sampling");
  f.library.push_back("conv_direct");
  SmallVector<DimExpr> sizes{x[0], x[1], y[1], DimExpr(groups), DimExpr(int64_t(op.getOffsetGroups()))};
  llvm::append_range(sizes, directWindow(ArrayRef(x).drop_front(2), ArrayRef(y).drop_front(2), ArrayRef(w).drop_front(2), op.getStrides(), op.getDilations(),
                                         op.getPadsLow()));
  call("DeformConv", {typeText(elementOf(op.getX())), libraryText(int64_t(x.size()) - 2)}, sizes,
       {operand(0), operand(1), operand(2), optional(op.getMask()), result(0)});
}
