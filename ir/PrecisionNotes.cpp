//===- PrecisionNotes.cpp - What was lowered, kept, merged -----------------===//

#include "ir/PrecisionNotes.h"
#include "ir/Locations.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace optc;

static std::string nodeOf(Operation *op) {
  auto nodes = nodesOf(op->getLoc());
  return nodes.empty() ? op->getName().getStringRef().str() : nodes.front();
}

static void append(Operation *function, StringRef list, DictionaryAttr entry) {
  SmallVector<Attribute> notes;
  if (auto old = function->getAttrOfType<ArrayAttr>(list))
    llvm::append_range(notes, old);
  notes.push_back(entry);
  function->setAttr(list, ArrayAttr::get(function->getContext(), notes));
}

static void note(Operation *function, StringRef list, Operation *op, StringRef key, StringRef text) {
  Builder b(function->getContext());
  append(function, list, b.getDictionaryAttr({b.getNamedAttr("node", b.getStringAttr(nodeOf(op))), b.getNamedAttr(key, b.getStringAttr(text))}));
}

void optc::noteLowered(Operation *function, Operation *op, StringRef precision) {
  note(function, kLoweredNodes, op, "precision", precision);
}
void optc::noteKept(Operation *function, Operation *op, StringRef reason) {
  // Several passes may find the same.
  if (llvm::is_contained(keptNodes(function), PrecisionNote(nodeOf(op), reason)))
    return;
  note(function, kKeptNodes, op, "reason", reason);
}
void optc::noteSparse(Operation *function, Operation *op, StringRef found) { note(function, kSparseNodes, op, "found", found); }
void optc::noteMerged(Operation *function, Operation *op, StringRef adapter) {
  note(function, kMergedNodes, op, "adapter", adapter);
}

static SmallVector<PrecisionNote> read(Operation *function, StringRef list, StringRef key) {
  SmallVector<PrecisionNote> notes;
  if (auto entries = function->getAttrOfType<ArrayAttr>(list))
    for (auto entry : entries.getAsRange<DictionaryAttr>()) {
      auto node = entry.getAs<StringAttr>("node"), text = entry.getAs<StringAttr>(key);
      if (node && text)
        notes.emplace_back(node.str(), text.str());
    }
  return notes;
}

SmallVector<PrecisionNote> optc::loweredNodes(Operation *function) { return read(function, kLoweredNodes, "precision"); }
SmallVector<PrecisionNote> optc::keptNodes(Operation *function) { return read(function, kKeptNodes, "reason"); }
SmallVector<PrecisionNote> optc::sparseNodes(Operation *function) { return read(function, kSparseNodes, "found"); }
SmallVector<PrecisionNote> optc::mergedNodes(Operation *function) { return read(function, kMergedNodes, "adapter"); }

void optc::noteFloatRegion(Operation *function, ArrayRef<Operation *> ops, const FloatRegionNote &note) {
  Builder b(function->getContext());
  SmallVector<Attribute> nodes;
  for (Operation *op : ops)
    nodes.push_back(b.getStringAttr(nodeOf(op)));
  append(function, kFloatRegions,
         b.getDictionaryAttr({b.getNamedAttr("nodes", b.getArrayAttr(nodes)), b.getNamedAttr("level", b.getStringAttr(note.level)),
                              b.getNamedAttr("f32", b.getF64FloatAttr(note.f32)), b.getNamedAttr("bytes", b.getF64FloatAttr(note.bytes)),
                              b.getNamedAttr("conversions", b.getF64FloatAttr(note.conversions))}));
}
SmallVector<FloatRegionNote> optc::floatRegions(Operation *function) {
  SmallVector<FloatRegionNote> regions;
  if (auto entries = function->getAttrOfType<ArrayAttr>(kFloatRegions))
    for (auto entry : entries.getAsRange<DictionaryAttr>()) {
      auto nodes = entry.getAs<ArrayAttr>("nodes");
      auto level = entry.getAs<StringAttr>("level");
      auto number = [&](StringRef key) { return entry.getAs<FloatAttr>(key); };
      if (!nodes || !level || !number("f32") || !number("bytes") || !number("conversions"))
        continue;
      FloatRegionNote region{{}, level.str(), number("f32").getValueAsDouble(), number("bytes").getValueAsDouble(), number("conversions").getValueAsDouble()};
      for (auto node : nodes.getAsRange<StringAttr>())
        region.nodes.push_back(node.str());
      regions.push_back(std::move(region));
    }
  return regions;
}

void optc::noteAccuracy(Operation *function, const AccuracyNote &note) {
  Builder b(function->getContext());
  SmallVector<Attribute> outputs;
  for (const OutputAccuracy &output : note.outputs) {
    auto number = [&](StringRef key, double value) { return b.getNamedAttr(key, b.getF64FloatAttr(value)); };
    SmallVector<NamedAttribute> entry{b.getNamedAttr("name", b.getStringAttr(output.name)), number("relative", output.relative),
                                      number("cosine", output.cosine), number("decibels", output.decibels),
                                      number("max_absolute", output.maxAbsolute)};
    if (output.agreement)
      entry.push_back(number("agreement", *output.agreement));
    outputs.push_back(b.getDictionaryAttr(entry));
  }
  function->setAttr(kAccuracy, b.getDictionaryAttr({b.getNamedAttr("measure", b.getStringAttr(note.measure)),
                                                    b.getNamedAttr("error", b.getF64FloatAttr(note.error)),
                                                    b.getNamedAttr("allowed", b.getF64FloatAttr(note.allowed)),
                                                    b.getNamedAttr("sets", b.getI64IntegerAttr(note.sets)),
                                                    b.getNamedAttr("output", b.getStringAttr(note.output)),
                                                    b.getNamedAttr("outputs", b.getArrayAttr(outputs))}));
}
std::optional<AccuracyNote> optc::accuracyOf(Operation *function) {
  auto entry = function->getAttrOfType<DictionaryAttr>(kAccuracy);
  if (!entry)
    return std::nullopt;
  auto error = entry.getAs<FloatAttr>("error"), allowed = entry.getAs<FloatAttr>("allowed");
  auto sets = entry.getAs<IntegerAttr>("sets");
  auto measure = entry.getAs<StringAttr>("measure"), output = entry.getAs<StringAttr>("output");
  if (!measure || !error || !allowed || !sets || !output)
    return std::nullopt;
  AccuracyNote note{measure.str(), error.getValueAsDouble(), allowed.getValueAsDouble(), sets.getInt(), output.str()};
  if (auto outputs = entry.getAs<ArrayAttr>("outputs"))
    for (auto one : outputs.getAsRange<DictionaryAttr>()) {
      auto number = [&](StringRef key) { return one.getAs<FloatAttr>(key); };
      auto name = one.getAs<StringAttr>("name");
      if (!name || !number("relative") || !number("cosine") || !number("decibels") || !number("max_absolute"))
        continue;
      note.outputs.push_back({name.str(), number("relative").getValueAsDouble(), number("cosine").getValueAsDouble(),
                              number("decibels").getValueAsDouble(), number("max_absolute").getValueAsDouble(), std::nullopt});
      if (auto agreement = number("agreement"))
        note.outputs.back().agreement = agreement.getValueAsDouble();
    }
  return note;
}
