//===- Locations.cpp - The ONNX nodes behind an op ------------------------===//

#include "ir/Locations.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringRef.h"

using namespace mlir;

static void collectNodes(Location location, llvm::SetVector<StringRef> &names) {
  if (auto name = dyn_cast<NameLoc>(location))
    names.insert(name.getName().getValue());
  else if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      collectNodes(part, names);
}

SmallVector<std::string> optc::nodesOf(Location location) {
  llvm::SetVector<StringRef> names;
  collectNodes(location, names);
  return SmallVector<std::string>(llvm::map_range(names, [](StringRef s) { return s.str(); }));
}
