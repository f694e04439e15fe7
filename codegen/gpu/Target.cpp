//===- Target.cpp - GPU targets -------------------------------------------===//

#include "codegen/gpu/Target.h"
#include "llvm/ADT/StringExtras.h"

using namespace optc;

std::vector<std::string> optc::listGpuTargets() {
  return {"sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"};
}

bool optc::isGpuTargetName(llvm::StringRef name) { return name.starts_with("sm_"); }

llvm::Expected<GpuTarget> optc::parseGpuTarget(llvm::StringRef name) {
  std::vector<std::string> known = listGpuTargets();
  if (!llvm::is_contained(known, name))
    return llvm::createStringError("unknown GPU target '" + name.str() + "': it is none of " +
                                   llvm::join(known, ", "));
  return GpuTarget{name.str()};
}
