//===- Registry.h - Which function imports which operator -------*- C++ -*-===//
//
// One line an operator and opset from which its form changed:
//
//   registry.add("Softmax", 1, importSoftmaxFlattening);
//   registry.add("Softmax", 13, importSoftmax);
//
// An operator without a line is expanded by its function body, if its schema has one.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_REGISTRY_H
#define OPTC_FRONTEND_REGISTRY_H

#include "frontend/Node.h"
#include <map>

namespace optc {

using ImportFunction = Results (*)(Node &);

/// Objects: the importer takes sequences and optionals, not tensors only.
enum class Takes { tensors, objects };

struct RegistryEntry {
  ImportFunction import;
  Takes takes;
};

class Registry {
public:
  static const Registry &instance();
  void add(StringRef name, int64_t since, ImportFunction import, Takes takes = Takes::tensors) {
    table[{domain, name.str()}][since] = {import, takes};
  }
  /// The entry with the highest `since` up to `opset`; null when there is none.
  const RegistryEntry *find(StringRef domain, StringRef name, int64_t opset) const;

  /// The domain of the lines that follow.
  std::string domain;

private:
  std::map<std::pair<std::string, std::string>, std::map<int64_t, RegistryEntry>> table;
};

// One function a family, in frontend/ops/.
void registerElementwise(Registry &);
void registerActivations(Registry &);
void registerLogic(Registry &);
void registerReductions(Registry &);
void registerProducts(Registry &);
void registerConvolutions(Registry &);
void registerPooling(Registry &);
void registerReshaping(Registry &);
void registerSlicing(Registry &);
void registerIndexing(Registry &);
void registerGenerators(Registry &);
void registerNormalization(Registry &);
void registerRecurrent(Registry &);
void registerQuantization(Registry &);
void registerContribAttention(Registry &);
void registerContribQuantization(Registry &);
void registerContribWeights(Registry &);
void registerResampling(Registry &);
void registerSelection(Registry &);
void registerControlFlow(Registry &);
void registerAttention(Registry &);
void registerSignal(Registry &);
void registerObjects(Registry &);
void registerClassicalML(Registry &);
void registerTraining(Registry &);

} // namespace optc

#endif // OPTC_FRONTEND_REGISTRY_H
