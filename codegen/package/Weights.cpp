//===- Weights.cpp - Weight expressions become bytes ----------------------===//
//
// Each weight is a constant or a lazy expression over constants (packing, transposing, folding);
// it is evaluated here, once, hashed, and written unless the same bytes are there already.
//
//===----------------------------------------------------------------------===//

#include "codegen/package/Package.h"
#include "ir/eval/Evaluate.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace optc;

llvm::Expected<uint64_t> optc::writeWeights(BuiltPlan &built, llvm::raw_ostream &out, uint64_t &hash) {
  constexpr uint64_t kAlign = 64;
  llvm::DenseMap<mlir::Value, HostValue> cache;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> offsets; // by 128-bit hash
  std::vector<uint64_t> placed;
  uint64_t end = 0;
  hash = 0;
  for (mlir::Value weight : built.weights) {
    std::string problem;
    auto value = evaluateWeight(weight, cache, &problem);
    if (failed(value))
      return llvm::createStringError(problem);
    // Values inside a weight's expression are rarely shared; keep memory near the largest tensor.
    cache.clear();
    llvm::ArrayRef<uint8_t> bytes(value->as<uint8_t>(), value->bytes());
    auto key = llvm::xxh3_128bits(bytes);
    auto [it, inserted] = offsets.try_emplace({key.high64, key.low64}, end);
    if (inserted) {
      out.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
      uint64_t padding = (kAlign - bytes.size() % kAlign) % kAlign;
      out.write_zeros(padding);
      end += bytes.size() + padding;
      uint64_t words[] = {hash, key.high64, key.low64};
      hash = llvm::xxh3_64bits(ArrayRef(reinterpret_cast<const uint8_t *>(words), sizeof words));
    }
    placed.push_back(it->second);
  }
  for (Frame &frame : built.plan.frames)
    for (Storage &storage : frame.storages)
      if (storage.kind == Storage::Kind::weight)
        storage.offset = placed[storage.index];
  return end;
}
