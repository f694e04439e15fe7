//===- Reference.h - The reference function of every op ---------*- C++ -*-===//
//
// One plain function on host values for each op of the dialect, found by its mnemonic, and one
// for each function that `optc.library` may name. They are the specification: constant
// folding runs them, generated code is compared with them, library steps call them.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_REFERENCE_H
#define OPTC_RUNTIME_REFERENCE_REFERENCE_H

#include "runtime/reference/Value.h"
#include <map>
#include <span>
#include <string_view>
#include <variant>

namespace optc {

/// An op's attributes: integers (and bools), floats, strings and lists of them. Dimension
/// expressions have been evaluated to integers.
class Attributes {
public:
  using Item = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                            std::vector<std::string>>;
  void set(std::string name, Item item) { items[std::move(name)] = std::move(item); }
  bool has(std::string_view name) const { return items.find(name) != items.end(); }
  /// Each gives `otherwise` (or an empty list) when the attribute is absent or of another kind.
  int64_t integer(std::string_view name, int64_t otherwise = 0) const;
  double number(std::string_view name, double otherwise = 0) const;
  const std::string &text(std::string_view name) const;
  const std::vector<int64_t> &integers(std::string_view name) const;
  const std::vector<double> &numbers(std::string_view name) const;
  const std::vector<std::string> &texts(std::string_view name) const;
  const std::map<std::string, Item, std::less<>> &all() const { return items; }

private:
  std::map<std::string, Item, std::less<>> items;
};

/// Empty message: success. The message says what is wrong with the values ("index 7 is out of
/// range for dim 0 of size 5"); the caller adds the node's name.
struct [[nodiscard]] Status {
  std::string message;
  bool ok() const { return message.empty(); }
  static Status success() { return {}; }
  static Status error(std::string message) { return {std::move(message)}; }
};

struct Call {
  const Attributes &attributes;
  /// Operands; null where an optional one is absent.
  std::span<const Value *const> inputs;
  /// Results. `type` and `kind` are set. Where the shape is known before the call (all but data-dependent
  /// shapes) `dims` is set and `shaped` true; `data` is set when the caller has the memory ready.
  std::span<Value> outputs;
  std::span<const bool> shaped;

  const Value &in(size_t i) const { return *inputs[i]; }
  bool has(size_t i) const { return i < inputs.size() && inputs[i]; }
  /// Gives output i its shape and memory. Must be called once for each output before it is written. Memory
  /// that the caller had ready is not cleared.
  /// An error when the shape was known before and differs.
  Status allocate(size_t i, std::vector<int64_t> dims);
  /// The same where the shape is known before the call.
  Status allocate(size_t i);
};

using ReferenceFunction = Status (*)(Call &call);

/// The function of an op ("add", "reduce", ...) or library function; null when there is none.
ReferenceFunction findReference(std::string_view name);

/// Four random words of Philox 4x32-10: what `random` is made of.
void philox(const uint32_t counter[4], uint64_t key, uint32_t out[4]);

/// Fills the table of one family; each family's file defines one such function.
using ReferenceTable = std::map<std::string_view, ReferenceFunction>;
void registerElementwise(ReferenceTable &table);
void registerConversions(ReferenceTable &table);
void registerMovement(ReferenceTable &table);
void registerIndexing(ReferenceTable &table);
void registerReductions(ReferenceTable &table);
void registerContractions(ReferenceTable &table);
void registerConvolutions(ReferenceTable &table);
void registerWindows(ReferenceTable &table);
void registerRegions(ReferenceTable &table);
void registerResampling(ReferenceTable &table);
void registerResize(ReferenceTable &table);
void registerNeural(ReferenceTable &table);
void registerRecurrent(ReferenceTable &table);
void registerSorting(ReferenceTable &table);
void registerSignal(ReferenceTable &table);
void registerStrings(ReferenceTable &table);
void registerEncoders(ReferenceTable &table);
void registerTrees(ReferenceTable &table);
void registerClassical(ReferenceTable &table);
void registerSequences(ReferenceTable &table);

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_REFERENCE_H
