//===- Sequences.cpp - Sequences and optionals ----------------------------===//
//
// Elements are values that share memory where they own it; what lies in a caller's memory is copied, as the
// sequence may outlive it.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"

using namespace optc;

static Value kept(const Value &x) {
  if (x.kind != Value::Kind::tensor || x.storage || !x.data)
    return x;
  Value copy = Value::allocate(x.type, x.dims);
  if (copy.data)
    copyElements(x.type, copy.data, 0, x.data, 0, x.size());
  return copy;
}

/// Hands a value over as result i, into the caller's memory where there is some.
static Status give(Call &call, size_t i, const Value &x) {
  if (x.kind != Value::Kind::tensor) {
    call.outputs[i] = x;
    return Status::success();
  }
  if (call.outputs[i].type != DType::none && call.outputs[i].type != x.type)
    return Status::error(std::string("an element is ") + nameOf(x.type) + ", expected " +
                         nameOf(call.outputs[i].type));
  call.outputs[i].type = x.type;
  OPTC_TRY(call.allocate(i, x.dims));
  copyElements(x.type, call.outputs[i].data, 0, x.data, 0, x.size());
  return Status::success();
}

static Status expectKind(const Call &call, size_t i, Value::Kind kind, const char *name) {
  if (!call.has(i) || call.in(i).kind != kind)
    return Status::error("operand " + std::to_string(i) + " is not " + name);
  if (call.outputs.empty())
    return Status::error("no results");
  return Status::success();
}
static Status expectSequence(const Call &call) {
  return expectKind(call, 0, Value::Kind::sequence, "a sequence");
}

/// The position operand, counted from the end where negative; `otherwise` where it is absent.
static Status readPosition(const Call &call, size_t operand, int64_t otherwise, int64_t limit,
                           int64_t &position) {
  position = otherwise;
  int64_t given = otherwise, size = int64_t(call.in(0).items.size());
  if (call.has(operand)) {
    if (call.in(operand).kind != Value::Kind::tensor || call.in(operand).size() != 1)
      return Status::error("the position must be one element");
    load(call.in(operand), 0, 1, &given);
    position = given < 0 ? given + size : given;
  }
  if (position < 0 || position >= limit)
    return Status::error("position " + std::to_string(given) + " is out of range for a sequence of " +
                         std::to_string(size));
  return Status::success();
}

static void makeSequence(Value &y, DType type) {
  y = Value();
  y.kind = Value::Kind::sequence;
  y.type = type;
}

static Status sequenceEmpty(Call &call) {
  if (call.outputs.empty())
    return Status::error("no results");
  makeSequence(call.outputs[0], call.outputs[0].type);
  return Status::success();
}

static Status sequenceConstruct(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  for (size_t i = 0; i < call.inputs.size(); ++i)
    if (!call.has(i) || call.in(i).type != call.in(0).type)
      return Status::error("elements of a sequence must have one type");
  makeSequence(call.outputs[0], call.in(0).type);
  for (const Value *x : call.inputs)
    call.outputs[0].items.push_back(kept(*x));
  return Status::success();
}

static Status sequenceInsert(Call &call) {
  OPTC_TRY(expectSequence(call));
  OPTC_TRY(expectKind(call, 1, Value::Kind::tensor, "a tensor"));
  int64_t size = int64_t(call.in(0).items.size()), position;
  OPTC_TRY(readPosition(call, 2, size, size + 1, position));
  if (size && call.in(0).items[0].type != call.in(1).type)
    return Status::error("elements of a sequence must have one type");
  std::vector<Value> items = call.in(0).items;
  items.insert(items.begin() + position, kept(call.in(1)));
  makeSequence(call.outputs[0], call.in(1).type);
  call.outputs[0].items = std::move(items);
  return Status::success();
}

static Status sequenceErase(Call &call) {
  OPTC_TRY(expectSequence(call));
  int64_t size = int64_t(call.in(0).items.size()), position;
  OPTC_TRY(readPosition(call, 1, size - 1, size, position));
  std::vector<Value> items = call.in(0).items;
  items.erase(items.begin() + position);
  makeSequence(call.outputs[0], call.in(0).type);
  call.outputs[0].items = std::move(items);
  return Status::success();
}

static Status sequenceAt(Call &call) {
  OPTC_TRY(expectSequence(call));
  int64_t position;
  OPTC_TRY(readPosition(call, 1, 0, int64_t(call.in(0).items.size()), position));
  return give(call, 0, call.in(0).items[size_t(position)]);
}

static Status sequenceLength(Call &call) {
  OPTC_TRY(expectSequence(call));
  OPTC_TRY(call.allocate(0, {}));
  int64_t size = int64_t(call.in(0).items.size());
  store(call.outputs[0], 0, 1, &size);
  return Status::success();
}

static Status concatFromSequence(Call &call) {
  OPTC_TRY(expectSequence(call));
  const Value &sequence = call.in(0);
  if (sequence.items.empty())
    return Status::error("cannot concatenate an empty sequence");
  bool stack = call.attributes.integer("new_axis");
  int64_t rank = sequence.items[0].rank() + stack, axis = call.attributes.integer("axis");
  axis += axis < 0 ? rank : 0;
  OPTC_TRY(expectAxis(axis, rank));
  std::vector<Value> items = sequence.items;
  std::vector<const Value *> operands;
  for (Value &item : items) {
    if (item.rank() + stack != rank)
      return Status::error("elements of the sequence differ in rank");
    if (stack)
      item.dims.insert(item.dims.begin() + axis, 1);
    operands.push_back(&item);
  }
  Attributes attributes;
  attributes.set("axis", axis);
  Call inner{attributes, operands, call.outputs, call.shaped};
  return findReference("concat")(inner);
}

static Status splitToSequence(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  int64_t axis = call.attributes.integer("axis");
  axis += axis < 0 ? x.rank() : 0;
  OPTC_TRY(expectAxis(axis, x.rank()));
  AxisView view(x.dims, axis);
  std::vector<int64_t> sizes;
  bool keep = call.has(1) || call.attributes.integer("keepdims", 1);
  if (call.has(1) && call.in(1).rank() == 1) {
    sizes = loadAll<int64_t>(call.in(1));
  } else {
    int64_t chunk = 1;
    if (call.has(1)) {
      if (call.in(1).size() != 1)
        return Status::error("the split must be one size or a list of sizes");
      load(call.in(1), 0, 1, &chunk);
    }
    if (chunk < 1)
      return Status::error("cannot split into parts of size " + std::to_string(chunk));
    for (int64_t begin = 0; begin < view.n; begin += chunk)
      sizes.push_back(std::min(chunk, view.n - begin));
  }
  int64_t total = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > view.n)
      return Status::error("cannot split off " + std::to_string(size) + " of " + std::to_string(view.n));
    total += size;
  }
  if (total != view.n)
    return Status::error("the parts add up to " + std::to_string(total) + ", not to " +
                         std::to_string(view.n));
  makeSequence(call.outputs[0], x.type);
  int64_t begin = 0;
  for (int64_t size : sizes) {
    std::vector<int64_t> dims = x.dims;
    dims[size_t(axis)] = size;
    Value part = Value::allocate(x.type, dims);
    if (part.size() && !part.data)
      return Status::error("out of memory");
    for (int64_t o = 0; part.size() && o < view.outer; ++o)
      copyElements(x.type, part.data, o * size * view.inner, x.data, (o * view.n + begin) * view.inner,
                   size * view.inner);
    if (!keep)
      part.dims.erase(part.dims.begin() + axis);
    call.outputs[0].items.push_back(std::move(part));
    begin += size;
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Optionals
//===----------------------------------------------------------------------===//

static Status optionalMake(Call &call) {
  if (call.outputs.empty())
    return Status::error("no results");
  Value y;
  y.kind = Value::Kind::optional;
  y.type = call.outputs[0].type;
  if (call.has(0)) {
    y.type = call.in(0).type;
    y.items.push_back(kept(call.in(0)));
  }
  call.outputs[0] = std::move(y);
  return Status::success();
}

static Status optionalHas(Call &call) {
  if (call.outputs.empty())
    return Status::error("no results");
  OPTC_TRY(call.allocate(0, {}));
  // A value that is no optional is there.
  int64_t has = call.has(0) && (call.in(0).kind != Value::Kind::optional || !call.in(0).items.empty());
  store(call.outputs[0], 0, 1, &has);
  return Status::success();
}

static Status optionalGet(Call &call) {
  if (call.outputs.empty() || !call.has(0))
    return Status::error("expected an operand and a result");
  if (call.in(0).kind != Value::Kind::optional)
    return give(call, 0, kept(call.in(0)));
  if (call.in(0).items.empty())
    return Status::error("the optional is empty");
  return give(call, 0, call.in(0).items[0]);
}

void optc::registerSequences(ReferenceTable &table) {
  table["sequence_empty"] = sequenceEmpty;
  table["sequence_construct"] = sequenceConstruct;
  table["sequence_insert"] = sequenceInsert;
  table["sequence_erase"] = sequenceErase;
  table["sequence_at"] = sequenceAt;
  table["sequence_length"] = sequenceLength;
  table["concat_from_sequence"] = concatFromSequence;
  table["split_to_sequence"] = splitToSequence;
  table["optional_make"] = optionalMake;
  table["optional_has"] = optionalHas;
  table["optional_get"] = optionalGet;
}
