//===- Loops.cpp - Fused elementwise and movement kernels on a device -----===//
//
// A thread computes one element of the result, or where all that is read lies along the last dim as many as
// 16 bytes hold:
//
//   i = (block * 256 + thread) * 4
//   if i < n    y[i .. i+4] = f(x[i .. i+4], ...)
//
// Each element is pulled through the kernel's ops, as on the CPU.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Generators.h"
#include "codegen/kernel/TensorEmitter.h"

using namespace mlir;
using namespace optc;

/// True where `lanes` neighbours of the result's last dim are neighbours of the op's operands too.
static bool keepsNeighbours(Operation *op, int64_t lanes) {
  if (op->hasTrait<Elementwise>() || isa<BroadcastOp, ReshapeOp, ConstantOp, YieldOp>(op))
    return true;
  auto last = [](Value v) { return int64_t(dimsOf(v).size()) - 1; };
  auto isWhole = [&](const DimExpr &d) { return d.constant() && *d.constant() % lanes == 0; };
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return last(transpose.getX()) >= 0 &&
           int64_t(transpose.getPermutation().back()) == last(transpose.getX());
  if (auto concat = dyn_cast<ConcatOp>(op))
    return int64_t(concat.getAxis()) != last(concat.getY()) ||
           llvm::all_of(concat.getXs(), [&](Value x) { return isWhole(dimsOf(x).back()); });
  if (auto slice = dyn_cast<SliceOp>(op); slice && last(slice.getX()) >= 0)
    return slice.getStrides().dim(last(slice.getX())) == DimExpr(1) &&
           isWhole(slice.getStarts().dim(last(slice.getX())));
  return false;
}

/// Elements a thread: 16 bytes of the widest element. Ops that move elements about would gather them one by
/// one.
static int64_t chooseLanes(KernelOp kernel, ArrayRef<DimExpr> dims) {
  unsigned bytes = 1;
  for (TypeRange types : {TypeRange(kernel.getOperandTypes()), TypeRange(kernel.getResultTypes())})
    for (Type type : types)
      bytes = std::max(bytes,
                       memoryType(cast<RankedTensorType>(type).getElementType()).getIntOrFloatBitWidth() / 8);
  int64_t lanes = 16 / bytes;
  std::optional<int64_t> last = dims.empty() ? 1 : dims.back().constant();
  auto keep = [&] {
    return llvm::all_of(kernel.getBody().front(), [&](Operation &op) { return keepsNeighbours(&op, lanes); });
  };
  // Of one dim, the end is computed one by one.
  if (dims.size() == 1 && (!last || *last >= lanes) && keep())
    return lanes;
  while (lanes > 1 && (!last || *last % lanes != 0 || !keep()))
    lanes /= 2;
  return lanes;
}

void optc::generateDeviceLoops(DeviceFunction &f) {
  TensorEmitter emitter(f);
  auto yield = cast<YieldOp>(f.kernel.getBody().front().getTerminator());
  Dims dims = dimsOf(yield.getValues().front());
  int64_t lanes = chooseLanes(f.kernel, dims);

  auto storeAt = [&](const LaneIndices &index, int64_t n) {
    TensorEmitter::Scope scope(emitter);
    emitter.storeResults(index, n);
  };

  f.items = numElements(dims);
  f.itemsPerBlock = f.threads * lanes;
  if (dims.size() <= 1) {
    Value i = f.named(f.mul(f.threadInGrid(), f.index(lanes)), "i");
    Value n = dims.empty() ? f.index(1) : f.size(dims[0]);
    auto atOffset = [&](Value at, int64_t stride) {
      return dims.empty() ? LaneIndices{} : LaneIndices{{at, stride}};
    };
    std::optional<int64_t> known = KernelEmitter::constantOf(n);
    if (lanes == 1 || (known && *known % lanes == 0)) {
      f.when(f.less(i, n), [&] { storeAt(atOffset(i, lanes > 1), lanes); });
    } else {
      Value whole = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sle, f.add(i, f.index(lanes)), n);
      auto split = f.b.create<scf::IfOp>(f.loc, whole, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(f.b);
      f.b.setInsertionPoint(split.thenBlock()->getTerminator());
      storeAt(atOffset(i, 1), lanes);
      f.b.setInsertionPoint(split.elseBlock()->getTerminator());
      f.loop(i, n, f.index(1), {}, [&](Value j, ValueRange) {
        storeAt(atOffset(j, 0), 1);
        return SmallVector<Value>{};
      });
    }
    return f.finish();
  }

  SmallVector<Value> sizes = emitter.sizesOf(yield.getValues().front().getType());
  Value t = f.named(f.threadInGrid(), "t");
  DimExpr vectors = numElements(ArrayRef<DimExpr>(dims).drop_back()) * DimExpr::ceildiv(dims.back(), lanes);
  f.when(f.less(t, f.size(vectors)), [&] {
    LaneIndices index(dims.size());
    Value rest = t;
    for (size_t d = dims.size(); d-- > 0;) {
      Value size = d + 1 == dims.size() ? f.size(DimExpr::ceildiv(dims[d], lanes)) : sizes[d];
      index[d].base = d == 0 ? rest : f.modulo(rest, size);
      rest = d == 0 ? rest : f.divide(rest, size);
    }
    index.back() = {f.mul(index.back().base, f.index(lanes)), lanes > 1};
    for (size_t d = 0; d < dims.size(); ++d)
      f.named(index[d].base, "i" + std::to_string(d));
    emitter.setAligned(index.back().base);
    storeAt(index, lanes);
  });
  f.finish();
}
