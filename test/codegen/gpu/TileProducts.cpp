//===- TileProducts.cpp - The tile library's products, plainly ------------===//

#include "test/codegen/gpu/TileProducts.h"
#include "codegen/gpu/ProductTiling.h"
#include "runtime/reference/Reference.h"
#include "test/codegen/gpu/KernelValues.h"
#include "llvm/Support/MemoryBuffer.h"
#include <bit>

using namespace optc;

std::vector<TileProduct> optc::tileProducts(const GpuTarget &target) {
  std::vector<TileProduct> products;
  auto byMaps = [&](const char *symbol, DType type, bool alongN, int64_t columns, int64_t slices = 1, int64_t units = 0) {
    if (target.hasWgmma())
      products.push_back({symbol, type, alongN, columns, warpgroupTileBytes({128, columns, 0}), 128, columns, 0, slices, units});
  };
  auto byPointers = [&](const char *symbol, DType type, bool alongN, int64_t rows = 128, int64_t columns = 128, int64_t moreDepth = 0, int64_t slices = 1,
                        int64_t units = 0) {
    products.push_back({symbol, type, alongN, 0, warpTileBytes({rows, columns, 0}), rows, columns, moreDepth, slices, units});
  };
  auto sparseByMaps = [&](const char *symbol, DType type, int64_t columns, int64_t slices, int64_t units = 0) {
    if (target.hasWgmma())
      products.push_back({symbol, type, false, columns, sparseWarpgroupTileBytes({128, columns, 0}), 128, columns, 0, slices, units, true});
  };
  auto sparseByPointers = [&](const char *symbol, DType type, int64_t rows, int64_t columns, int64_t moreDepth, int64_t slices,
                              int64_t units = 0) {
    products.push_back({symbol, type, false, 0, sparseWarpTileBytes({rows, columns, 0}), rows, columns, moreDepth, slices, units, true});
  };
  auto ofCodes = [&](const char *symbol, DType type, int64_t rows, int64_t columns, TileProduct::Codes codes, int64_t moreDepth = 0, int64_t slices = 1, int64_t units = 0) {
    products.push_back({symbol, type, false, 0, codesTileBytes({rows, columns, 0}, codes.bits), rows, columns, moreDepth, slices, units, false, codes});
  };
  ofCodes("codes_i4", DType::bf16, 64, 64, {4, 32});
  ofCodes("codes_i4_wide", DType::bf16, 64, 128, {4, 64, false, true}, 0, 2);
  ofCodes("codes_i4_tall", DType::f16, 128, 64, {4, 1 << 20, false, true}, 32);
  ofCodes("codes_i8_in_units", DType::bf16, 64, 128, {8, 96}, 32, 1, 5);
  ofCodes("codes_i8_zeros", DType::bf16, 64, 64, {8, 32, false, true});
  ofCodes("codes_f8", DType::bf16, 128, 64, {8, 1 << 20, true});
  sparseByMaps("sparse_bf16_128", DType::bf16, 128, 1);
  sparseByMaps("sparse_bf16_256_in_units", DType::bf16, 256, 1, 5);
  sparseByMaps("sparse_f16_64_in_slices", DType::f16, 64, 2);
  sparseByPointers("warp_sparse_bf16", DType::bf16, 128, 128, 0, 1);
  sparseByPointers("warp_sparse_f16_in_slices", DType::f16, 128, 64, 0, 2);
  sparseByPointers("warp_sparse_in_units", DType::bf16, 64, 64, 2, 1, 5);
  byMaps("bf16_64", DType::bf16, false, 64);
  byMaps("bf16_128", DType::bf16, false, 128);
  byMaps("bf16_256", DType::bf16, false, 256);
  byMaps("bf16_64_along_n", DType::bf16, true, 64);
  byMaps("bf16_192_along_n", DType::bf16, true, 192);
  byMaps("f16_256_along_n", DType::f16, true, 256);
  byMaps("f16_192", DType::f16, false, 192);
  byMaps("tf32_128", DType::f32, false, 128);
  byMaps("i8_64", DType::i8, false, 64);
  byMaps("i8_256", DType::i8, false, 256);
  byMaps("u8_128", DType::u8, false, 128);
  byMaps("f8_128", DType::f8e4m3fn, false, 128);
  byMaps("f8_64", DType::f8e4m3fn, false, 64);
  byMaps("bf16_256_in_slices", DType::bf16, true, 256, 3);
  byMaps("u8_192_in_slices", DType::u8, false, 192, 2);
  byMaps("bf16_64_in_units", DType::bf16, false, 64, 1, 5);
  byMaps("f8_128_in_units", DType::f8e4m3fn, false, 128, 1, 7);
  byPointers("warp_bf16", DType::bf16, false);
  byPointers("warp_bf16_along_n", DType::bf16, true);
  byPointers("warp_f16_along_n", DType::f16, true, 128, 64);
  byPointers("warp_f16_in_pieces", DType::f16, true, 64, 128, 2);
  byPointers("warp_tf32", DType::f32, false);
  byPointers("warp_i8", DType::i8, false, 64, 128);
  byPointers("warp_f8", DType::f8e4m3fn, false);
  byPointers("warp_f8_in_pieces", DType::f8e4m3fn, false, 64, 64, 4);
  byPointers("warp_u8", DType::u8, false, 64, 64, 8);
  byPointers("warp_u8_bytes", DType::u8, false, 64, 64, 5);
  byPointers("warp_bf16_elements", DType::bf16, false, 64, 64, 3);
  byPointers("warp_bf16_in_slices", DType::bf16, false, 128, 128, 0, 3);
  byPointers("warp_i8_in_units", DType::i8, false, 64, 128, 0, 1, 5);
  return products;
}

std::string optc::tileProductSource(const GpuTarget &target, llvm::function_ref<bool(llvm::StringRef symbol)> isWanted) {
  auto file = llvm::MemoryBuffer::getFile(OPTC_TILE_PRODUCTS);
  std::string text;
  llvm::SmallVector<llvm::StringRef> lines;
  (*file)->getBuffer().split(lines, '\n');
  for (llvm::StringRef line : lines) {
    // A kernel is a line: BY_MAPS(name, ...), CUT_BY_POINTERS(name, ...).
    bool isKernel = line.starts_with("BY_") || line.starts_with("CUT_") || line.starts_with("SPARSE_") || line.starts_with("CODES_");
    if (!isKernel || !isWanted || isWanted(line.split('(').second.split(',').first))
      text += line.str() + "\n";
  }
  std::string library = deviceLibrary([&](llvm::StringRef file) {
    return file != "gemm_simt" && file != "conv_simt" && file != "conv_sm80" && file != "conv_sm90" && (target.hasWgmma() || (file != "wgmma" && file != "gemm_sm90" && file != "gemm_sparse_sm90"));
  });
  return library + (target.hasWgmma() ? "\n#define TILE_SM90\n" : "\n") + text;
}

/// Elements as products read them: of f32 the first 19 bits.
static std::vector<double> elementsOf(const Value &x) {
  std::vector<double> all(size_t(x.size()));
  load(x, 0, x.size(), all.data());
  if (x.type == DType::f32)
    for (double &v : all)
      v = std::bit_cast<float>(std::bit_cast<uint32_t>(float(v)) & 0xffffe000u);
  return all;
}

static BundleCase launchOfTiles(const TileProduct &product, int64_t batch, int64_t rows, int64_t columns, int64_t depth) {
  BundleCase c;
  c.symbol = product.symbol;
  c.what = std::string(product.symbol) + ": " + std::to_string(batch) + " of " + std::to_string(rows) + "x" +
           std::to_string(columns) + "x" + std::to_string(depth);
  int64_t tileRows = product.isSparse ? product.tileColumns : product.tileRows, tileColumns = product.isSparse ? product.tileRows : product.tileColumns;
  int64_t tiles = batch * ((rows + tileRows - 1) / tileRows) * ((columns + tileColumns - 1) / tileColumns);
  c.blocks = tiles;
  c.sizes = {batch, rows, columns, depth};
  if (product.isCut()) {
    int64_t perStep = product.isSparse ? 128 : 128 / int64_t(sizeOf(product.type)), steps = (depth + perStep - 1) / perStep;
    ProductTiling tiling{{product.tileRows, product.tileColumns, 0}, std::min(product.units ? product.units : tiles * product.slices, tiles * steps)};
    tiling.streamed = streamedTiles(tiles, tiling.units);
    c.blocks = tiling.units;
    c.sizes.insert(c.sizes.end(), {tiling.units, tiling.streamed});
    c.workspace = unitBytes(tiling);
    c.counters = tiling.streamed * 8;
  }
  c.threads = product.columns ? 384 : 256;
  c.sharedBytes = product.sharedBytes;
  c.residentBlocks = product.columns != 0;
  c.checksIndices = c.timed = false;
  c.flops = 0;
  return c;
}

static BundleCase sparseProductCase(const TileProduct &product, int64_t rows, int64_t columns, int64_t depth, std::vector<Value> &operands, Value &expected) {
  BundleCase c = launchOfTiles(product, 1, rows, columns, depth);
  int64_t padded = (columns + 15) / 16 * 16, steps = (depth + 127) / 128;
  auto add = [&](DType type, std::vector<int64_t> dims, Fill fill) {
    uint64_t seed = 1000 + operands.size();
    fillRandom(operands.emplace_back(Value::allocate(type, dims)), seed, fill);
    c.operands.push_back({type, dims, seed, fill});
  };
  add(product.type, {rows, depth}, Fill::finite);
  add(product.type, {padded, steps * 64}, Fill::finite);
  add(DType::i32, {padded / 16, steps, 16, 4}, Fill::positions);
  if (product.columns) {
    c.maps.push_back({0, 0, {depth, rows, 1}, {depth, depth * rows}, {64, product.columns, 1}});
    c.maps.push_back({1, 0, {steps * 64, padded, 1}, {steps * 64, steps * 64 * padded}, {64, 128, 1}});
  }
  std::vector<double> x = elementsOf(operands[operands.size() - 3]), values = elementsOf(operands[operands.size() - 2]);
  const auto *words = static_cast<const uint32_t *>(operands.back().data);
  expected = Value::allocate(DType::f32, {1, rows, columns});
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < columns; ++n) {
      double sum = 0;
      for (int64_t i = 0; i < steps * 64; ++i) {
        int64_t four = i / 2 * 4, instruction = four / 32, half = four % 32 / 16, field = i % 8;
        uint32_t word = words[((n / 16 * steps + instruction / 4) * 16 + n % 8 * 2 + half) * 4 + instruction % 4];
        int64_t k = four + (word >> (n % 16 / 8 * 16 + 2 * field) & 3);
        sum += k < depth ? x[m * depth + k] * values[n * steps * 64 + i] : 0;
      }
      store(expected, m * columns + n, 1, &sum);
    }
  c.results.push_back({expected.type, expected.dims, toleranceOf(expected.type, depth), -1, 0, 0});
  return c;
}

static BundleCase codesProductCase(const TileProduct &product, int64_t rows, int64_t columns, int64_t depth, std::vector<Value> &operands, Value &expected) {
  const TileProduct::Codes &codes = product.codes;
  depth = (depth + 31) / 32 * 32;
  BundleCase c = launchOfTiles(product, 1, rows, columns, depth);
  int64_t blocks = (depth + codes.block - 1) / codes.block;
  auto add = [&](DType type, std::vector<int64_t> dims, Fill fill = Fill::finite) {
    uint64_t seed = 1008 + operands.size(); // the scales' has some that are special
    fillRandom(operands.emplace_back(Value::allocate(type, dims)), seed, fill);
    c.operands.push_back({type, dims, seed, fill});
  };
  size_t first = operands.size();
  add(product.type, {rows, depth});
  add(codes.isFloat ? DType::f8e4m3fn : DType::i8, codes.bits == 4 ? std::vector<int64_t>{columns, depth / 32, 16} : std::vector<int64_t>{columns, depth},
      codes.isFloat ? Fill::finite : Fill::codes);
  add(DType::f16, {columns, blocks}, Fill::any);
  add(DType::i8, {columns, blocks});
  const Value *operand = &operands[first];
  std::vector<double> x = elementsOf(operand[0]), numbers = elementsOf(operand[1]), scales = elementsOf(operand[2]), zeros = elementsOf(operand[3]);
  Value weights = Value::allocate(product.type, {columns, depth});
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t k = 0; k < depth; ++k) {
      double number = codes.bits == 8 ? numbers[n * depth + k] : 0;
      if (codes.bits == 4) {
        int byte = int(numbers[n * depth / 2 + k / 32 * 16 + k % 16]) & 255, half = k % 32 < 16 ? byte & 15 : byte >> 4;
        number = half < 8 ? half : half - 16;
      }
      int64_t at = n * blocks + k / codes.block;
      double element = float((number - (codes.hasZeros ? zeros[at] : 0)) * scales[at]);
      store(weights, n * depth + k, 1, &element);
    }
  std::vector<double> w = elementsOf(weights);
  expected = Value::allocate(DType::f32, {1, rows, columns});
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < columns; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < depth; ++k)
        sum += x[m * depth + k] * w[n * depth + k];
      store(expected, m * columns + n, 1, &sum);
    }
  double largest = codes.isFloat ? 1 : codes.bits == 4 ? 8 : 128;
  c.results.push_back({expected.type, expected.dims, toleranceOf(expected.type, depth) * largest, -1, 0, 0});
  return c;
}

BundleCase optc::tileProductCase(const TileProduct &product, int64_t batch, int64_t rows, int64_t columns,
                                 int64_t depth, std::vector<Value> &operands, Value &expected) {
  bool isInteger = sizeOf(product.type) == 1 && product.type != DType::f8e4m3fn;
  depth += product.moreDepth;
  if (product.isSparse)
    return sparseProductCase(product, rows, columns, depth, operands, expected);
  if (product.codes.bits)
    return codesProductCase(product, rows, columns, depth, operands, expected);
  BundleCase c = launchOfTiles(product, batch, rows, columns, depth);
  std::vector<int64_t> lhs = {batch, rows, depth}, rhs = {batch, columns, depth};
  if (product.alongN)
    std::swap(rhs[1], rhs[2]);
  for (const auto *dims : {&lhs, &rhs}) {
    uint64_t seed = 1000 + operands.size();
    // Of u8 the right operand is i8.
    DType type = dims == &rhs && product.type == DType::u8 ? DType::i8 : product.type;
    fillRandom(operands.emplace_back(Value::allocate(type, *dims)), seed, Fill::finite);
    c.operands.push_back({type, *dims, seed, Fill::finite});
  }
  if (product.columns) {
    int64_t perRow = 128 / int64_t(sizeOf(product.type));
    auto dense = [&](int64_t operand, int64_t inner, int64_t lines, std::vector<int64_t> box) {
      c.maps.push_back({operand, 0, {inner, lines, batch}, {inner, inner * lines}, std::move(box)});
    };
    dense(0, depth, rows, {perRow, 128, 1});
    if (product.alongN)
      dense(1, columns, depth, {64, perRow, 1});
    else
      dense(1, depth, columns, {perRow, product.columns, 1});
  }
  std::vector<double> a = elementsOf(operands[operands.size() - 2]), b = elementsOf(operands.back());
  expected = Value::allocate(isInteger ? DType::i32 : DType::f32, {batch, rows, columns});
  for (int64_t z = 0; z < batch; ++z)
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < columns; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < depth; ++k)
          sum += a[(z * rows + m) * depth + k] *
                 b[product.alongN ? (z * depth + k) * columns + n : (z * columns + n) * depth + k];
        store(expected, (z * rows + m) * columns + n, 1, &sum);
      }
  // Tensor cores sum products of f8 with some 13 bits.
  double tolerance =
      product.type == DType::f8e4m3fn ? 0x1p-13 * double(depth) : toleranceOf(expected.type, depth);
  c.results.push_back({expected.type, expected.dims, tolerance, -1, 0, 0});
  return c;
}
