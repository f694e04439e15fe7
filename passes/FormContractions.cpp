//===- FormContractions.cpp - Kernels around matrix products --------------===//
//
// Each canonical contract and each channels-last convolution becomes a kernel, together with the
// elementwise ops that follow it (bias, activation, residual):
//
//   %c = contract %x, %w;  %y = max (add %c, broadcast %bias), 0
//   =>  %p = pack %w  (pad, reshape, transpose: a weight, evaluated at compile time)
//       %y = optc.kernel "matmul" (%x, %p, %bias) { unpack; contract; broadcast; add; max }
//
// The epilogue works on the product's shape [b, m, n]; reshapes between are moved behind the kernel.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/CompressedRows.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/ScalarBody.h"
#include "codegen/kernel/SparseRows.h"
#include "ir/eval/Weight.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "passes/RightOperand.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace optc {
#define GEN_PASS_DEF_FORMCONTRACTIONS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// How a value from outside enters the epilogue.
struct ExternalOperand {
  enum class Kind { none, splat, full, broadcast } kind = Kind::none;
  Value source;    // full: the value; broadcast: what is broadcast
  Dims sourceDims; // broadcast: its dims as [b|1, 1, n|1] or [b, m, 1]
  /// full: codes or numbers of 16 bits, which this op widens where they are read.
  Operation *widening = nullptr;
};

/// Of f16, bf16 or e4m3, widened to be multiplied: a GPU takes them as they are. Weights may have been moved since.
bool isSmallFloatProduct(Operation *root) {
  Value lhs = smallFloatUnder(root->getOperand(0)), weight = root->getOperand(1), rhs = smallFloatUnder(weight);
  if (!rhs && isWeight(weight))
    if (Operation *source = sourceOf(weight))
      rhs = smallFloatUnder(source->getResult(0));
  return (isa<ContractOp>(root) || isDeviceConv(root)) && lhs && rhs && elementOf(lhs) == elementOf(rhs);
}

class KernelFormer {
public:
  KernelFormer(Operation *root, bool gpu) : root(root), b(root), widens(gpu ? isSmallFloatProduct(root) : isBFloatProduct(root)), gpu(gpu) {}

  void form() {
    setShape();
    growEpilogue();
    build();
  }

private:
  /// [b, m, n] or [m, n]
  void setShape() {
    Dims dims = dimsOf(root->getResult(0));
    if (isa<ConvOp>(root))
      dims = {dims.front(), numElements(ArrayRef<DimExpr>(dims).drop_front().drop_back()), dims.back()};
    shape = dims;
    last = root->getResult(0);
  }
  Type canonical(Type element) { return tensorType(shape, element); }

  /// True when a tensor of these dims is the product's shape up to a reshape that keeps the columns.
  bool fits(ArrayRef<DimExpr> dims) const { return !dims.empty() && dims.back() == shape.back() && numElements(dims) == numElements(shape); }

  /// One constant number.
  static bool isSplat(Value v) {
    auto broadcast = v.getDefiningOp<BroadcastOp>();
    auto constant = (broadcast ? broadcast.getX() : v).getDefiningOp<ConstantOp>();
    return constant && constant.getValue().isSplat();
  }

  ExternalOperand classify(Value v) const {
    ExternalOperand e;
    auto broadcast = v.getDefiningOp<BroadcastOp>();
    Value scalar = broadcast ? broadcast.getX() : v;
    auto constant = scalar.getDefiningOp<ConstantOp>();
    if (constant && constant.getValue().isSplat()) {
      e.kind = ExternalOperand::Kind::splat;
      e.source = scalar;
      return e;
    }
    if (!broadcast) {
      e.kind = ExternalOperand::Kind::full;
      e.source = v;
      auto dequantize = v.getDefiningOp<DequantizeOp>();
      if (dequantize && is8Bit(dequantize.getX()) && isSplat(dequantize.getScale()) && (!dequantize.getZeroPoint() || isSplat(dequantize.getZeroPoint()))) {
        e.widening = dequantize;
        e.source = dequantize.getX();
      }
      if (Value half = halfUnder(v)) {
        e.widening = v.getDefiningOp();
        e.source = half;
      }
      return e;
    }
    Dims to = dimsOf(v), from(to.size() - dimsOf(broadcast.getX()).size(), DimExpr(1));
    from.append(dimsOf(broadcast.getX()));
    e.source = broadcast.getX();
    if (from.back() != DimExpr(1) && from.back() != shape.back())
      return e;
    DimExpr one(1);
    bool perColumn = llvm::all_of(ArrayRef<DimExpr>(from).drop_back(), [&](const DimExpr &d) { return d == one; });
    // [b, m, 1], or the same with the pixels' own dims.
    bool perRow = from.back() == one && from.size() > 1 && from.front() == shape.front() && ArrayRef<DimExpr>(from).drop_back() == ArrayRef<DimExpr>(to).drop_back() &&
                  numElements(ArrayRef<DimExpr>(from).drop_back()) == numElements(ArrayRef<DimExpr>(shape).drop_back());
    bool perBatch = shape.size() == 3 && from.size() > 1 && to.front() == shape.front() && from.front() == shape.front() &&
                    llvm::all_of(ArrayRef<DimExpr>(from).drop_front().drop_back(), [&](const DimExpr &d) { return d == one; });
    if (perColumn)
      e.sourceDims = {from.back()};
    else if (perRow)
      (e.sourceDims = shape).back() = one;
    else if (perBatch)
      e.sourceDims = {from.front(), one, from.back()};
    else
      return e;
    e.kind = ExternalOperand::Kind::broadcast;
    return e;
  }

  bool mayJoin(Operation *op, const llvm::SetVector<Operation *> &members) const {
    if (op->getBlock() != root->getBlock() || op->getNumResults() != 1 || !fits(dimsOf(op->getResult(0))))
      return false;
    if (isa<ReshapeOp>(op))
      return true;
    if (!op->hasTrait<Elementwise>() || !hasScalarBody(op, gpu))
      return false;
    // One width of lanes for the whole epilogue; codes of 8 bits are widened where they are read.
    auto fourBytes = [op](Value v) {
      Type t = registerType(elementOf(v));
      return t.isInteger(1) || t.getIntOrFloatBitWidth() == 32 || (t.isInteger(8) && isa<QuantizeOp, DequantizeOp, LookupOp>(op));
    };
    return fourBytes(op->getResult(0)) && llvm::all_of(op->getOperands(), [&](Value v) {
             Operation *def = v.getDefiningOp();
             return fourBytes(v) && ((def && (members.contains(def) || isOuter(def))) || classify(v).kind != ExternalOperand::Kind::none);
           });
  }

  /// Of what is repeated only, and read once: it is computed where it is read. An outer product of rows and columns, say.
  bool isOuter(Operation *op) const {
    return op->hasTrait<Elementwise>() && op->hasOneUse() && hasScalarBody(op, gpu) && op->getBlock() == root->getBlock() &&
           op->getNumOperands() > 1 && fits(dimsOf(op->getResult(0))) && llvm::all_of(op->getOperands(), [&](Value v) {
             auto kind = classify(v).kind;
             return v.getDefiningOp<BroadcastOp>() && (kind == ExternalOperand::Kind::broadcast || kind == ExternalOperand::Kind::splat);
           });
  }

  /// Adds ops while all that leaves the group is one value.
  void growEpilogue() {
    constexpr size_t kMaxOps = 24, kMaxTry = 6;
    llvm::SetVector<Operation *> accepted;
    accepted.insert(root);
    for (;;) {
      llvm::SetVector<Operation *> trial = accepted;
      Value out = last;
      bool single = false;
      for (size_t tried = 0; tried < kMaxTry && trial.size() < kMaxOps && !single; ++tried) {
        // The earliest user outside of what the group produces.
        Operation *next = nullptr;
        for (Operation *member : trial)
          for (Operation *user : member->getUsers())
            if (!trial.contains(user) && (!next || (user->getBlock() == next->getBlock() && user->isBeforeInBlock(next))))
              next = user;
        if (!next || !mayJoin(next, trial))
          break;
        for (Value v : next->getOperands())
          if (Operation *def = v.getDefiningOp(); def && !trial.contains(def) && isOuter(def))
            trial.insert(def);
        trial.insert(next);
        out = next->getResult(0);
        // What else leaves the group?
        single = llvm::all_of(trial, [&](Operation *member) {
          return member->getResult(0) == out || llvm::all_of(member->getUsers(), [&](Operation *u) { return trial.contains(u); });
        });
      }
      if (!single)
        break;
      accepted = trial;
      last = out;
    }
    // Reshapes at the end gain nothing inside; codes are a quarter of what they stand for, unless products in floats read them.
    members = accepted.takeVector();
    auto endsInCodes = [&] {
      Value result = members.back()->getResult(0);
      if (Value half = halfUnder(result))
        return (gpu || elementOf(half).isBF16()) && llvm::is_contained(members, half.getDefiningOp());
      auto dequantize = dyn_cast<DequantizeOp>(members.back());
      return dequantize && (is8Bit(dequantize.getX()) || isa<Float8E4M3FNType>(elementOf(dequantize.getX()))) && llvm::is_contained(members, dequantize.getX().getDefiningOp()) &&
             !llvm::all_of(dequantize->getUsers(), [](Operation *user) { return isa<ConvOp, ContractOp>(user); });
    };
    while (members.size() > 1 && (isa<ReshapeOp>(members.back()) || endsInCodes())) {
      last = members.back()->getOperand(0);
      members.pop_back();
    }
  }

  /// Ops before the root that its kernel computes as it reads: the padding of a convolution of bytes, the widening of the
  /// image of a depthwise one.
  bool isPrologue(Operation *op) const {
    if (widens)
      return op->getResult(0) == root->getOperand(0);
    if (!isa<ConvOp>(root))
      return false;
    auto pad = dyn_cast<PadOp>(op);
    if (pad)
      return elementOf(pad.getY()).isInteger(8) && pad.getMode() == "constant" && pad.getValue() && pad.getLow().constants() &&
             pad.getValue().getDefiningOp<ConstantOp>();
    return isDepthwise(root) && op->hasTrait<Elementwise>() && hasScalarBody(op) && isWidening(op);
  }
  /// cast %x, or (cast %x) - constant, of bytes; cast %x of 16 bits.
  static bool isWidening(Operation *op) {
    if (auto sub = dyn_cast<SubOp>(op)) {
      Operation *cast = sub.getLhs().getDefiningOp();
      return cast && isa<CastOp>(cast) && isWidening(cast) && splatValue(sub.getRhs());
    }
    return halfUnder(op->getResult(0)) || (isa<CastOp>(op) && elementOf(op->getOperand(0)).isInteger(8) && elementOf(op->getResult(0)).isF32());
  }
  Value throughPrologue(Value x) const {
    for (Operation *op = x.getDefiningOp(); op && isPrologue(op); op = x.getDefiningOp())
      x = op->getOperand(0);
    return x;
  }
  /// The prologue of `x` again, inside the kernel.
  Value prologue(Value x, Value argument) {
    Operation *op = x.getDefiningOp();
    if (!op || !isPrologue(op))
      return argument;
    IRMapping mapping;
    mapping.map(op->getOperand(0), prologue(op->getOperand(0), argument));
    for (Value v : op->getOperands().drop_front()) {
      auto broadcast = v.getDefiningOp<BroadcastOp>();
      Value inside = constantInside(broadcast ? broadcast.getX() : v);
      mapping.map(v, broadcast ? Value(b.create<BroadcastOp>(v.getLoc(), v.getType(), inside)) : inside);
    }
    return b.clone(*op, mapping)->getResult(0);
  }
  Value widenInside(Operation *widening, Value codes) {
    if (isa<CastOp>(widening))
      return b.create<CastOp>(widening->getLoc(), canonical(elementOf(widening->getResult(0))), codes);
    auto op = cast<DequantizeOp>(widening);
    auto spread = [&](Value v) {
      auto broadcast = v.getDefiningOp<BroadcastOp>();
      return b.create<BroadcastOp>(v.getLoc(), canonical(elementOf(v)), constantInside(broadcast ? broadcast.getX() : v));
    };
    return b.create<DequantizeOp>(op.getLoc(), canonical(elementOf(op.getY())), codes, spread(op.getScale()),
                                  op.getZeroPoint() ? spread(op.getZeroPoint()) : Value());
  }
  /// A constant of one value, without dims.
  Value constantInside(Value v) {
    Attribute splat = v.getDefiningOp<ConstantOp>().getValue().getSplatValue<Attribute>();
    return b.create<ConstantOp>(v.getLoc(), DenseElementsAttr::get(cast<ShapedType>(tensorType({}, elementOf(v))), splat));
  }

  Value reshapeTo(Value v, Type type) {
    return v.getType() == type ? v : Value(b.create<ReshapeOp>(v.getLoc(), type, v));
  }

  void build() {
    b.setInsertionPoint(members.back());
    // Operands, outside of the kernel.
    SmallVector<Value> operands{throughPrologue(root->getOperand(0))};
    RightOperand right(b, root, shape[shape.size() - 2], gpu, widens);
    llvm::append_range(operands, right.operands());
    llvm::DenseMap<Value, unsigned> argumentOf; // by the value that enters the epilogue
    for (Operation *op : ArrayRef(members).drop_front())
      for (Value v : op->getOperands()) {
        Operation *def = v.getDefiningOp();
        if ((def && llvm::is_contained(members, def)) || argumentOf.count(v))
          continue;
        ExternalOperand e = classify(v);
        if (e.kind == ExternalOperand::Kind::splat)
          continue;
        argumentOf[v] = operands.size();
        Type type = e.kind == ExternalOperand::Kind::full ? canonical(elementOf(e.source)) : tensorType(e.sourceDims, elementOf(v));
        operands.push_back(reshapeTo(e.source, type));
      }

    SmallVector<Location> locations;
    for (Operation *op : members)
      locations.push_back(op->getLoc());
    Location location = b.getFusedLoc(locations);
    auto kernel = b.create<KernelOp>(location, canonical(elementOf(last)), operands, right.kind());
    Block *body = b.createBlock(&kernel.getBody());
    for (Value operand : operands)
      body->addArgument(operand.getType(), operand.getLoc());

    // The root on its unpacked weights.
    IRMapping mapping;
    Value x = body->getArgument(0), w = right.unpack(body->getArguments().slice(1, right.operands().size())), product;
    if (auto conv = dyn_cast<ConvOp>(root)) {
      mapping.map(conv.getX(), prologue(conv.getX(), x));
      mapping.map(conv.getW(), w);
      product = b.clone(*root, mapping)->getResult(0);
      product = b.create<ReshapeOp>(root->getLoc(), canonical(elementOf(product)), product);
    } else {
      auto contract = cast<ContractOp>(root);
      product = b.create<ContractOp>(root->getLoc(), prologue(contract.getLhs(), x), w, contract.getLhsBatch(), contract.getRhsBatch(), contract.getLhsContract(),
                                     ArrayRef<int64_t>{right.contracted()});
      if (root->hasAttr(kTf32))
        product.getDefiningOp()->setAttr(kTf32, b.getUnitAttr());
      if (right.isTwoOfFour())
        product.getDefiningOp()->setAttr(kTwoOfFour, b.getUnitAttr());
      if (right.isTable())
        product.getDefiningOp()->setAttr(kUnpacksRhs, b.getUnitAttr());
    }
    mapping.map(root->getResult(0), product);
    for (Operation *op : ArrayRef(members).drop_front()) {
      if (isa<ReshapeOp>(op)) {
        mapping.map(op->getResult(0), mapping.lookup(op->getOperand(0)));
        continue;
      }
      for (Value v : op->getOperands()) {
        if (mapping.contains(v))
          continue;
        ExternalOperand e = classify(v);
        Value inside;
        if (e.kind == ExternalOperand::Kind::splat) {
          inside = constantInside(e.source);
        } else {
          inside = body->getArgument(argumentOf[v]);
        }
        if (e.widening)
          inside = widenInside(e.widening, inside);
        if (e.kind != ExternalOperand::Kind::full)
          inside = b.create<BroadcastOp>(v.getLoc(), canonical(elementOf(v)), inside);
        mapping.map(v, inside);
      }
      Operation *twin = b.clone(*op, mapping);
      twin->getResult(0).setType(cast<RankedTensorType>(canonical(elementOf(op->getResult(0)))));
    }
    b.create<YieldOp>(location, mapping.lookup(last));
    b.setInsertionPointAfter(kernel);
    Value result = reshapeTo(kernel.getResult(0), last.getType());
    last.replaceAllUsesWith(result);
    for (Operation *op : llvm::reverse(members))
      op->erase();
  }

  Operation *root;
  OpBuilder b;
  bool widens; // operands are small floats
  bool gpu; // weights stay as they are
  Dims shape;
  Value last;
  SmallVector<Operation *> members;
};

/// Of floats, or of bytes as instructions multiply them. A GPU has products of f64 and of wide integers, too.
bool isProduct(Value lhs, Value rhs, bool gpu) {
  Type element = elementOf(lhs);
  if (gpu && element == elementOf(rhs) && (element.isF64() || element.isInteger(32) || element.isInteger(64)))
    return true;
  return element.isF32() || (gpu && (element.isF16() || element.isBF16())) || (elementOf(lhs).isUnsignedInteger(8) && elementOf(rhs).isSignlessInteger(8));
}

bool isRoot(Operation *op, bool gpu) {
  if (auto contract = dyn_cast<ContractOp>(op)) {
    size_t batch = contract.getLhsBatch().size();
    return isProduct(contract.getLhs(), contract.getRhs(), gpu) && batch <= 1 && tensorOf(contract.getLhs()).getRank() == int64_t(batch + 2) &&
           tensorOf(contract.getRhs()).getRank() == int64_t(batch + 2) && contract.getLhsContract() == ArrayRef<int64_t>{int64_t(batch + 1)} &&
           (batch == 0 || (contract.getLhsBatch()[0] == 0 && contract.getRhsBatch()[0] == 0)) && contract.getRhsContract().size() == 1;
  }
  auto conv = dyn_cast<ConvOp>(op);
  if (!conv || conv.getLayout() != "nhwc" || !(conv.getGroups() == 1 || isDepthwise(op)) || !isProduct(conv.getX(), conv.getW(), false) ||
      tensorOf(conv.getX()).getShape().back() == ShapedType::kDynamic)
    return false;
  // A GPU lays out filters that are computed, too, as it has them; of three dims no filter.
  if (gpu)
    return tensorOf(conv.getX()).getRank() <= 4 && tensorOf(conv.getW()).hasStaticShape();
  return isWeight(conv.getW()) || readBlocks(conv.getW()) || readSparseCodes(conv.getW());
}

struct FormContractions : optc::impl::FormContractionsBase<FormContractions> {
  using FormContractionsBase::FormContractionsBase;
  void runOnOperation() override {
    SmallVector<Operation *> roots;
    getOperation().walk([&](Operation *op) {
      if (isRoot(op, gpu) && !op->use_empty() && !isWeight(op->getResult(0)))
        roots.push_back(op);
    });
    for (Operation *root : roots)
      KernelFormer(root, gpu).form();
  }
};
} // namespace
