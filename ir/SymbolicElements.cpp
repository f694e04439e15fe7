//===- SymbolicElements.cpp - Integer tensors known as expressions --------===//
//
// Exporters compute shapes with tensor ops: Shape, Gather, Concat, Mul, Reshape. Reading such a
// chain here, element by element, turns it into dim expressions, and the chain dies:
//
//   shape_of(x)[0] * 12  with x : tensor<?x4, [batch, 4]>   ->   12*batch
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

namespace {

constexpr int64_t kMaxElements = 1024;
constexpr int kMaxDepth = 64;

std::optional<Dims> elementsOf(Value value, int depth);

/// Row-major strides of a static shape.
SmallVector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/// Calls visit(result position, coordinates) for each element of a static shape.
template <typename F> void forEachIndex(ArrayRef<int64_t> shape, F visit) {
  SmallVector<int64_t> index(shape.size(), 0);
  int64_t total = ShapedType::getNumElements(shape);
  for (int64_t i = 0; i < total; ++i) {
    visit(i, ArrayRef<int64_t>(index));
    for (int64_t d = int64_t(shape.size()) - 1; d >= 0 && ++index[d] == shape[d]; --d)
      index[d] = 0;
  }
}

std::optional<Dims> constantElements(ElementsAttr elements) {
  if (!elements.getElementType().isIntOrIndex())
    return std::nullopt;
  auto values = elements.tryGetValues<APInt>();
  if (!values)
    return std::nullopt;
  bool isUnsigned = elements.getElementType().isUnsignedInteger() || elements.getElementType().isInteger(1);
  Dims dims;
  for (const APInt &v : *values)
    dims.push_back(isUnsigned ? int64_t(v.getZExtValue()) : v.getSExtValue());
  return dims;
}

/// Elements of the result of a movement op: `source(coordinates)` is the position in x.
template <typename F> std::optional<Dims> moved(Value x, ArrayRef<int64_t> shape, int depth, F source) {
  auto in = elementsOf(x, depth);
  if (!in)
    return std::nullopt;
  Dims out;
  bool inside = true;
  forEachIndex(shape, [&](int64_t, ArrayRef<int64_t> index) {
    int64_t position = source(index);
    inside &= position >= 0 && position < int64_t(in->size());
    if (inside)
      out.push_back((*in)[position]);
  });
  return inside ? std::optional(out) : std::nullopt;
}

template <typename F> std::optional<Dims> binary(Value lhs, Value rhs, int depth, F combine) {
  auto a = elementsOf(lhs, depth), b = elementsOf(rhs, depth);
  if (!a || !b || a->size() != b->size())
    return std::nullopt;
  Dims out;
  for (auto [x, y] : llvm::zip(*a, *b)) {
    std::optional<DimExpr> z = combine(x, y);
    if (!z)
      return std::nullopt;
    out.push_back(*z);
  }
  return out;
}

/// The truth of a comparison that holds whatever the symbols are; nullopt when it depends on them.
std::optional<bool> decide(StringRef predicate, const DimExpr &a, const DimExpr &b) {
  DimExpr d = a - b;
  bool le = (DimExpr(0) - d).isNonNegative(), ge = d.isNonNegative();
  bool lt = (DimExpr(-1) - d).isNonNegative(), gt = (d - DimExpr(1)).isNonNegative();
  auto answer = [](bool yes, bool no) { return yes ? std::optional(true) : no ? std::optional(false) : std::nullopt; };
  return llvm::StringSwitch<std::optional<bool>>(predicate)
      .Case("eq", answer(d == DimExpr(0), lt || gt))
      .Case("ne", answer(lt || gt, d == DimExpr(0)))
      .Case("lt", answer(lt, ge))
      .Case("le", answer(le, gt))
      .Case("gt", answer(gt, le))
      .Default(answer(ge, lt));
}

std::optional<Dims> elementsOf(Value value, int depth) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() > kMaxElements || depth > kMaxDepth ||
      !type.getElementType().isIntOrIndex())
    return std::nullopt;
  ArrayRef<int64_t> shape = type.getShape();
  if (type.getNumElements() == 0)
    return Dims();
  Operation *def = value.getDefiningOp();
  if (!def)
    return std::nullopt;
  return llvm::TypeSwitch<Operation *, std::optional<Dims>>(def)
      .Case([&](ConstantOp op) { return constantElements(op.getValue()); })
      .Case([&](FromDimsOp op) { return op.getValues().dims(); })
      .Case([&](ReshapeOp op) { return elementsOf(op.getX(), depth + 1); })
      .Case([&](CastOp op) -> std::optional<Dims> {
        // A bool keeps only zero or not; narrower integers keep what a dimension can be.
        if (elementOf(op.getX()).isInteger(1) || !elementOf(op.getX()).isIntOrIndex() ||
            type.getElementType().getIntOrFloatBitWidth() < 32)
          return std::nullopt;
        return elementsOf(op.getX(), depth + 1);
      })
      .Case([&](BroadcastOp op) -> std::optional<Dims> {
        auto in = tensorOf(op.getX());
        if (!in.hasStaticShape())
          return std::nullopt;
        auto strides = stridesOf(in.getShape());
        int64_t shift = type.getRank() - in.getRank();
        return moved(op.getX(), shape, depth + 1, [&](ArrayRef<int64_t> index) {
          int64_t position = 0;
          for (int64_t i = 0; i < in.getRank(); ++i)
            position += in.getDimSize(i) == 1 ? 0 : index[i + shift] * strides[i];
          return position;
        });
      })
      .Case([&](TransposeOp op) {
        auto strides = stridesOf(tensorOf(op.getX()).getShape());
        return moved(op.getX(), shape, depth + 1, [&](ArrayRef<int64_t> index) {
          int64_t position = 0;
          for (auto [i, p] : llvm::enumerate(op.getPermutation()))
            position += index[i] * strides[p];
          return position;
        });
      })
      .Case([&](SliceOp op) -> std::optional<Dims> {
        auto starts = op.getStarts().constants(), steps = op.getStrides().constants();
        if (!starts || !steps || !tensorOf(op.getX()).hasStaticShape())
          return std::nullopt;
        auto strides = stridesOf(tensorOf(op.getX()).getShape());
        return moved(op.getX(), shape, depth + 1, [&](ArrayRef<int64_t> index) {
          int64_t position = 0;
          for (size_t i = 0; i < index.size(); ++i)
            position += ((*starts)[i] + index[i] * (*steps)[i]) * strides[i];
          return position;
        });
      })
      .Case([&](GatherOp op) -> std::optional<Dims> {
        auto in = tensorOf(op.getX()), at = tensorOf(op.getIndices());
        auto indices = elementsOf(op.getIndices(), depth + 1);
        if (!indices || !in.hasStaticShape())
          return std::nullopt;
        for (const DimExpr &i : *indices)
          if (!i.isConstant())
            return std::nullopt;
        auto strides = stridesOf(in.getShape()), atStrides = stridesOf(at.getShape());
        int64_t axis = op.getAxis(), rank = at.getRank();
        return moved(op.getX(), shape, depth + 1, [&](ArrayRef<int64_t> index) {
          int64_t which = 0, position = 0;
          for (int64_t i = 0; i < rank; ++i)
            which += index[axis + i] * atStrides[i];
          int64_t j = *(*indices)[which].constant();
          j += j < 0 ? in.getDimSize(axis) : 0;
          if (j < 0 || j >= in.getDimSize(axis))
            return int64_t(-1);
          for (int64_t i = 0; i < in.getRank(); ++i)
            position += (i < axis ? index[i] : i == axis ? j : index[i + rank - 1]) * strides[i];
          return position;
        });
      })
      .Case([&](ConcatOp op) -> std::optional<Dims> {
        if (type.getRank() != 1)
          return std::nullopt;
        Dims out;
        for (Value x : op.getXs()) {
          auto part = elementsOf(x, depth + 1);
          if (!part)
            return std::nullopt;
          out.append(*part);
        }
        return out;
      })
      .Case([&](AddOp op) {
        return binary(op.getLhs(), op.getRhs(), depth + 1, [](auto &a, auto &b) { return std::optional(a + b); });
      })
      .Case([&](SubOp op) {
        return binary(op.getLhs(), op.getRhs(), depth + 1, [](auto &a, auto &b) { return std::optional(a - b); });
      })
      .Case([&](MulOp op) {
        return binary(op.getLhs(), op.getRhs(), depth + 1, [](auto &a, auto &b) { return std::optional(a * b); });
      })
      .Case([&](MinOp op) {
        return binary(op.getLhs(), op.getRhs(), depth + 1,
                      [](auto &a, auto &b) { return std::optional(DimExpr::min(a, b)); });
      })
      .Case([&](MaxOp op) {
        return binary(op.getLhs(), op.getRhs(), depth + 1,
                      [](auto &a, auto &b) { return std::optional(DimExpr::max(a, b)); });
      })
      .Case([&](DivOp op) {
        // Truncating and flooring agree on what is at least 0.
        return binary(op.getLhs(), op.getRhs(), depth + 1, [](auto &a, auto &b) -> std::optional<DimExpr> {
          if (!a.isNonNegative() || !b.isNonNegative())
            return std::nullopt;
          return DimExpr::floordiv(a, b);
        });
      })
      .Case([&](ModOp op) {
        return binary(op.getLhs(), op.getRhs(), depth + 1, [](auto &a, auto &b) -> std::optional<DimExpr> {
          if (!a.isNonNegative() || !b.isNonNegative())
            return std::nullopt;
          return DimExpr::mod(a, b);
        });
      })
      .Case([&](CompareOp op) {
        return binary(op.getLhs(), op.getRhs(), depth + 1, [&](auto &a, auto &b) -> std::optional<DimExpr> {
          auto truth = decide(op.getPredicate(), a, b);
          return truth ? std::optional(DimExpr(*truth)) : std::nullopt;
        });
      })
      .Case([&](SelectOp op) -> std::optional<Dims> {
        auto x = elementsOf(op.getOnTrue(), depth + 1), y = elementsOf(op.getOnFalse(), depth + 1);
        if (!x || !y)
          return std::nullopt;
        Dims out;
        if (auto c = elementsOf(op.getCondition(), depth + 1)) {
          for (auto [k, a, b] : llvm::zip(*c, *x, *y))
            out.push_back(k == DimExpr(0) ? b : a);
          return out;
        }
        // select(a == b, x, y) with a, b known
        auto compare = op.getCondition().getDefiningOp<CompareOp>();
        if (!compare || compare.getPredicate() != "eq")
          return std::nullopt;
        auto l = elementsOf(compare.getLhs(), depth + 1), r = elementsOf(compare.getRhs(), depth + 1);
        if (!l || !r)
          return std::nullopt;
        for (auto [m, n, a, b] : llvm::zip(*l, *r, *x, *y))
          out.push_back(DimExpr::ifeq(m, n, a, b));
        return out;
      })
      .Case([&](ReduceOp op) -> std::optional<Dims> {
        auto in = elementsOf(op.getX(), depth + 1);
        if (!in || type.getNumElements() != 1 || (op.getKind() != "prod" && op.getKind() != "sum"))
          return std::nullopt;
        DimExpr all(op.getKind() == "prod" ? 1 : 0);
        for (const DimExpr &d : *in)
          all = op.getKind() == "prod" ? all * d : all + d;
        return Dims{all};
      })
      .Case([&](IotaOp op) -> std::optional<Dims> {
        Dims out;
        forEachIndex(shape, [&](int64_t, ArrayRef<int64_t> index) { out.push_back(index[op.getAxis()]); });
        return out;
      })
      .Default(std::optional<Dims>());
}

} // namespace

std::optional<Dims> optc::symbolicElements(Value value) {
  if (auto elements = elementsOf(value, 0))
    return elements;
  // What an earlier bind named.
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape())
    return std::nullopt;
  for (Operation *user : value.getUsers())
    if (auto bind = dyn_cast<BindOp>(user)) {
      Dims dims;
      for (auto symbol : bind.getSymbols().getAsValueRange<StringAttr>())
        dims.push_back(DimExpr::symbol(symbol));
      return dims;
    }
  return std::nullopt;
}
