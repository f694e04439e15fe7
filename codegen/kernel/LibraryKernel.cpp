//===- LibraryKernel.cpp - Ops that a device's library computes -----------===//

#include "codegen/kernel/LibraryKernel.h"
#include "ir/Shape.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

namespace {

bool isFloat(Type e) { return e.isF32() || e.isF64() || e.isF16() || e.isBF16(); }
bool isBool(Type e) { return e.isInteger(1); }
bool isNumber(Type e) {
  auto integer = dyn_cast<IntegerType>(e);
  return isFloat(e) || (integer && integer.getWidth() >= 8);
}
bool isIndex(Type e) { return e.isInteger(32) || e.isInteger(64); }
bool isMoved(Type e) { return isNumber(e) || isBool(e); }

/// Positions along a dim are 32-bit; unknown sizes are believed to be small enough.
bool isSortable(const DimExpr &n) { return n.constant().value_or(0) < int64_t(1) << 31; }

/// Dims are known by number, as the functions take them.
bool hasRank(Value x) {
  constexpr int64_t kMostDims = 8;
  int64_t rank = tensorOf(x).getRank();
  return rank >= 1 && rank <= kMostDims;
}

bool isScatter(Value x, Value indices, Value updates, StringRef reduction) {
  Type e = elementOf(x);
  return hasRank(x) && hasRank(indices) && isIndex(elementOf(indices)) &&
         (reduction == "none" ? isMoved(e) : isNumber(e)) &&
         (reduction == "none" || isSortable(numElements(dimsOf(indices))));
}

/// The sizes of all dims but `axis` are at most x's, as far as that is known.
bool fitsBesides(Value indices, Value x, int64_t axis) {
  Dims small = dimsOf(indices), large = dimsOf(x);
  if (small.size() != large.size())
    return false;
  for (size_t d = 0; d < small.size(); ++d) {
    auto a = small[d].constant(), b = large[d].constant();
    if (int64_t(d) != axis && small[d] != large[d] && !(a && b && *a <= *b))
      return false;
  }
  return true;
}

/// Of one to three spatial dims; an image that may be empty is refused when it runs.
bool canSample(GridSampleOp op) {
  Dims x = dimsOf(op.getX()), grid = dimsOf(op.getGrid());
  if (x.size() < 3 || x.size() > 5 || grid.size() != x.size() || grid[0] != x[0] ||
      grid.back() != DimExpr(int64_t(x.size()) - 2))
    return false;
  return llvm::all_of(ArrayRef(x).drop_front(2),
                      [](const DimExpr &d) { return d.constant().value_or(1) > 0; });
}

bool isDivided(const DimExpr &d, int64_t by) { return by == 1 || (d.constant() && *d.constant() % by == 0); }

/// Channels last, of floats or integers alone, over one to three spatial dims. The filter's channels are those of the image as far as
/// that is known.
template <typename OpT> bool isDirectConv(OpT op, bool isTransposed) {
  bool areFloats = isFloat(elementOf(op.getY()));
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW());
  int64_t groups = op.getGroups();
  auto fits = [&](Value v) {
    Type e = elementOf(v);
    return isNumber(e) && isFloat(e) == areFloats && e.isF64() == elementOf(op.getY()).isF64();
  };
  return op.getLayout() == "nhwc" && x.size() >= 3 && x.size() <= 5 && w.size() == x.size() && llvm::all_of(op->getOperands(), fits) &&
         x.back() == (isTransposed ? w[w.size() - 2] : w[w.size() - 2] * DimExpr(groups)) && isDivided(x.back(), groups) &&
         (isTransposed || isDivided(w.back(), groups));
}

/// Columns that are not as many as the block has elements and places are refused when it runs.
bool isColumns(Col2ImOp op) {
  size_t spatial = op.getBlock().size();
  return dimsOf(op.getX()).size() == 3 && spatial >= 1 && spatial <= 3 && dimsOf(op.getY()).size() == spatial + 2;
}

bool isDeformed(DeformConvOp op) {
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW()), y = dimsOf(op.getY()), places = y, masks = y;
  size_t rank = y.size();
  if (rank < 3 || rank > 5 || x.size() != rank || w.size() != rank)
    return false;
  DimExpr fields = numElements(ArrayRef(w).drop_front(2)) * DimExpr(int64_t(op.getOffsetGroups()));
  places[1] = fields * DimExpr(int64_t(rank) - 2);
  masks[1] = fields;
  return dimsOf(op.getOffset()) == places && (!op.getMask() || dimsOf(op.getMask()) == masks) && x[1] == w[1] * DimExpr(int64_t(op.getGroups())) &&
         isDivided(x[1], op.getOffsetGroups()) && y[1] == w[0] && isDivided(y[1], op.getGroups());
}

/// Of one line the result's dim is its length, or half of it and one; the last dims are parts.
bool isTransform(DftOp op) {
  Dims x = dimsOf(op.getX()), y = dimsOf(op.getY());
  size_t axis = op.getAxis(), rank = x.size();
  if (rank < 2 || y.size() != rank || axis + 1 >= rank || elementOf(op.getX()) != elementOf(op.getY()))
    return false;
  auto isParts = [](const DimExpr &d) { return d == DimExpr(1) || d == DimExpr(2); };
  for (size_t d = 0; d + 1 < rank; ++d)
    if (d != axis && x[d] != y[d])
      return false;
  DimExpr length = dftLength(op), bins = op.getOnesided() && !op.getInverse() ? DimExpr::floordiv(length, 2) + DimExpr(1) : length;
  return isParts(x.back()) && isParts(y.back()) && y[axis] == bins && length.constant().value_or(1) >= 1;
}

} // namespace

std::optional<int64_t> optc::sliceAxis(UniqueOp op) {
  int64_t axis = op.getAxis().value_or(-1);
  return axis < 0 ? std::nullopt : std::optional(axis);
}

Dims optc::placesOf(Col2ImOp op) {
  Dims y = dimsOf(op.getY()), block = op.getBlock().dims(), places;
  for (size_t d = 0; d < block.size(); ++d) {
    DimExpr span = (block[d] - DimExpr(1)) * DimExpr(op.getDilations()[d]) + DimExpr(1);
    DimExpr room = y[d + 2] + DimExpr(op.getPads()[d] + op.getPads()[block.size() + d]) - span;
    places.push_back(DimExpr::floordiv(room, op.getStrides()[d]) + DimExpr(1));
  }
  return places;
}

DimExpr optc::dftLength(DftOp op) {
  Dims given = op.getLength().dims();
  return given.size() == 1 ? given.front() : dimsOf(op.getInverse() && op.getOnesided() ? op.getY() : op.getX())[op.getAxis()];
}

bool optc::hasLibraryKernel(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([](CumulativeOp o) { return isNumber(elementOf(o.getX())); })
      .Case([](TopKOp o) {
        return isNumber(elementOf(o.getX())) && hasRank(o.getX()) &&
               isSortable(dimsOf(o.getX())[o.getAxis()]);
      })
      .Case([](NonZeroOp o) {
        return isMoved(elementOf(o.getX())) && hasRank(o.getX()) && dimsOf(o.getY())[1].asSymbol();
      })
      .Case([](NmsOp o) {
        auto isOne = [](Value v, bool (*fits)(Type)) {
          return !v || (fits(elementOf(v)) && numElements(dimsOf(v)) == DimExpr(1));
        };
        Dims boxes = dimsOf(o.getBoxes()), scores = dimsOf(o.getScores());
        return isFloat(elementOf(o.getBoxes())) && isFloat(elementOf(o.getScores())) &&
               isOne(o.getMaxPerClass(), isIndex) && isOne(o.getIouThreshold(), isFloat) &&
               isOne(o.getScoreThreshold(), isFloat) && boxes.size() == 3 && scores.size() == 3 &&
               boxes[0] == scores[0] && boxes[1] == scores[2] && boxes[2] == DimExpr(4) &&
               isSortable(boxes[1]) && dimsOf(o.getY())[0].asSymbol();
      })
      .Case([](GatherElementsOp o) {
        return isMoved(elementOf(o.getX())) && isIndex(elementOf(o.getIndices())) && hasRank(o.getX()) &&
               fitsBesides(o.getIndices(), o.getX(), o.getAxis());
      })
      .Case([](GatherNDOp o) {
        Dims x = dimsOf(o.getX()), indices = dimsOf(o.getIndices());
        size_t batch = o.getBatchDims();
        if (!isMoved(elementOf(o.getX())) || !isIndex(elementOf(o.getIndices())) || indices.empty() ||
            batch >= indices.size())
          return false;
        auto depth = indices.back().constant();
        return depth && *depth >= 1 && batch + *depth <= x.size() &&
               ArrayRef(x).take_front(batch) == ArrayRef(indices).take_front(batch);
      })
      .Case([](MaxUnpoolOp o) {
        return isMoved(elementOf(o.getX())) && isIndex(elementOf(o.getIndices())) &&
               dimsOf(o.getX()) == dimsOf(o.getIndices());
      })
      .Case([](UniqueOp o) {
        Dims x = dimsOf(o.getX()), y = dimsOf(o.getY());
        auto axis = sliceAxis(o);
        return isNumber(elementOf(o.getX())) && isSortable(axis ? x[*axis] : numElements(x)) && y[axis.value_or(0)].asSymbol();
      })
      .Case([](ScatterElementsOp o) {
        return isScatter(o.getX(), o.getIndices(), o.getUpdates(), o.getReduction()) &&
               fitsBesides(o.getIndices(), o.getX(), o.getAxis()) &&
               dimsOf(o.getUpdates()) == dimsOf(o.getIndices());
      })
      .Case([](ScatterNDOp o) {
        Dims x = dimsOf(o.getX()), indices = dimsOf(o.getIndices());
        if (!isScatter(o.getX(), o.getIndices(), o.getUpdates(), o.getReduction()))
          return false;
        auto depth = indices.back().constant();
        if (!depth || *depth < 1 || *depth > int64_t(x.size()))
          return false;
        Dims updates(indices.begin(), indices.end() - 1);
        updates.append(x.begin() + *depth, x.end());
        return dimsOf(o.getUpdates()) == updates;
      })
      .Case([](GridSampleOp o) {
        return isFloat(elementOf(o.getX())) && isFloat(elementOf(o.getGrid())) && canSample(o);
      })
      .Case([](ResizeOp o) {
        auto isList = [](Value v, int64_t size) { return !v || dimsOf(v) == Dims{size}; };
        int64_t rank = tensorOf(o.getX()).getRank();
        bool isKnown = o.getScale() || int64_t(o.getScales().size()) == rank;
        bool hasRegion = o.getRegion() || o.getRoi().empty() || int64_t(o.getRoi().size()) == 2 * rank;
        return hasRank(o.getX()) && rank <= 5 && tensorOf(o.getY()).getRank() == rank &&
               isNumber(elementOf(o.getX())) && isKnown && hasRegion &&
               elementOf(o.getX()) == elementOf(o.getY()) && isList(o.getScale(), rank) &&
               isList(o.getRegion(), 2 * rank);
      })
      .Case([](RoiAlignOp o) {
        Dims x = dimsOf(o.getX()), rois = dimsOf(o.getRois()), batch = dimsOf(o.getBatch());
        return isFloat(elementOf(o.getX())) && isFloat(elementOf(o.getRois())) &&
               isIndex(elementOf(o.getBatch())) && x.size() == 4 && rois.size() == 2 &&
               rois[1] == DimExpr(4) && batch == Dims{rois[0]};
      })
      .Case([](MaxRoiPoolOp o) {
        Dims x = dimsOf(o.getX()), rois = dimsOf(o.getRois());
        return isFloat(elementOf(o.getX())) && isFloat(elementOf(o.getRois())) && x.size() == 4 && rois.size() == 2 && rois[1] == DimExpr(5);
      })
      .Case([](MaxPoolIndicesOp o) {
        size_t spatial = o.getWindow().size();
        return isNumber(elementOf(o.getX())) && spatial >= 1 && spatial <= 3 &&
               dimsOf(o.getX()).size() == spatial + 2;
      })
      .Case([](ConvOp o) { return isDirectConv(o, false); })
      .Case([](ConvTransposeOp o) { return isDirectConv(o, true); })
      .Case([](Col2ImOp o) { return isNumber(elementOf(o.getX())) && elementOf(o.getX()) == elementOf(o.getY()) && isColumns(o); })
      .Case([](DeformConvOp o) {
        Type element = elementOf(o.getY());
        return isFloat(element) && llvm::all_of(o->getOperands(), [&](Value v) { return elementOf(v) == element; }) && isDeformed(o);
      })
      .Case([](DftOp o) { return isFloat(elementOf(o.getX())) && isTransform(o); })
      .Case([](RandomOp o) { return isFloat(elementOf(o.getY())); })
      .Case([](MelWeightMatrixOp o) {
        auto isOne = [](Value v) { return numElements(dimsOf(v)) == DimExpr(1); };
        Dims y = dimsOf(o.getY()), length = o.getLength().dims();
        return isNumber(elementOf(o.getY())) && isIndex(elementOf(o.getRate())) && isFloat(elementOf(o.getLower())) && elementOf(o.getLower()) == elementOf(o.getUpper()) &&
               llvm::all_of(o->getOperands(), isOne) && y.size() == 2 && length.size() == 1 && y[0] == DimExpr::floordiv(length[0], 2) + DimExpr(1);
      })
      .Case([](DetOp o) { return isFloat(elementOf(o.getX())) && elementOf(o.getX()) == elementOf(o.getY()) && dimsOf(o.getX()).size() >= 2; })
      .Case([](ReverseSequenceOp o) {
        Dims x = dimsOf(o.getX()), lengths = dimsOf(o.getLengths());
        return isMoved(elementOf(o.getX())) && isIndex(elementOf(o.getLengths())) &&
               o.getTimeAxis() != o.getBatchAxis() && lengths == Dims{x[o.getBatchAxis()]};
      })
      .Case([](LrnOp o) {
        return isFloat(elementOf(o.getX())) && dimsOf(o.getX()).size() >= 2 && o.getSize() >= 1;
      })
      .Default(false);
}

bool optc::isLibraryKernel(KernelOp kernel) { return kernel.getKind() == "library"; }
