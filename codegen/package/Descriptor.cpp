//===- Descriptor.cpp - The symbol that an artefact exports ---------------===//

#include "codegen/package/Descriptor.h"
#include "codegen/cpu/Target.h"
#include "runtime/Artefact.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Module.h"

using namespace optc;
using namespace llvm;

Expected<std::string> optc::emitDescriptor(StringRef plan, StringRef images, size_t kernels, ArrayRef<CompiledLevel> levels) {
  LLVMContext context;
  Module module("descriptor", context);
  Type *i64 = Type::getInt64Ty(context);
  PointerType *pointer = PointerType::get(context, 0);
  auto word = [&](uint64_t v) -> Constant * { return ConstantInt::get(i64, v); };
  auto data = [&](Constant *value, const Twine &name) -> Constant * {
    auto *global = new GlobalVariable(module, value->getType(), /*isConstant=*/true, GlobalValue::PrivateLinkage, value, name);
    global->setAlignment(Align(16));
    return global;
  };

  StructType *levelType = StructType::get(context, {pointer, i64, pointer, i64});
  SmallVector<Constant *> rows;
  for (const CompiledLevel &level : levels) {
    SmallVector<Constant *> functions;
    FunctionType *type = FunctionType::get(Type::getInt32Ty(context), {pointer, i64, i64}, false);
    for (size_t i = 0; i < kernels; ++i) {
      auto *f = Function::Create(type, GlobalValue::ExternalLinkage, "optc_kernel_" + Twine(i) + "_" + level.suffix, module);
      f->setVisibility(GlobalValue::HiddenVisibility);
      functions.push_back(f);
    }
    Constant *table = ConstantArray::get(ArrayType::get(pointer, kernels), functions);
    rows.push_back(ConstantStruct::get(levelType, {data(ConstantDataArray::getString(context, level.name), "level"), word(level.features),
                                                   data(table, "kernels"), word(kernels)}));
  }
  Constant *levelTable = data(ConstantArray::get(ArrayType::get(levelType, rows.size()), rows), "levels");
  Constant *planData = data(ConstantDataArray::getString(context, plan, /*AddNull=*/false), "plan");
  Constant *imageData = images.empty() ? static_cast<Constant *>(ConstantPointerNull::get(pointer))
                                       : data(ConstantDataArray::getString(context, images, /*AddNull=*/false), "images");
  StructType *type = StructType::get(context, {i64, i64, pointer, i64, pointer, i64, pointer, i64});
  Constant *value = ConstantStruct::get(type, {word(OPTC_DESCRIPTOR_MAGIC), word(OPTC_ARTEFACT_VERSION), levelTable, word(levels.size()),
                                               planData, word(plan.size()), imageData, word(images.size())});
  auto *descriptor = new GlobalVariable(module, type, true, GlobalValue::ExternalLinkage, value, "optc_model");
  descriptor->setAlignment(Align(16));
  return emitObject(module, baselineTarget());
}
