//===- AttentionEmitter.h - The frame of attention kernels ------*- C++ -*-===//
//
// What the generators of attention share, whatever the operands are made of: tiles of work, where rows lie, masks, the
// result's way back into rows. Queries are in the lanes, 16 a panel.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_ATTENTIONEMITTER_H
#define OPTC_CODEGEN_CPU_ATTENTIONEMITTER_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/Attention.h"

namespace optc {

class AttentionEmitter {
public:
  virtual ~AttentionEmitter() = default;
  void run();

protected:
  using Values = llvm::SmallVector<mlir::Value>;
  AttentionEmitter(KernelFunction &f, const AttentionKernel &a);

  /// Before and after all tiles of work; at the beginning of each.
  virtual void prepare() {}
  virtual void prepareTile(mlir::Value batch, mlir::Value group) {}
  virtual void release() {}
  /// The results of all panels from query `first` on.
  virtual void emitQueries(mlir::Value batch, mlir::Value head, mlir::Value first) = 0;
  /// Where a mask that differs between queries is: of key t, vector v.
  virtual mlir::Value maskAt(mlir::Value t, int64_t v) = 0;

  mlir::Value vector(double x) { return buildConstant(f.b, f.loc, withLanes(f32, lanes), x); }
  /// The element [batch, head, i, 0] of a view.
  mlir::Value rowOf(const StridedView &view, mlir::Value base, mlir::Value batch, mlir::Value head, mlir::Value i);
  mlir::Value argument(const StridedView &view) { return f.input(mlir::cast<mlir::BlockArgument>(view.base).getArgNumber()); }
  mlir::Value groupOf(mlir::Value head);
  /// Rows of panel p that are queries.
  mlir::Value rowsOf(mlir::Value first, int64_t p);
  /// Keys that queries from `first` on may see.
  mlir::Value keysFor(mlir::Value first);
  /// Known numbers of rows of a loop, for tiles of even heights.
  static llvm::SmallVector<int64_t> known(const DimExpr &rows);

  /// A mask that is the same for all queries is one number a key.
  bool isKeyMask() { return a.mask && dimsOf(a.mask)[2] == DimExpr(1); }
  /// For the queries from `first` on. A mask that differs between them lies along the keys: it is transposed to maskAt.
  void prepareMask(mlir::Value batch, mlir::Value head, mlir::Value first, mlir::Value keys);
  /// What the mask adds to all scores of a key; null where it does not.
  mlir::Value keyOffset(mlir::Value t);
  /// Scores of key t limited and masked.
  mlir::Value finished(mlir::Value s, mlir::Value t, int64_t v, mlir::Value offset);

  /// Rows of the result from panels [panels][E][16].
  void storeResult(mlir::Value batch, mlir::Value head, mlir::Value first, llvm::function_ref<mlir::Value(int64_t p)> panelAt);

  KernelFunction &f;
  const AttentionKernel &a;
  AttentionOp op;
  mlir::Type f32;
  int64_t lanes, panels, vectorsPerPanel, vectors;

private:
  mlir::Value maskStride(unsigned d);
  mlir::Value maskRow(mlir::Value batch, mlir::Value head, mlir::Value i);
  mlir::Value capped(mlir::Value s);
  mlir::Value isSeen(mlir::Value t, int64_t v);

  mlir::Value keyMask, queryStart, keysAhead; // of the queries that are emitted
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_ATTENTIONEMITTER_H
