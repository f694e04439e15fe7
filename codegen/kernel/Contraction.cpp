//===- Contraction.cpp - Kernels around a matrix product ------------------===//

#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/Tiling.h"
#include "codegen/kernel/CompressedRows.h"
#include "codegen/kernel/SparseRows.h"
#include "codegen/kernel/StridedView.h"

using namespace mlir;
using namespace optc;

/// Bytes of a row that AMX's tiles hold at most.
static constexpr int64_t kByteStep = 64;

/// Of 8 bits: the lhs unsigned, the rhs signed.
static bool areBytes(Value lhs, Value rhs) { return elementOf(lhs).isUnsignedInteger(8) && elementOf(rhs).isSignlessInteger(8); }

int64_t optc::narrowBytes(Value operand) { return bfloatUnder(operand) ? 2 : 1; }

/// Panels without zeros.
static bool readCodes(Value value, ContractionKernel &c) {
  c.codes = readSparseCodes(value);
  if (c.codes)
    c.rhs = dyn_cast<BlockArgument>(c.codes->values);
  return c.codes.has_value();
}

/// Reads through reshapes and slices of a transpose; null when the value is not unpacked.
static BlockArgument packedOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      auto slice = transpose.getX().getDefiningOp<SliceOp>();
      return dyn_cast<BlockArgument>(slice ? slice.getX() : transpose.getX());
    }
    if (!isa<SliceOp, ReshapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return {};
}

static BlockArgument panelsOf(Value value) {
  BlockArgument packed = packedOf(value);
  return packed && tensorOf(packed).getRank() > 2 ? packed : BlockArgument();
}
/// Rows of K for each column.
static BlockArgument columnsOf(Value value) {
  BlockArgument packed = packedOf(value);
  return packed && tensorOf(packed).getRank() == 2 ? packed : BlockArgument();
}

static bool readMatmul(ContractOp op, ContractionKernel &c) {
  c.root = op;
  c.narrow = areBytes(op.getLhs(), op.getRhs());
  c.product = op.getY();
  c.lhs = dyn_cast<BlockArgument>(op.getLhs());
  Dims lhs = dimsOf(op.getLhs()), rhs = dimsOf(op.getRhs());
  c.batched = c.rhsBatched = !op.getLhsBatch().empty();
  size_t first = c.batched ? 1 : 0;
  if (c.batched)
    c.batch = lhs[0];
  c.m = lhs[first];
  c.k = lhs[first + 1];
  c.rhsTransposed = op.getRhsContract().front() == int64_t(first + 1);
  c.n = rhs[c.rhsTransposed ? first : first + 1];
  // A GPU takes small floats as they are, under casts.
  auto smallArgument = [](Value value) {
    return dyn_cast_or_null<BlockArgument>(smallFloatUnder(value));
  };
  if (op->hasAttr(kTwoOfFour)) {
    c.lhs = smallArgument(op.getLhs());
    c.rhs = op->getBlock()->getArgument(1);
    c.positions = op->getBlock()->getArgument(2);
    if (elementOf(c.rhs).isInteger(32))
      std::swap(c.rhs, c.positions);
    return c.lhs != nullptr;
  }
  if (op->hasAttr(kUnpacksRhs)) {
    if (!c.lhs)
      c.lhs = smallArgument(op.getLhs());
    c.unpacked = true;
    return c.lhs != nullptr;
  }
  if (auto lhsSmall = smallArgument(op.getLhs())) {
    c.lhs = lhsSmall;
    c.rhs = smallArgument(op.getRhs());
    if (!c.rhs && smallFloatUnder(op.getRhs()))
      c.inColumns = bool(c.rhs = columnsOf(smallFloatUnder(op.getRhs())));
    if (c.rhs)
      return true;
  }
  Value lhsBits = bfloatUnder(op.getLhs()), rhsBits = bfloatUnder(op.getRhs());
  if (lhsBits && rhsBits) {
    c.lhs = dyn_cast<BlockArgument>(lhsBits);
    c.rhs = panelsOf(rhsBits);
    c.narrow = c.bfloat = c.packed = true;
    c.k = c.k * DimExpr(2);
    return c.lhs && c.rhs;
  }
  c.rhs = dyn_cast<BlockArgument>(op.getRhs());
  if (c.rhs)
    return c.lhs != nullptr;
  if ((c.rhs = columnsOf(op.getRhs()))) {
    c.inColumns = true;
    return c.lhs != nullptr;
  }
  if (readCodes(op.getRhs(), c))
    return c.lhs && c.rhs;
  c.compressed = readCompressed(op.getRhs());
  c.sparse = readSparse(op.getRhs());
  c.blocks = readBlocks(op.getRhs());
  c.packed = !c.isCompressed() && !c.blocks;
  c.rhs = c.packed ? panelsOf(op.getRhs()) : dyn_cast<BlockArgument>(c.blocks ? c.blocks->blocks : c.sparse ? c.sparse->values : c.compressed->words);
  return c.lhs && c.rhs;
}

bool optc::isPointwise(ConvOp conv) {
  auto all = [](ArrayRef<int64_t> list, int64_t v) { return llvm::all_of(list, [&](int64_t x) { return x == v; }); };
  Dims w = dimsOf(conv.getW());
  ArrayRef<DimExpr> taps = conv.getLayout() == "nhwc" ? ArrayRef<DimExpr>(w).drop_back(2) : ArrayRef<DimExpr>(w).drop_front(2);
  return all(conv.getStrides(), 1) && all(conv.getPadsLow(), 0) && all(conv.getPadsHigh(), 0) &&
         llvm::all_of(taps, [](const DimExpr &d) { return d == DimExpr(1); });
}

Value optc::flatProduct(ConvOp conv) {
  if (tensorOf(conv.getY()).getRank() == 3)
    return conv.getY();
  if (!conv->hasOneUse())
    return {};
  auto flat = dyn_cast<ReshapeOp>(*conv->user_begin());
  return flat && tensorOf(flat.getY()).getRank() == 3 ? flat.getY() : Value();
}

static bool readConv(ConvOp op, ContractionKernel &c) {
  c.product = flatProduct(op);
  if (!c.product || op.getLayout() != "nhwc" || op.getGroups() != 1)
    return false;
  c.root = op;
  Value x = op.getX(), w = op.getW();
  c.bfloat = bfloatUnder(x) && bfloatUnder(w);
  c.narrow = c.bfloat || areBytes(x, w);
  c.isConv = c.batched = c.packed = true;
  if (c.bfloat)
    x = bfloatUnder(x), w = bfloatUnder(w);
  c.padsLow = llvm::to_vector(op.getPadsLow());
  if (auto pad = x.getDefiningOp<PadOp>()) {
    auto low = pad.getLow().constants();
    auto value = pad.getValue() ? pad.getValue().getDefiningOp<ConstantOp>() : ConstantOp();
    if (!low || !value || !isa<IntegerType>(elementOf(x)))
      return false;
    for (size_t d = 0; d < c.padsLow.size(); ++d)
      c.padsLow[d] += (*low)[d + 1];
    c.padValue = value.getValue().getSplatValue<APInt>().getZExtValue();
    x = pad.getX();
  }
  c.lhs = dyn_cast<BlockArgument>(x);
  Value columns = smallFloatUnder(w) ? smallFloatUnder(w) : w;
  if ((c.rhs = columnsOf(columns))) {
    if (Value small = smallFloatUnder(x))
      c.lhs = dyn_cast<BlockArgument>(small);
    Dims out = dimsOf(c.product), kernel = dimsOf(w);
    c.inColumns = true;
    c.packed = c.bfloat = false;
    c.narrow = areBytes(x, w);
    c.batch = out[0];
    c.m = out[1];
    c.n = out[2];
    c.k = numElements(ArrayRef<DimExpr>(kernel).drop_back());
    return c.lhs != nullptr;
  }
  c.blocks = readBlocks(w);
  c.packed = !c.blocks && !readCodes(w, c);
  if (!c.codes)
    c.rhs = c.blocks ? dyn_cast<BlockArgument>(c.blocks->blocks) : panelsOf(w);
  Dims out = dimsOf(c.product), kernel = dimsOf(w);
  c.batch = out[0];
  c.m = out[1];
  c.n = out[2];
  for (size_t i = 0; i + 2 < kernel.size(); ++i)
    c.taps *= *kernel[i].constant();
  int64_t channels = *kernel[kernel.size() - 2].constant();
  // Short rows do not fill the loop over k: copy all taps of a row together.
  // Their lists of rows count over all taps.
  c.gatherRows = channels < 8 || c.narrow || c.blocks;
  c.k = c.gatherRows ? channels * c.taps : channels;
  if (c.narrow)
    c.k = c.taps / *kernel[kernel.size() - 3].constant() * runBytes(op);
  return c.lhs && c.rhs;
}

static bool isShortRun(ConvOp conv) {
  Dims w = dimsOf(conv.getW());
  return conv.getDilations().back() == 1 && *w[w.size() - 3].constant() * *w[w.size() - 2].constant() * narrowBytes(conv.getX()) <= kByteStep;
}

int64_t optc::runBytes(ConvOp conv) {
  Dims w = dimsOf(conv.getW());
  int64_t bytes = *w[w.size() - 3].constant() * *w[w.size() - 2].constant() * narrowBytes(conv.getX());
  return isShortRun(conv) ? (bytes + 3) / 4 * 4 : bytes;
}

static std::optional<ImageWindow> windowOf(const ContractionKernel &c) {
  auto conv = dyn_cast<ConvOp>(c.root);
  if (!conv || !c.narrow)
    return std::nullopt;
  auto x = tensorOf(c.lhs), y = tensorOf(conv.getY()), w = tensorOf(conv.getW());
  int64_t rank = x.getRank();
  if (rank < 3 || rank > 4 || !x.hasStaticShape() || !y.hasStaticShape())
    return std::nullopt;
  bool flat = rank == 3; // one spatial dim: one row
  auto first = [&](ArrayRef<int64_t> list, int64_t otherwise) { return flat ? otherwise : list.front(); };
  ImageWindow v;
  v.height = flat ? 1 : x.getDimSize(1);
  v.width = x.getDimSize(rank - 2);
  v.channels = x.getDimSize(rank - 1) * narrowBytes(conv.getX());
  v.outHeight = flat ? 1 : y.getDimSize(1);
  v.outWidth = y.getDimSize(rank - 2);
  v.kernelHeight = flat ? 1 : w.getDimSize(0);
  v.kernelWidth = w.getDimSize(rank - 3);
  v.strideRow = first(conv.getStrides(), 1);
  v.stride = conv.getStrides().back();
  v.dilationRow = first(conv.getDilations(), 1);
  v.dilation = conv.getDilations().back();
  v.padRow = first(c.padsLow, 0);
  v.pad = c.padsLow.back();
  int64_t columns = (v.outWidth - 1) * v.stride + v.dilation * (v.kernelWidth - 1) + 1;
  v.padded = std::max(columns, v.width + v.pad);
  v.runIsRow = isShortRun(conv);
  v.run = v.runIsRow ? runBytes(conv) : v.channels;
  v.step = byteStep(v.run);
  // A padded run reads a little beyond its pixels.
  bool reachesBeyond = v.runIsRow && v.run != v.kernelWidth * v.channels;
  v.copies = v.pad != 0 || v.padRow != 0 || columns > v.width || v.imageRows(v.outHeight) > v.height || reachesBeyond;
  // As many pixels as fill seven tiles; a few rows, so that those they share are copied less often.
  v.blockRows = std::clamp<int64_t>(std::max<int64_t>(4, 112 / std::max<int64_t>(1, v.outWidth)), 1, std::max<int64_t>(1, v.outHeight));
  if (v.outHeight < 1 || v.outWidth < 1 || v.run % 4 != 0 || v.run % v.step != 0)
    return std::nullopt;
  // A float there may be no number, even times 0.
  if (c.bfloat && reachesBeyond)
    return std::nullopt;
  return v;
}

std::optional<ContractionKernel> optc::readContraction(KernelOp kernel) {
  ContractionKernel c;
  bool ok = false;
  for (Operation &op : kernel.getBody().front())
    if (auto contract = dyn_cast<ContractOp>(op))
      ok = readMatmul(contract, c);
    else if (auto conv = dyn_cast<ConvOp>(op))
      ok = readConv(conv, c);
  if (!ok)
    return std::nullopt;
  if (c.inColumns || c.unpacked)
    return c;
  if (c.narrow) {
    c.panelsPerTile = 8;
    c.image = windowOf(c);
    return c;
  }
  // Few rows, or rows that are copied for each group of columns: wider tiles.
  auto rows = c.m.constant();
  if ((rows && *rows < 4) || c.gatherRows || c.isCompressed())
    c.panelsPerTile = 4;
  if (ArrayRef<int64_t> tiling = tilingOf(kernel, kCpuTiling); tiling.size() == 2 && c.isFreelyCut() && tiling[0] > 0 && tiling[0] <= kMostPanels && tiling[1] > 0) {
    c.panelsPerTile = tiling[0];
    c.rowsPerBlock = tiling[1];
  }
  return c;
}

static int64_t byteSteps(int64_t k) { return std::max<int64_t>(1, (k + kByteStep - 1) / kByteStep); }
int64_t optc::byteStep(int64_t k) { return paddedBytes(k) / byteSteps(k); }
int64_t optc::paddedBytes(int64_t k) {
  int64_t multiple = 4 * byteSteps(k);
  return std::max<int64_t>(1, (k + multiple - 1) / multiple) * multiple;
}
/// Rows of unknown length take whole steps.
DimExpr ContractionKernel::paddedK() const {
  auto known = k.constant();
  return known ? DimExpr(paddedBytes(*known)) : DimExpr::ceildiv(k, kByteStep) * DimExpr(kByteStep);
}

DimExpr ContractionKernel::rowBlocks() const {
  if (image)
    return image->blocks();
  // An activation rhs is packed once for all rows; unpacking weights of few bits is worth a few blocks' rows.
  if (isCompressed())
    return DimExpr::ceildiv(m, 4 * kRowBlock);
  // Whole lines, or equal parts of them, are read where they are (WindowRows.h).
  if (gatherRows && !narrow && packed) {
    Dims result = dimsOf(root->getResult(0));
    DimExpr line = result[result.size() - 2];
    return numElements(ArrayRef<DimExpr>(result).drop_front().drop_back(2)) * DimExpr::ceildiv(line, rowBlock());
  }
  return packed || blocks ? DimExpr::ceildiv(m, rowBlock()) : DimExpr(1);
}
SmallVector<int64_t> ContractionKernel::blockHeights(int64_t unit) const {
  auto rows = m.constant();
  if (!rows)
    return {};
  // There may be no rows, and no blocks.
  int64_t units = *rows / unit, count = std::max<int64_t>(1, *rowBlocks().constant());
  return {units / count * unit, (units + count - 1) / count * unit};
}
DimExpr ContractionKernel::columnBlocks() const { return DimExpr::ceildiv(n, kPanel * panelsPerTile); }

static DimExpr aligned(const DimExpr &bytes) { return DimExpr::ceildiv(bytes, 64) * DimExpr(64); }

DimExpr ContractionKernel::packedBytes() const {
  if (packed || blocks || codes || (isCompressed() && !mayUnpack()))
    return 0;
  return (narrow ? paddedK() : k * DimExpr(4)) * DimExpr(kPanel * panelsPerTile);
}
DimExpr ContractionKernel::gatherBytes() const {
  if (image) {
    int64_t copy = image->copies ? image->imageRows(image->blockRows) * image->padded * image->channels + kByteStep : 0;
    return aligned(std::max(copy, *paddedK().constant() * kByteTileRows));
  }
  if (narrow)
    return aligned(paddedK() * DimExpr(copiesRows() ? rowBlock() : kByteTileRows)); // or half as many of 16 bits
  return gatherRows ? aligned(k * DimExpr(kMaxTileRows * 4)) : DimExpr(0);
}
DimExpr ContractionKernel::pointerBytes() const {
  return isConv && !gatherRows ? aligned(taps * kMaxTileRows * 8) : DimExpr(0);
}
DimExpr ContractionKernel::zeroBytes() const { return isConv && !gatherRows ? aligned(k * DimExpr(4)) : DimExpr(0); }
DimExpr ContractionKernel::sumBytes() const {
  // And the configuration of the tiles.
  if (narrow)
    return kByteTileRows * kByteTileColumns * 4 + 64;
  return kMaxTileRows * kPanel * panelsPerTile * 4;
}

KernelSchedule optc::scheduleContraction(KernelOp kernel) {
  auto c = readContraction(kernel);
  KernelSchedule schedule;
  if (!c)
    return schedule;
  if (c->inColumns || c->unpacked) { // a GPU's, which has tiles of its own
    schedule.flops = DimExpr(2) * c->batch * c->m * c->n * c->k;
    return schedule;
  }
  schedule.tiles = c->batch * c->columnBlocks() * c->rowBlocks();
  schedule.scratchBytes = c->packedBytes() + c->gatherBytes() + c->pointerBytes() + c->zeroBytes() + c->sumBytes();
  schedule.flops = DimExpr(c->bfloat ? 1 : 2) * c->batch * c->m * c->n * c->k * DimExpr(c->totalTaps());
  return schedule;
}
