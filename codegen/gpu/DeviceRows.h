//===- DeviceRows.h - A kernel that reduces rows on a device ----*- C++ -*-===//
//
// What Rows.cpp (rows along the last dim) and RowSlices.cpp (rows that lie side by side) share.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_DEVICEROWS_H
#define OPTC_CODEGEN_GPU_DEVICEROWS_H

#include "codegen/gpu/DeviceFunction.h"
#include "codegen/kernel/Rows.h"
#include "codegen/kernel/TensorEmitter.h"

namespace optc {

constexpr int64_t kWarp = 32;

/// How a row is spread over threads.
struct RowMapping {
  int64_t lanes = 1;  // neighbouring elements that a thread takes at a time
  int64_t group = 32; // threads of a row: a power of two up to 32, or a block of whole warps
  int64_t steps = 0;  // vectors of a thread; 0: a loop
  int64_t slices = 1; // rows that lie side by side: warps that share 32 of them

  bool isBlock() const { return group > kWarp; }
};

class DeviceRows {
public:
  DeviceRows(DeviceFunction &f, const RowKernel &rows)
      : f(f), emitter(f), rows(rows), yield(mlir::cast<YieldOp>(f.kernel.getBody().front().getTerminator())) {
  }
  void run() {
    length = f.size(rows.length());
    if (rows.isInnermost())
      emitGroups();
    else
      emitThreads();
    f.finish();
  }

private:
  RowMapping chooseMapping() const;
  void setRow(mlir::Value number);
  void emitGroups();
  void emitRow();
  void emitThreads();
  LaneIndices indexAt(mlir::Value along) const;
  llvm::SmallVector<mlir::Value> initialOf(unsigned p) const;
  llvm::SmallVector<mlir::Value> emitPass(unsigned p, mlir::Value along, mlir::ValueRange in);
  llvm::SmallVector<mlir::Value> totalOf(unsigned p, mlir::ValueRange carried);
  llvm::SmallVector<mlir::Value> totalOfSlices(unsigned p, mlir::ValueRange carried);
  int64_t chooseSlices(const DimExpr &count) const;
  llvm::SmallVector<mlir::Value> mergeAll(unsigned p, mlir::ValueRange a, mlir::ValueRange b) const;
  void defineResults(unsigned p, mlir::ValueRange carried);
  void readBack(unsigned p);
  void hoistRowValues();
  void storeRowResults();
  llvm::SmallVector<std::string> carriedNames(unsigned p) const;

  DeviceFunction &f;
  TensorEmitter emitter;
  const RowKernel &rows;
  YieldOp yield;
  RowMapping map;
  mlir::Value length, lane; // lane: the thread's number in its group
  LaneIndices row;          // the row's index; its entry at the axis is open
};

} // namespace optc

#endif // OPTC_CODEGEN_GPU_DEVICEROWS_H
