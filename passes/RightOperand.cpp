//===- RightOperand.cpp - How a product's kernel has its right operand -----===//

#include "passes/RightOperand.h"
#include "codegen/kernel/ByteDepthwise.h"
#include "codegen/kernel/CompressedRows.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/PackedWeights.h"
#include "codegen/kernel/SparseRows.h"
#include "codegen/kernel/StridedView.h"
#include "codegen/kernel/Winograd.h"
#include "ir/eval/Weight.h"
#include "passes/KernelFormation.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace optc;

bool optc::isDepthwise(Operation *op) {
  auto conv = dyn_cast<ConvOp>(op);
  if (!conv || conv.getLayout() != "nhwc")
    return false;
  Dims x = dimsOf(conv.getX()), w = dimsOf(conv.getW());
  return x.size() <= 4 && w[w.size() - 2] == DimExpr(1) && x.back() == DimExpr(conv.getGroups()) && w.back() == x.back() &&
         conv.getGroups() > 1;
}

bool optc::isDeviceConv(Operation *root) {
  auto conv = dyn_cast<ConvOp>(root);
  return conv && conv.getGroups() == 1 && tensorOf(conv.getX()).getRank() <= 4;
}

RightOperand::RightOperand(OpBuilder &b, Operation *root, const DimExpr &rows, bool gpu, bool widens) : b(b), root(root), widens(widens) {
  bool isFew = rows.constant() && *rows.constant() <= kGemvRows;
  // More rows: the table is unpacked once, by a kernel of its own.
  if (gpu && root->hasAttr(kUnpacksRhs) && !isFew && !(widens && isMultipliedInCodes(rows, table()))) {
    buildKernel(unpackers(), table(), "loops", table().getDefiningOp(), [](OpBuilder &builder, Operation *op, IRMapping &mapping) { builder.clone(*op, mapping); });
    root->removeAttr(kUnpacksRhs);
  }
  form = choose(rows, gpu);
  store();
}

RightOperand::Form RightOperand::choose(const DimExpr &rows, bool gpu) {
  Value operand = root->getOperand(1);
  auto contract = dyn_cast<ContractOp>(root);
  auto conv = dyn_cast<ConvOp>(root);
  if (gpu && root->hasAttr(kUnpacksRhs))
    return Form::table;
  if (root->hasAttr(kTwoOfFour))
    return Form::twoOfFour;
  if (elementOf(operand).isF64() || elementOf(operand).isInteger(32) || elementOf(operand).isInteger(64)) // a GPU's
    return Form::asIs;
  if (contract && (sparse = readSparse(operand)))
    return Form::sparse;
  if ((codes = readSparseCodes(operand)))
    return Form::codes;
  if ((blocks = readBlocks(operand)))
    return Form::blocks;
  if (contract && (compressed = readCompressed(operand)))
    return Form::compressed;
  if (isDepthwise(root))
    return !gpu && isByteDepthwise(conv) ? Form::byteTaps : Form::taps;
  int64_t rank = tensorOf(operand).getRank();
  bool isBytes = elementOf(operand).isInteger(8), isConstant = (isWeight(operand) || (gpu && conv)) && (conv || rank == 2);
  if (gpu) {
    bool isFew = rows.constant() && *rows.constant() <= kGemvRows;
    Value small = smallFloatUnder(root->getOperand(0));
    bool alongK = isBytes || root->hasAttr(kTf32) || (widens && isa<Float8E4M3FNType>(elementOf(small)));
    if (isConstant && (conv ? isDeviceConv(root) && (alongK || widens) : alongK || isFew))
      return Form::columns;
    if (contract)
      return alongK && rank - contract.getRhsContract().front() == 2 ? Form::turned : Form::asIs;
  }
  if (!isConstant)
    return Form::asIs;
  return contract ? Form::panels : !gpu && !widens && isWinograd(conv) ? Form::winograd : Form::filter;
}

StringRef RightOperand::kind() const {
  if (form == Form::winograd)
    return "winograd";
  return form == Form::taps || form == Form::byteTaps ? "depthwise" : isa<ConvOp>(root) ? "conv" : "matmul";
}

Value RightOperand::table() const {
  return widens ? smallFloatUnder(root->getOperand(1)) : root->getOperand(1);
}

SmallVector<Operation *> RightOperand::unpackers() const {
  llvm::SetVector<Operation *> ops;
  SmallVector<Operation *> left{table().getDefiningOp()};
  while (!left.empty()) {
    Operation *op = left.pop_back_val();
    if (isa<ConstantOp>(op) || !ops.insert(op))
      continue;
    for (Value operand : op->getOperands())
      left.push_back(operand.getDefiningOp());
  }
  SmallVector<Operation *> ordered = ops.takeVector();
  llvm::sort(ordered, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
  return ordered;
}

Value RightOperand::flat(Value filter) {
  Dims w = dimsOf(filter);
  Type type = tensorType({numElements(ArrayRef<DimExpr>(w).drop_back()), w.back()}, elementOf(filter));
  return filter.getType() == type ? filter : Value(b.create<ReshapeOp>(filter.getLoc(), type, filter));
}

Value RightOperand::alongN(Value matrix) {
  bool isAlongK = cast<ContractOp>(root).getRhsContract().front() == 1;
  return isAlongK ? Value(b.create<TransposeOp>(matrix.getLoc(), matrix, ArrayRef<int64_t>{1, 0})) : matrix;
}

/// m x over dims 0 and 1 of x [i, j, c, o]: [rows, rows, c, o], the two transposed.
Value RightOperand::transformBoth(ArrayRef<float> values, int64_t rows, Value x) {
  auto type = cast<RankedTensorType>(tensorType({rows, int64_t(values.size()) / rows}, b.getF32Type()));
  Value m = b.create<ConstantOp>(root->getLoc(), DenseElementsAttr::get(type, values));
  auto once = [&](Value v, int64_t dim) {
    return b.create<ContractOp>(root->getLoc(), m, v, ArrayRef<int64_t>{}, ArrayRef<int64_t>{}, ArrayRef<int64_t>{1}, ArrayRef<int64_t>{dim});
  };
  // [rows, j, c, o], then [rows', rows, c, o]
  return once(once(x, 0), 1);
}

//===----------------------------------------------------------------------===//
// Before the kernel
//===----------------------------------------------------------------------===//

void RightOperand::store() {
  Value rhs = root->getOperand(1);
  if (widens) {
    Value small = smallFloatUnder(rhs);
    rhs = small ? small : b.create<CastOp>(rhs.getLoc(), tensorType(dimsOf(rhs), elementOf(smallFloatUnder(root->getOperand(0)))), rhs);
  }
  auto keepDepth = [&](Value matrix) {
    depth = *dimsOf(matrix)[0].constant();
    return matrix;
  };
  auto conv = dyn_cast<ConvOp>(root);
  switch (form) {
  case Form::asIs: stored = {rhs}; break;
  case Form::turned:
    stored = {b.create<TransposeOp>(rhs.getLoc(), rhs, tensorOf(rhs).getRank() == 2 ? ArrayRef<int64_t>{1, 0} : ArrayRef<int64_t>{0, 2, 1})};
    break;
  case Form::taps: stored = {flat(rhs)}; break;
  case Form::byteTaps: stored = {packTaps(b, conv, rhs)}; break;
  case Form::columns: stored = {packColumns(b, keepDepth(conv ? flat(rhs) : alongN(rhs)))}; break;
  case Form::panels: stored = {packPanels(b, keepDepth(alongN(rhs)))}; break;
  case Form::filter: stored = {packFilter(b, conv, rhs)}; break;
  case Form::winograd: stored = {packPanels(b, keepDepth(flat(transformBoth(kWinogradG, kWinogradTile, rhs))))}; break;
  case Form::sparse: stored = {sparse->values, sparse->masks, sparse->starts}; break;
  case Form::codes:
    keepDepth(rhs);
    for (Value *operand : codes->operands())
      stored.push_back(*operand);
    break;
  case Form::blocks: stored = {blocks->blocks, blocks->rows}; break;
  case Form::compressed:
    for (Value v : {compressed->words, compressed->scales, compressed->zeros})
      if (v)
        stored.push_back(v);
    break;
  case Form::twoOfFour:
  case Form::table:
    for (Operation *op : unpackers())
      for (Value operand : op->getOperands())
        if (operand.getDefiningOp<ConstantOp>() && !isSplatConstant(operand) && !llvm::is_contained(stored, operand))
          stored.push_back(operand);
    break;
  }
}

//===----------------------------------------------------------------------===//
// Inside of the kernel
//===----------------------------------------------------------------------===//

Value RightOperand::unpackTable(ValueRange arguments) {
  IRMapping mapping;
  mapping.map(stored, arguments);
  Value rows;
  for (Operation *op : unpackers()) {
    for (Value operand : op->getOperands())
      if (isSplatConstant(operand) && !mapping.contains(operand))
        mapping.map(operand, b.clone(*operand.getDefiningOp())->getResult(0));
    rows = b.clone(*op, mapping)->getResult(0);
  }
  return rows;
}

Value RightOperand::unpackMatrix(ValueRange arguments) {
  Location loc = root->getLoc();
  Value w = arguments.front();
  auto unpanelled = [&](Value panels) { return unpackPanels(b, loc, panels, depth, *dimsOf(root->getResult(0)).back().constant()); };
  auto conv = dyn_cast<ConvOp>(root);
  switch (form) {
  case Form::asIs:
  case Form::turned:
  case Form::taps: return w;
  case Form::byteTaps: return unpackTaps(b, conv, w);
  case Form::columns: return unpackColumns(b, loc, w, depth);
  case Form::panels: return unpanelled(w);
  case Form::filter: return unpackFilter(b, conv, w);
  case Form::winograd: {
    Dims dims = dimsOf(conv.getW());
    Value planes = unpanelled(w);
    Type type = tensorType({kWinogradTile, kWinogradTile, dims[2], dims[3]}, elementOf(planes));
    return transformBoth(kWinogradP, 3, b.create<ReshapeOp>(loc, type, planes));
  }
  case Form::sparse:
    sparse->values = w, sparse->masks = arguments[1], sparse->starts = arguments[2];
    return unpackSparse(b, loc, *sparse);
  case Form::codes: {
    for (auto [operand, argument] : llvm::zip(codes->operands(), arguments))
      *operand = argument;
    Value panels = unpackSparseCodes(b, loc, *codes);
    return conv ? unpackFilter(b, conv, panels) : unpanelled(panels);
  }
  case Form::blocks:
    blocks->blocks = w, blocks->rows = arguments[1];
    return unpackBlocks(b, loc, *blocks);
  case Form::compressed:
    compressed->words = w;
    if (compressed->scales)
      compressed->scales = arguments[1];
    if (compressed->zeros)
      compressed->zeros = arguments[2];
    return unpackCompressed(b, loc, *compressed);
  case Form::twoOfFour:
  case Form::table: return unpackTable(arguments);
  }
  llvm_unreachable("all forms are unpacked");
}

Value RightOperand::unpack(ValueRange arguments) {
  Value w = unpackMatrix(arguments);
  Location loc = root->getLoc();
  if (auto conv = dyn_cast<ConvOp>(root))
    if (Type filter = tensorType(dimsOf(conv.getW()), elementOf(w)); w.getType() != filter)
      w = b.create<ReshapeOp>(loc, filter, w);
  return widens ? Value(b.create<CastOp>(loc, tensorType(dimsOf(w), b.getF32Type()), w)) : w;
}

int64_t RightOperand::contracted() const {
  int64_t given = cast<ContractOp>(root).getRhsContract().front();
  switch (form) {
  case Form::columns:
  case Form::panels:
  case Form::codes: return 0;
  case Form::turned: return given + 1;
  default: return given;
  }
}
