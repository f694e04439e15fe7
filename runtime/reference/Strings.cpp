//===- Strings.cpp - Ops on strings, label_encoder ------------------------===//
//
// Strings are bytes that hold UTF-8; case changes touch ASCII letters only, as no locale data ships with the
// runtime.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include "runtime/reference/Regex.h"
#include <cstring>
#include <map>

using namespace optc;

static Status expectStrings(const Call &call, size_t operands) {
  OPTC_TRY(expectTensors(call, operands));
  for (size_t i = 0; i < operands; ++i)
    if (call.in(i).type != DType::string)
      return Status::error(std::string("operand ") + std::to_string(i) + " is " + nameOf(call.in(i).type) +
                           ", expected strings");
  return Status::success();
}
static Status expectStringResult(const Call &call) {
  if (call.outputs[0].type != DType::string)
    return unsupported("the result", call.outputs[0].type);
  return Status::success();
}

/// The strings of the attribute `value`: a model's own constants.
static Status constantStrings(Call &call) {
  OPTC_TRY(expectStringResult(call));
  std::vector<std::string> texts = call.attributes.texts("value");
  OPTC_TRY(call.allocate(0, call.outputs[0].dims));
  if (call.outputs[0].size() != int64_t(texts.size()))
    return Status::error("has " + std::to_string(texts.size()) + " strings for shape " + shapeText(call.outputs[0].dims));
  std::copy(texts.begin(), texts.end(), call.outputs[0].as<std::string>());
  return Status::success();
}

/// Operands are broadcast as in numpy.
static Status stringConcat(Call &call) {
  OPTC_TRY(expectStrings(call, 2));
  OPTC_TRY(expectStringResult(call));
  const Value &a = call.in(0), &b = call.in(1);
  size_t rank = std::max(a.dims.size(), b.dims.size());
  std::vector<int64_t> dims(rank, 1);
  for (const Value *v : {&a, &b})
    for (size_t d = 0, lead = rank - v->dims.size(); d < v->dims.size(); ++d) {
      int64_t &n = dims[lead + d], own = v->dims[d];
      if (n != 1 && own != 1 && n != own)
        return Status::error("cannot broadcast " + shapeText(a.dims) + " and " + shapeText(b.dims));
      n = n == 1 ? own : n;
    }
  OPTC_TRY(call.allocate(0, dims));
  Value &y = call.outputs[0];
  std::vector<int64_t> strides[2];
  for (int side = 0; side < 2; ++side) {
    const Value &v = side ? b : a;
    std::vector<int64_t> own = stridesOf(v.dims);
    strides[side].assign(rank, 0);
    for (size_t d = 0, lead = rank - v.dims.size(); d < v.dims.size(); ++d)
      strides[side][lead + d] = v.dims[d] == 1 ? 0 : own[d];
  }
  if (y.size() == 0)
    return Status::success();
  std::vector<int64_t> index(rank, 0);
  std::string *out = y.as<std::string>();
  do {
    int64_t at[2] = {0, 0};
    for (size_t d = 0; d < rank; ++d)
      for (int side = 0; side < 2; ++side)
        at[side] += index[d] * strides[side][d];
    *out++ = a.as<std::string>()[at[0]] + b.as<std::string>()[at[1]];
  } while (nextIndex(index, y.dims));
  return Status::success();
}

/// Python's str.split: without a delimiter runs of white space separate.
static std::vector<std::string> split(const std::string &text, const std::string &delimiter, int64_t most) {
  std::vector<std::string> parts;
  const char *space = " \t\n\r\f\v";
  size_t at = 0;
  if (delimiter.empty()) {
    for (at = text.find_first_not_of(space); at != std::string::npos;
         at = text.find_first_not_of(space, at)) {
      size_t end =
          most >= 0 && int64_t(parts.size()) == most ? std::string::npos : text.find_first_of(space, at);
      parts.push_back(text.substr(at, end == std::string::npos ? end : end - at));
      if (end == std::string::npos)
        break;
      at = end;
    }
    return parts;
  }
  if (text.empty())
    return parts;
  for (size_t end;
       (most < 0 || int64_t(parts.size()) < most) && (end = text.find(delimiter, at)) != std::string::npos;
       at = end + delimiter.size())
    parts.push_back(text.substr(at, end - at));
  parts.push_back(text.substr(at));
  return parts;
}

static Status stringSplit(Call &call) {
  OPTC_TRY(expectStrings(call, 1));
  OPTC_TRY(expectStringResult(call));
  if (call.outputs.size() < 2)
    return Status::error("expected 2 results");
  const Value &x = call.in(0);
  std::vector<std::vector<std::string>> all;
  std::vector<int64_t> counts;
  int64_t longest = 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    all.push_back(split(x.as<std::string>()[i], call.attributes.text("delimiter"),
                        call.attributes.integer("maxsplit", -1)));
    counts.push_back(int64_t(all.back().size()));
    longest = std::max(longest, counts.back());
  }
  std::vector<int64_t> dims = x.dims;
  dims.push_back(longest);
  OPTC_TRY(call.allocate(0, dims));
  OPTC_TRY(call.allocate(1, x.dims));
  clear(call.outputs[0]);
  for (size_t i = 0; i < all.size(); ++i)
    std::move(all[i].begin(), all[i].end(), call.outputs[0].as<std::string>() + int64_t(i) * longest);
  storeAll(call.outputs[1], counts);
  return Status::success();
}

static std::string changeCase(std::string text, const std::string &action) {
  for (char &c : text)
    if (action == "LOWER" && c >= 'A' && c <= 'Z')
      c = char(c - 'A' + 'a');
    else if (action == "UPPER" && c >= 'a' && c <= 'z')
      c = char(c - 'a' + 'A');
  return text;
}

static Status stringNormalizer(Call &call) {
  OPTC_TRY(expectStrings(call, 1));
  OPTC_TRY(expectStringResult(call));
  const Value &x = call.in(0);
  if (x.rank() < 1 || x.rank() > 2 || (x.rank() == 2 && x.dims[0] != 1))
    return Status::error("strings have shape " + shapeText(x.dims) + ", expected [n] or [1, n]");
  const std::string &action = call.attributes.text("case_change_action");
  bool sensitive = call.attributes.integer("is_case_sensitive");
  std::vector<std::string> stopwords, kept;
  for (const std::string &word : call.attributes.texts("stopwords"))
    stopwords.push_back(sensitive ? word : changeCase(word, "LOWER"));
  for (int64_t i = 0; i < x.size(); ++i) {
    const std::string &text = x.as<std::string>()[i];
    std::string key = sensitive ? text : changeCase(text, "LOWER");
    if (std::find(stopwords.begin(), stopwords.end(), key) == stopwords.end())
      kept.push_back(changeCase(text, action));
  }
  if (kept.empty())
    kept.emplace_back(); // ONNX: one empty string when nothing is left
  std::vector<int64_t> dims = x.dims;
  dims.back() = int64_t(kept.size());
  OPTC_TRY(call.allocate(0, dims));
  std::move(kept.begin(), kept.end(), call.outputs[0].as<std::string>());
  return Status::success();
}

static Status regexFullMatch(Call &call) {
  OPTC_TRY(expectStrings(call, 1));
  if (call.outputs[0].type != DType::boolean)
    return unsupported("the result", call.outputs[0].type);
  Regex regex;
  OPTC_TRY(regex.compile(call.attributes.text("pattern")));
  const Value &x = call.in(0);
  OPTC_TRY(call.allocate(0, x.dims));
  for (int64_t i = 0; i < x.size(); ++i)
    call.outputs[0].as<uint8_t>()[i] = regex.matches(x.as<std::string>()[i]);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// label_encoder
//===----------------------------------------------------------------------===//

/// A key or label of one of the three kinds that LabelEncoder knows; NaN equals itself.
static std::string keyOf(const Value &x, int64_t i) {
  if (x.type == DType::string)
    return x.as<std::string>()[i];
  std::string bits(sizeof(double), '\0');
  if (classOf(x.type) == Class::f64) {
    double v;
    load(x, i, 1, &v);
    v = v != v ? double(NAN) : v == 0 ? 0 : v;
    std::memcpy(bits.data(), &v, sizeof v);
  } else {
    int64_t v;
    load(x, i, 1, &v);
    std::memcpy(bits.data(), &v, sizeof v);
  }
  return bits;
}

/// The list under one of keys_strings, keys_int64s, keys_floats, keys_tensor (values_... alike) as a tensor.
static Value listOf(const Attributes &attributes, const std::string &name) {
  Value list;
  for (const char *form : {"_strings", "_int64s", "_floats", "_tensor"}) {
    std::string key = name + form;
    if (const auto &texts = attributes.texts(key); !texts.empty()) {
      list = Value::allocate(DType::string, {int64_t(texts.size())});
      std::copy(texts.begin(), texts.end(), list.as<std::string>());
    } else if (const auto &integers = attributes.integers(key); !integers.empty()) {
      list = Value::allocate(DType::i64, {int64_t(integers.size())});
      storeAll(list, integers);
    } else if (const auto &numbers = attributes.numbers(key); !numbers.empty()) {
      list = Value::allocate(DType::f64, {int64_t(numbers.size())});
      storeAll(list, numbers);
    } else {
      continue;
    }
    break;
  }
  return list;
}
/// What a key without a label gives: `default_tensor`, or the attribute of the type.
static const std::string &otherText(const Attributes &attributes) {
  static const std::string unused = "_Unused";
  if (const auto &list = attributes.texts("default_tensor"); !list.empty())
    return list.front();
  return attributes.has("default_string") ? attributes.text("default_string") : unused;
}
static double otherNumber(const Attributes &attributes) {
  const auto &list = attributes.numbers("default_tensor");
  return list.empty() ? attributes.number("default_float", -0.0) : list.front();
}
static int64_t otherInteger(const Attributes &attributes) {
  const auto &list = attributes.integers("default_tensor");
  return list.empty() ? attributes.integer("default_int64", -1) : list.front();
}

static Status labelEncoder(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  Value keys = listOf(call.attributes, "keys"), labels = listOf(call.attributes, "values");
  Value &y = call.outputs[0];
  if (keys.size() != labels.size())
    return Status::error("keys and values differ in length");
  // Opset 1: one list of strings, which stand for 0, 1, 2, ... or the other way round.
  auto fits = [](const Value &list, const Value &value) {
    return (list.type == DType::string) == (value.type == DType::string) && list.type != DType::none;
  };
  if (!fits(keys, x) || !fits(labels, y))
    return Status::error("keys and values do not fit the operand and the result");
  std::map<std::string, int64_t> byKey;
  for (int64_t i = 0; i < keys.size(); ++i)
    byKey.emplace(keyOf(keys, i), i);
  OPTC_TRY(call.allocate(0, x.dims));
  for (int64_t i = 0; i < x.size(); ++i) {
    auto found = byKey.find(keyOf(x, i));
    if (y.type == DType::string) {
      y.as<std::string>()[i] =
          found != byKey.end() ? labels.as<std::string>()[found->second] : otherText(call.attributes);
    } else if (classOf(y.type) == Class::f64) {
      double v = otherNumber(call.attributes);
      if (found != byKey.end())
        load(labels, found->second, 1, &v);
      store(y, i, 1, &v);
    } else {
      int64_t v = otherInteger(call.attributes);
      if (found != byKey.end())
        load(labels, found->second, 1, &v);
      store(y, i, 1, &v);
    }
  }
  return Status::success();
}

void optc::registerStrings(ReferenceTable &table) {
  table["constant_strings"] = constantStrings;
  table["string_concat"] = stringConcat;
  table["string_split"] = stringSplit;
  table["string_normalizer"] = stringNormalizer;
  table["regex_full_match"] = regexFullMatch;
  table["label_encoder"] = labelEncoder;
}
