//===- Reference.cpp - The table of reference functions, attributes, calls ===//

#include "runtime/reference/Blocks.h"

using namespace optc;

template <typename T>
static const T *find(const std::map<std::string, Attributes::Item, std::less<>> &items,
                     std::string_view name) {
  auto it = items.find(name);
  return it == items.end() ? nullptr : std::get_if<T>(&it->second);
}

template <typename T>
static const T &findOrEmpty(const std::map<std::string, Attributes::Item, std::less<>> &items,
                            std::string_view name) {
  static const T empty;
  const T *item = find<T>(items, name);
  return item ? *item : empty;
}

int64_t Attributes::integer(std::string_view name, int64_t otherwise) const {
  const int64_t *item = find<int64_t>(items, name);
  return item ? *item : otherwise;
}
double Attributes::number(std::string_view name, double otherwise) const {
  const double *item = find<double>(items, name);
  return item ? *item : otherwise;
}
const std::string &Attributes::text(std::string_view name) const {
  return findOrEmpty<std::string>(items, name);
}
const std::vector<int64_t> &Attributes::integers(std::string_view name) const {
  return findOrEmpty<std::vector<int64_t>>(items, name);
}
const std::vector<double> &Attributes::numbers(std::string_view name) const {
  return findOrEmpty<std::vector<double>>(items, name);
}
const std::vector<std::string> &Attributes::texts(std::string_view name) const {
  return findOrEmpty<std::vector<std::string>>(items, name);
}

Status Call::allocate(size_t i, std::vector<int64_t> dims) {
  Value &out = outputs[i];
  if (shaped[i] && out.dims != dims)
    return Status::error("result " + std::to_string(i) + " has shape " + shapeText(dims) + ", expected " +
                         shapeText(out.dims));
  int64_t elements = 1;
  for (int64_t d : dims)
    if (d < 0 || __builtin_mul_overflow(elements, d, &elements) || elements > (int64_t(1) << 40))
      return Status::error("result " + std::to_string(i) + " has an impossible shape " + shapeText(dims));
  if (out.data && shaped[i])
    return Status::success();
  Value fresh = Value::allocate(out.type, std::move(dims));
  if (elements && !fresh.data)
    return Status::error("out of memory for result " + std::to_string(i));
  out = std::move(fresh);
  return Status::success();
}

Status Call::allocate(size_t i) { return allocate(i, std::vector<int64_t>(outputs[i].dims)); }

ReferenceFunction optc::findReference(std::string_view name) {
  static const ReferenceTable table = [] {
    ReferenceTable all;
    for (auto family :
         {registerElementwise, registerConversions, registerMovement, registerIndexing, registerReductions,
          registerContractions, registerConvolutions, registerWindows, registerRegions, registerResampling,
          registerResize, registerNeural, registerRecurrent, registerSorting, registerSignal, registerStrings,
          registerEncoders, registerTrees, registerClassical, registerSequences})
      family(all);
    return all;
  }();
  auto it = table.find(name);
  return it == table.end() ? nullptr : it->second;
}
