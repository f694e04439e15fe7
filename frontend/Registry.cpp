//===- Registry.cpp - Which function imports which operator ---------------===//

#include "frontend/Registry.h"

using namespace optc;

const Registry &Registry::instance() {
  static const Registry registry = [] {
    Registry r;
    for (auto family : {registerElementwise,  registerActivations,  registerReductions, registerProducts,
                        registerConvolutions, registerPooling,      registerReshaping,  registerSlicing,
                        registerIndexing,     registerGenerators,   registerSelection,  registerNormalization,
                        registerControlFlow,  registerQuantization, registerResampling, registerRecurrent,
                        registerAttention,    registerSignal,       registerObjects,    registerClassicalML,
                        registerTraining,     registerContribQuantization, registerContribWeights, registerContribAttention})
      family(r);
    return r;
  }();
  return registry;
}

const RegistryEntry *Registry::find(StringRef domain, StringRef name, int64_t opset) const {
  auto forms = table.find({domain.str(), name.str()});
  if (forms == table.end())
    return nullptr;
  auto next = forms->second.upper_bound(opset);
  return next == forms->second.begin() ? nullptr : &std::prev(next)->second;
}
