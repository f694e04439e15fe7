//===- TileProducts.h - The tile library's products, plainly ----*- C++ -*-===//
//
// Every type and layout of operands that the tile library multiplies (tile_products.cu), against a plain
// loop: on the host whether the loops are right, on a device whether descriptors, swizzles and fragments are
// what the hardware takes.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_GPU_TILEPRODUCTS_H
#define OPTC_TEST_CODEGEN_GPU_TILEPRODUCTS_H

#include "codegen/gpu/CudaSource.h"
#include "test/codegen/gpu/Bundle.h"

namespace optc {

/// A kernel of tile_products.cu.
struct TileProduct {
  const char *symbol;
  DType type;
  bool alongN;     // the right operand is [batch, depth, columns], else [batch, columns, depth]
  int64_t columns; // of a tile that is copied by maps; 0: operands are read by pointers
  int64_t sharedBytes;
  int64_t tileRows = 128, tileColumns = 128; // of operands that are read by pointers
  int64_t moreDepth = 0;                     // elements that rows are longer than a multiple of 16 bytes
  /// Steps of k are cut into slices of a tile's, or where there are `units` into so many of all tiles'.
  int64_t slices = 1, units = 0;
  /// Of the right operand two of four are stored (codegen/gpu/tile/sparse.cuh); tileRows are its columns then, tileColumns the result's rows.
  bool isSparse = false;
  /// The right operand is codes of so many bits (codegen/gpu/tile/gemm_codes_sm80.cuh), of which `block` share a scale, perhaps a zero; floats of 8 bits where
  /// `isFloat`.
  struct Codes {
    int64_t bits = 0, block = 0;
    bool isFloat = false, hasZeros = false;
  } codes;

  bool isCut() const { return slices > 1 || units || isSparse || codes.bits; }
};

/// Those for a chip.
std::vector<TileProduct> tileProducts(const GpuTarget &target);
/// All of them, or those that are wanted, with the library.
std::string tileProductSource(const GpuTarget &target, llvm::function_ref<bool(llvm::StringRef symbol)> isWanted = nullptr);
/// A launch on random operands, and what it should give. Its places in the bundle are open.
BundleCase tileProductCase(const TileProduct &product, int64_t batch, int64_t rows, int64_t columns,
                           int64_t depth, std::vector<Value> &operands, Value &expected);

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_TILEPRODUCTS_H
