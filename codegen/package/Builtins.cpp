//===- Builtins.cpp - What LLVM may call, carried along -------------------===//

#include "codegen/package/Builtins.h"
#include "codegen/cpu/Target.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"

using namespace optc;

// `rep movsb` and `rep stosb` are microcoded for long runs, which is when LLVM calls these.
static constexpr const char *kSource = R"(
define hidden ptr @memcpy(ptr %to, ptr %from, i64 %n) nounwind {
  call {ptr, ptr, i64} asm sideeffect "rep movsb", "={di},={si},={cx},0,1,2,~{memory},~{dirflag},~{fpsr},~{flags}"(ptr %to, ptr %from, i64 %n)
  ret ptr %to
}
define hidden ptr @memset(ptr %to, i32 %value, i64 %n) nounwind {
  %byte = trunc i32 %value to i8
  call {ptr, i64} asm sideeffect "rep stosb", "={di},={cx},{al},0,1,~{memory},~{dirflag},~{fpsr},~{flags}"(i8 %byte, ptr %to, i64 %n)
  ret ptr %to
}
define hidden ptr @memmove(ptr %to, ptr %from, i64 %n) nounwind {
  %t = ptrtoint ptr %to to i64
  %f = ptrtoint ptr %from to i64
  %d = sub i64 %t, %f
  %overlaps = icmp ult i64 %d, %n
  br i1 %overlaps, label %backward, label %forward
forward:
  call {ptr, ptr, i64} asm sideeffect "rep movsb", "={di},={si},={cx},0,1,2,~{memory},~{dirflag},~{fpsr},~{flags}"(ptr %to, ptr %from, i64 %n)
  ret ptr %to
backward:
  %last = sub i64 %n, 1
  %te = getelementptr i8, ptr %to, i64 %last
  %fe = getelementptr i8, ptr %from, i64 %last
  call {ptr, ptr, i64} asm sideeffect "std\0Arep movsb\0Acld", "={di},={si},={cx},0,1,2,~{memory},~{dirflag},~{fpsr},~{flags}"(ptr %te, ptr %fe, i64 %n)
  ret ptr %to
}
)";

llvm::Expected<std::string> optc::emitBuiltins() {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(kSource, diagnostic, context);
  if (!module)
    return llvm::createStringError(diagnostic.getMessage());
  return emitObject(*module, baselineTarget());
}
