//===- LowerQdq.cpp - Integer products out of quantised ones --------------===//
//
// A product of dequantised tensors is a product of their codes, corrected for the zero points and scaled:
//
//   contract (dequantize %x, sx, zx), (dequantize %w, sw[n], 0)
//     =>  mul (cast (sub (contract %x, %w : i32), zx * sum_k w[n])), sx * sw[n]
//
//   contract (sub (cast %x : i32), zx), (cast %w : i32)          the form of MatMulInteger
//     =>  sub (contract %x, %w : i32), zx * sum_k w[n]
//
// A zero point of the weights, one or one a column, takes its multiple of the sums over the rows of %x off; over a convolution's
// windows these are a convolution with ones. A matrix %x may have a scale and a zero point a row. The lhs becomes unsigned and the rhs
// signed, as instructions multiply bytes, by moving zero points by 128. A convolution's padding has the value of the zero point. A
// depthwise one whose weights have a zero point, or over one dim, computes the same integers in f32, where they are exact. What is
// quantised after a product is scaled with it (Requantize.h).
//
// A product with `optc.compute_float` stays one of floats (KeepFloatProducts.cpp).
//
// Sums are exact in i32 up to 2^31 / (255 * 128) = 65,793 products; longer ones stay floats.
//
//===----------------------------------------------------------------------===//

#include "ir/PrecisionNotes.h"
#include "ir/eval/Weight.h"
#include "passes/LevelChoice.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "passes/Requantize.h"

namespace optc {
#define GEN_PASS_DEF_LOWERQDQ
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

constexpr int64_t kMaxProducts = 65793;
/// Integers up to here are exact in f32.
constexpr int64_t kMaxFloatInteger = int64_t(1) << 24;

bool isUnsigned(Value v) { return elementOf(v).isUnsignedInteger(); }

/// An operand of a product: codes of 8 bits less a zero point. scale is null where the product is one of integers.
struct Operand {
  Value codes, scale, zero; // scale, zero: as the tensor, or null
};

class ProductLowering {
public:
  ProductLowering(Operation *root, llvm::DenseMap<Value, Value> &flipped)
      : root(root), flipped(flipped), b(root), loc(root->getLoc()), conv(dyn_cast<ConvOp>(root)), contract(dyn_cast<ContractOp>(root)) {}

  /// Replaces the product where it can be one of bytes.
  void lower() {
    auto lhs = read(root->getOperand(0)), rhs = read(root->getOperand(1));
    if (!lhs || !rhs || bool(lhs->scale) != bool(rhs->scale) || (lhs->scale && !elementOf(root->getResult(0)).isF32()))
      return;
    x = *lhs, w = *rhs;
    constantRhs = isWeight(w.codes);
    if (conv ? !readConv() : !readContract())
      return;
    build();
  }

private:
  std::optional<Operand> read(Value value) {
    if (auto q = dequantizedFrom(b, value)) {
      if (!is8Bit(q->codes))
        return std::nullopt;
      return Operand{q->codes, q->scale, q->zero};
    }
    // Integers: cast, or what a zero point is taken from.
    if (!isa<IntegerType>(elementOf(value)))
      return std::nullopt;
    // Movement around the zero point and the cast is repeated on the codes.
    Operand o{value, {}, {}};
    SmallVector<Operation *> movement;
    while (!is8Bit(o.codes)) {
      Operation *op = o.codes.getDefiningOp();
      auto sub = dyn_cast_or_null<SubOp>(op);
      if (sub && !o.zero)
        o.zero = sub.getRhs();
      else if (op && isMovement(op))
        movement.push_back(op);
      else if (!op || !isa<CastOp>(op) || !isa<IntegerType>(elementOf(op->getOperand(0))))
        return std::nullopt;
      o.codes = op->getOperand(0);
    }
    for (Operation *op : llvm::reverse(movement))
      o.codes = moveLike(b, op, o.codes);
    return o;
  }

  bool varies(Value v) const { return v && llvm::is_contained(varyingDims(v), true); }

  bool readContract() {
    size_t batch = contract.getLhsBatch().size();
    int64_t rank = tensorOf(contract.getLhs()).getRank(), rhsRank = tensorOf(contract.getRhs()).getRank();
    if (batch > 1 || rank != int64_t(batch + 2) || rhsRank != rank || contract.getLhsContract().size() != 1)
      return false;
    contracted = contract.getRhsContract().front();
    column = contracted == int64_t(batch) ? batch + 1 : batch;
    auto k = dimsOf(contract.getLhs()).back().constant();
    if (k && *k > kMaxProducts)
      return false;
    return readScales();
  }

  /// A scale and a zero point of the rows are one each, or one a row of a matrix.
  bool readRows() {
    if (!varies(x.scale) && !varies(x.zero))
      return true;
    if (!contract || !contract.getLhsBatch().empty() || !x.scale || !constantRhs)
      return false;
    rowScale = vectorAlong(b, x.scale, 0);
    rowZero = x.zero && !zeroPoint(x.zero) ? vectorAlong(b, x.zero, 0) : Value();
    return rowScale && (rowZero || zeroPoint(x.zero));
  }

  bool readConv() {
    if (conv.getLayout() != "nhwc" || !constantRhs)
      return false;
    Dims dims = dimsOf(conv.getW());
    products = 1;
    for (const DimExpr &d : ArrayRef<DimExpr>(dims).drop_back())
      products *= *d.constant();
    column = dims.size() - 1;
    // The padding is a constant of the kernel.
    if (!zeroPoint(x.zero) || !readScales() || products > (hasMiddleZero() ? kMaxProducts : kMaxProducts / 2))
      return false;
    if (conv.getGroups() == 1)
      return true;
    Dims image = dimsOf(conv.getX());
    if (dims.size() > 4 || dims[dims.size() - 2] != DimExpr(1) || image.back() != DimExpr(conv.getGroups()) || dims.back() != image.back())
      return false;
    inFloats = dims.size() != 4 || !hasMiddleZero();
    return products * 255 * (inFloats ? 255 : 128) <= kMaxFloatInteger && (x.scale || !inFloats);
  }

  /// True where weights have no zero point as signed bytes.
  bool hasMiddleZero() const {
    auto zero = zeroPoint(w.zero);
    return zero && *zero == (isUnsigned(w.codes) ? 128 : 0);
  }

  bool readScales() {
    if (!readRows() || (!constantRhs && (varies(w.scale) || varies(w.zero))))
      return false;
    if (!constantRhs)
      return true;
    if (!zeroPoint(w.zero) && !(columnZero = vectorAlong(b, w.zero, column)))
      return false;
    if (w.scale)
      columnScale = vectorAlong(b, w.scale, column);
    return !w.scale || columnScale;
  }

  //===--------------------------------------------------------------------===//
  // Signs
  //===--------------------------------------------------------------------===//

  Type byteType(bool isUnsigned) {
    return isUnsigned ? IntegerType::get(b.getContext(), 8, IntegerType::Unsigned) : IntegerType::get(b.getContext(), 8);
  }
  Value constant(Type element, int64_t value) { return scalarConstant(b, loc, element, double(value)); }
  Value spread(Value few, ArrayRef<DimExpr> dims) { return repeat(b, loc, few, dims); }

  /// codes + 128 as unsigned, or codes - 128 as signed.
  Value flip(Value codes) {
    if (auto it = flipped.find(codes); it != flipped.end())
      return it->second;
    bool toUnsigned = !isUnsigned(codes);
    int64_t offset = toUnsigned ? 128 : -128;
    Dims dims = dimsOf(codes);
    Type type = tensorType(dims, byteType(toUnsigned));
    Operation *op = codes.getDefiningOp();
    OpBuilder::InsertionGuard guard(b);
    if (op)
      b.setInsertionPointAfter(op);
    else
      b.setInsertionPointToStart(codes.getParentBlock());
    Value result;
    auto quantize = dyn_cast_or_null<QuantizeOp>(op);
    auto zero = quantize ? zeroPoint(quantize.getZeroPoint()) : std::nullopt;
    if (quantize && zero && *zero + offset >= (toUnsigned ? 0 : -128) && *zero + offset <= (toUnsigned ? 255 : 127)) {
      result = b.create<QuantizeOp>(op->getLoc(), type, quantize.getX(), quantize.getScale(),
                                    spread(constant(byteType(toUnsigned), *zero + offset), dims), quantize.getSaturate());
    } else if (auto lookup = dyn_cast_or_null<LookupOp>(op)) {
      SmallVector<int64_t> table(lookup.getTable());
      for (int64_t &code : table)
        code ^= 128;
      result = b.create<LookupOp>(op->getLoc(), type, lookup.getX(), table);
    } else if (op && isMovement(op)) {
      Value inner = flip(op->getOperand(0));
      b.setInsertionPointAfter(op);
      result = moveLike(b, op, inner);
    } else {
      Value wide = b.create<CastOp>(loc, tensorType(dims, b.getI32Type()), codes, true);
      wide = b.create<AddOp>(loc, wide.getType(), wide, spread(constant(b.getI32Type(), offset), dims));
      result = b.create<CastOp>(loc, type, wide, true);
    }
    flipped[codes] = result;
    return result;
  }

  /// The zero point as i32 without dims, moved with its codes; null when it is 0.
  Value zeroOf(const Operand &o, int64_t offset) {
    if (auto known = zeroPoint(o.zero))
      return *known + offset ? constant(b.getI32Type(), *known + offset) : Value();
    Value zero = uniformElement(b, o.zero);
    if (!elementOf(zero).isSignlessInteger(32))
      zero = b.create<CastOp>(loc, tensorType({}, b.getI32Type()), zero, true);
    return offset ? Value(b.create<AddOp>(loc, zero.getType(), zero, constant(b.getI32Type(), offset))) : zero;
  }

  /// The same of a zero point a column or row: [n].
  Value widened(Value zeros, int64_t offset) {
    Type wide = tensorType(dimsOf(zeros), b.getI32Type());
    if (zeros.getType() != wide)
      zeros = b.create<CastOp>(loc, wide, zeros, true);
    return offset ? Value(b.create<AddOp>(loc, wide, zeros, spread(constant(b.getI32Type(), offset), dimsOf(zeros)))) : zeros;
  }

  /// One element a row, [m], as [m, 1].
  Value asColumn(Value rows) {
    Dims dims = dimsOf(rows);
    dims.push_back(DimExpr(1));
    return b.create<ReshapeOp>(loc, tensorType(dims, elementOf(rows)), rows);
  }

  //===--------------------------------------------------------------------===//
  // The product
  //===--------------------------------------------------------------------===//

  void build() {
    Type i32 = b.getI32Type(), f32 = b.getF32Type();
    Dims result = dimsOf(root->getResult(0));
    int64_t xOffset = isUnsigned(x.codes) ? 0 : 128, wOffset = isUnsigned(w.codes) ? -128 : 0;
    Value lhs = xOffset ? flip(x.codes) : x.codes, rhs = wOffset ? flip(w.codes) : w.codes;
    Value xZero = rowZero ? asColumn(widened(rowZero, xOffset)) : zeroOf(x, xOffset);
    Value wZero = columnZero ? widened(columnZero, wOffset) : zeroOf(w, wOffset);
    if (inFloats)
      return buildInFloats(lhs, rhs, xZero, wZero);
    Value sum, windowSums;
    if (conv) {
      Value image = lhs;
      auto low = llvm::to_vector(conv.getPadsLow()), high = llvm::to_vector(conv.getPadsHigh());
      if (xZero && llvm::any_of(llvm::concat<int64_t>(low, high), [](int64_t p) { return p != 0; })) {
        Dims padded = dimsOf(lhs);
        SmallVector<int64_t> before{0};
        for (size_t d = 0; d < low.size(); ++d) {
          padded[d + 1] = padded[d + 1] + DimExpr(low[d] + high[d]);
          before.push_back(low[d]);
          low[d] = high[d] = 0;
        }
        before.push_back(0);
        image = b.create<PadOp>(loc, tensorType(padded, elementOf(lhs)), lhs, constant(elementOf(lhs), *zeroPoint(x.zero) + xOffset),
                                DimsAttr::get(b.getContext(), ArrayRef<int64_t>(before)), "constant");
      }
      auto over = [&](Value filter, ArrayRef<DimExpr> dims, int64_t groups) -> Value {
        return b.create<ConvOp>(loc, tensorType(dims, i32), image, filter, conv.getStrides(), conv.getDilations(), low, high, groups, "nhwc");
      };
      sum = over(rhs, result, conv.getGroups());
      if (wZero) {
        Dims one = result, filter = dimsOf(rhs);
        one.back() = filter.back() = DimExpr(1);
        windowSums = over(spread(constant(elementOf(rhs), 1), filter), one, 1);
      }
    } else {
      sum = b.create<ContractOp>(loc, tensorType(result, i32), lhs, rhs, contract.getLhsBatch(), contract.getRhsBatch(), contract.getLhsContract(),
                                 contract.getRhsContract());
    }
    if (xZero)
      sum = b.create<SubOp>(loc, sum.getType(), sum, outer(columnSums(rhs), xZero, result));
    if (wZero) {
      // sum_k (x - zx) * zw
      sum = b.create<SubOp>(loc, sum.getType(), sum, outer(conv ? lessZero(windowSums, xZero) : rowSums(lhs, xZero), wZero, result));
    }
    if (!x.scale)
      return replace(sum);
    Value real = b.create<CastOp>(loc, tensorType(result, f32), sum, true);
    replace(b.create<MulOp>(loc, real.getType(), real, scaleOf(result)));
  }

  /// A depthwise convolution in f32 on whole numbers.
  void buildInFloats(Value lhs, Value rhs, Value xZero, Value wZero) {
    Type f32 = b.getF32Type();
    Dims result = dimsOf(root->getResult(0));
    auto centred = [&](Value codes, Value zero) {
      Dims dims = dimsOf(codes);
      Value real = b.create<CastOp>(loc, tensorType(dims, f32), codes, true);
      if (!zero)
        return real;
      auto number = zeroPoint(zero);
      Value taken = number ? constant(f32, *number) : Value(b.create<CastOp>(loc, tensorType(dimsOf(zero), f32), zero, true));
      return Value(b.create<SubOp>(loc, real.getType(), real, spread(taken, dims)));
    };
    Value whole = centred(lhs, xZero), taps = centred(rhs, wZero);
    Value sum = b.create<ConvOp>(loc, root->getResult(0).getType(), whole, taps, conv.getStrides(), conv.getDilations(), conv.getPadsLow(),
                                 conv.getPadsHigh(), conv.getGroups(), "nhwc");
    replace(b.create<MulOp>(loc, sum.getType(), sum, scaleOf(result)));
  }

  /// sx * sw[n] at the product's shape.
  Value scaleOf(ArrayRef<DimExpr> result) {
    return outer(columnScale ? columnScale : uniformElement(b, w.scale), rowScale ? asColumn(rowScale) : uniformElement(b, x.scale), result);
  }

  /// Sums over k: [n] of constant weights, else [b, 1, n] or [n].
  Value columnSums(Value rhs) {
    Type i32 = b.getI32Type();
    Value wide = b.create<CastOp>(loc, tensorType(dimsOf(rhs), i32), rhs, true);
    SmallVector<int64_t> axes;
    Dims kept;
    for (int64_t d = 0; d < tensorOf(rhs).getRank(); ++d)
      if (conv ? d != column : d == contracted)
        axes.push_back(d);
      else
        kept.push_back(dimsOf(rhs)[d]);
    Value sums = b.create<ReduceOp>(loc, tensorType(kept, i32), wide, axes, "sum");
    if (kept.size() == 2)
      sums = b.create<ReshapeOp>(loc, tensorType({kept[0], DimExpr(1), kept[1]}, i32), sums);
    return sums;
  }
  /// Sums over k less a zero point: [b, m, 1] or [m, 1].
  Value rowSums(Value lhs, Value zero) {
    Type i32 = b.getI32Type();
    Value wide = b.create<CastOp>(loc, tensorType(dimsOf(lhs), i32), lhs, true);
    if (zero)
      wide = b.create<SubOp>(loc, wide.getType(), wide, spread(zero, dimsOf(lhs)));
    Dims kept = dimsOf(lhs);
    int64_t last = int64_t(kept.size()) - 1;
    kept.pop_back();
    Value sums = b.create<ReduceOp>(loc, tensorType(kept, i32), wide, ArrayRef<int64_t>{last}, "sum");
    kept.push_back(DimExpr(1));
    return b.create<ReshapeOp>(loc, tensorType(kept, i32), sums);
  }
  Value outer(Value a, Value c, ArrayRef<DimExpr> dims) { return outerProduct(b, loc, a, c, dims); }
  /// Sums over windows less a zero point for each pixel: as many as products.
  Value lessZero(Value sums, Value zero) {
    if (!zero)
      return sums;
    return b.create<SubOp>(loc, sums.getType(), sums, outer(constant(b.getI32Type(), products), zero, dimsOf(sums)));
  }

  void replace(Value value) {
    root->getResult(0).replaceAllUsesWith(value);
    root->erase();
  }

  Operation *root;
  llvm::DenseMap<Value, Value> &flipped;
  OpBuilder b;
  Location loc;
  ConvOp conv;
  ContractOp contract;
  Operand x, w;
  bool constantRhs = false;
  bool inFloats = false; // see buildInFloats
  int64_t column = 0, contracted = 0;
  int64_t products = 0; // conv: in a sum
  Value columnScale, columnZero, rowScale, rowZero;
};

struct LowerQdq : optc::impl::LowerQdqBase<LowerQdq> {
  void runOnOperation() override {
    SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (isa<ContractOp, ConvOp>(op) && !isWeight(op->getResult(0)))
        products.push_back(op);
    });
    llvm::DenseMap<Value, Value> flipped;
    for (Operation *op : products)
      if (auto why = op->getAttrOfType<StringAttr>(kComputeFloat)) {
        noteKept(getOperation(), op, why);
        op->removeAttr(kComputeFloat);
      } else {
        ProductLowering(op, flipped).lower();
      }
    // What else reads codes that have a twin of the other sign reads that one.
    for (auto [codes, twin] : flipped)
      shareTwin(codes, twin);
    SmallVector<QuantizeOp> quantized;
    getOperation().walk([&](QuantizeOp op) { quantized.push_back(op); });
    for (QuantizeOp op : quantized)
      if (!op->use_empty())
        scaleBeforeRounding(op);
  }

private:
  static void shareTwin(Value codes, Value twin) {
    if (!codes.getDefiningOp<QuantizeOp>() || !twin.getDefiningOp<QuantizeOp>())
      return;
    for (Operation *user : llvm::make_early_inc_range(codes.getUsers())) {
      auto dequantize = dyn_cast<DequantizeOp>(user);
      auto zero = dequantize ? zeroPoint(dequantize.getZeroPoint()) : std::nullopt;
      if (!zero)
        continue;
      OpBuilder b(dequantize);
      int64_t offset = isUnsigned(twin) ? 128 : -128;
      Value moved = scalarConstant(b, dequantize.getLoc(), elementOf(twin), double(*zero + offset));
      Value result = b.create<DequantizeOp>(dequantize.getLoc(), dequantize.getType(), twin, dequantize.getScale(),
                                            repeat(b, dequantize.getLoc(), moved, dimsOf(twin)));
      dequantize.replaceAllUsesWith(result);
      dequantize.erase();
    }
  }
};

} // namespace
