//===- Tiling.cpp - How a kernel's work is cut, where it was measured -----===//

#include "codegen/kernel/Tiling.h"
#include "codegen/kernel/Contraction.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace optc;

static constexpr const char *kTiling = "optc.tiling";

ArrayRef<int64_t> optc::tilingOf(KernelOp kernel, StringRef target) {
  auto all = kernel->getAttrOfType<DictionaryAttr>(kTiling);
  auto tiling = all ? all.getAs<DenseI64ArrayAttr>(target) : DenseI64ArrayAttr();
  return tiling ? tiling.asArrayRef() : ArrayRef<int64_t>();
}

void optc::setTiling(KernelOp kernel, StringRef target, ArrayRef<int64_t> tiling) {
  Builder b(kernel.getContext());
  NamedAttrList all(kernel->getAttrOfType<DictionaryAttr>(kTiling));
  all.set(target, b.getDenseI64ArrayAttr(tiling));
  kernel->setAttr(kTiling, all.getDictionary(kernel.getContext()));
}

SmallVector<Tiling> optc::cpuTilings(KernelOp kernel) {
  std::optional<ContractionKernel> c;
  if (kernel.getKind() == "matmul" || kernel.getKind() == "conv")
    c = readContraction(kernel);
  if (!c || !c->isFreelyCut() || !c->m.constant() || !c->n.constant() || !c->k.constant() || !c->batch.constant())
    return {};
  SmallVector<Tiling> tilings = {{c->panelsPerTile, c->rowsPerBlock}};
  auto offer = [&](int64_t panels, int64_t rows) {
    Tiling tiling = {panels, rows};
    if (!llvm::is_contained(tilings, tiling))
      tilings.push_back(tiling);
  };
  // Wider and narrower tiles of columns, then as many rows as half of a block, and as two; each where that makes another number of blocks. What is packed
  // by the kernel is packed for all rows.
  auto blocksOf = [&](int64_t rows) { return (*c->m.constant() + rows - 1) / rows; };
  for (int64_t rows : {kRowBlock, kRowBlock / 2, 2 * kRowBlock})
    if (rows == kRowBlock || (c->packed && blocksOf(rows) != blocksOf(kRowBlock)))
      for (int64_t panels : {2, 4, 1})
        if (panels == 1 || (panels - 1) * kPanel < *c->n.constant())
          offer(panels, rows);
  return tilings.size() > 1 ? tilings : SmallVector<Tiling>();
}
