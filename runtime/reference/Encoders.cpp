//===- Encoders.cpp - Categories and n-grams as numbers -------------------===//
//
// CategoryMapper, OneHotEncoder, Imputer (https://onnx.ai/onnx/operators/index.html#ai-onnx-ml) and
// TfIdfVectorizer, by their attributes.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <cmath>
#include <map>

using namespace optc;

static Status categoryMapper(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const auto &texts = call.attributes.texts("cats_strings");
  const auto &integers = call.attributes.integers("cats_int64s");
  if (texts.size() != integers.size())
    return Status::error("cats_strings and cats_int64s differ in length");
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  if ((x.type == DType::string) == (y.type == DType::string))
    return unsupported("category_mapper", x.type);
  OPTC_TRY(call.allocate(0, x.dims));
  if (x.type == DType::string) {
    std::map<std::string, int64_t> byText;
    for (size_t i = 0; i < texts.size(); ++i)
      byText.emplace(texts[i], integers[i]);
    for (int64_t i = 0; i < x.size(); ++i) {
      auto found = byText.find(x.as<std::string>()[i]);
      int64_t value = found == byText.end() ? call.attributes.integer("default_int64", -1) : found->second;
      store(y, i, 1, &value);
    }
    return Status::success();
  }
  std::map<int64_t, std::string> byInteger;
  for (size_t i = 0; i < texts.size(); ++i)
    byInteger.emplace(integers[i], texts[i]);
  std::string otherwise = call.attributes.has("default_string") ? call.attributes.text("default_string") : "_Unused";
  std::vector<int64_t> keys = loadAll<int64_t>(x);
  for (size_t i = 0; i < keys.size(); ++i) {
    auto found = byInteger.find(keys[i]);
    y.as<std::string>()[i] = found == byInteger.end() ? otherwise : found->second;
  }
  return Status::success();
}

static Status oneHotEncoder(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  const auto &texts = call.attributes.texts("cats_strings");
  const auto &integers = call.attributes.integers("cats_int64s");
  bool isText = x.type == DType::string;
  int64_t categories = int64_t(isText ? texts.size() : integers.size());
  std::vector<int64_t> dims = x.dims;
  dims.push_back(categories);
  OPTC_TRY(call.allocate(0, dims));
  clear(call.outputs[0]);
  for (int64_t i = 0; i < x.size(); ++i) {
    int64_t category = categories, key = 0;
    if (isText) {
      category = std::find(texts.begin(), texts.end(), x.as<std::string>()[i]) - texts.begin();
    } else {
      load(x, i, 1, &key);
      category = std::find(integers.begin(), integers.end(), key) - integers.begin();
    }
    int64_t one = 1;
    if (category < categories)
      store(call.outputs[0], i * categories + category, 1, &one);
    else if (!call.attributes.integer("zeros", 1))
      return Status::error("element " + std::to_string(i) + " is in no category");
  }
  return Status::success();
}

static Status imputer(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  if (x.rank() == 0 || classOf(x.type) == Class::object)
    return unsupported("imputer", x.type);
  OPTC_TRY(call.allocate(0, x.dims));
  bool isFloat = classOf(x.type) == Class::f64;
  std::vector<double> values = call.attributes.numbers("imputed_value_floats");
  if (!isFloat) {
    const auto &list = call.attributes.integers("imputed_value_int64s");
    values.assign(list.begin(), list.end());
  }
  int64_t features = x.dims.back();
  if (values.size() != 1 && int64_t(values.size()) != features)
    return Status::error(std::to_string(values.size()) + " values for " + std::to_string(features) + " features");
  double replaced = isFloat ? call.attributes.number("replaced_value_float")
                            : double(call.attributes.integer("replaced_value_int64"));
  copyElements(x.type, call.outputs[0].data, 0, x.data, 0, x.size());
  for (int64_t i = 0; i < x.size(); ++i) {
    double value;
    load(x, i, 1, &value);
    if (value == replaced || (std::isnan(value) && std::isnan(replaced)))
      store(call.outputs[0], i, 1, &values[values.size() == 1 ? 0 : size_t(i % features)]);
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// tf_idf_vectorizer
//===----------------------------------------------------------------------===//

/// Counts the n-grams of one row. `pool` maps an n-gram (as the ids of its words) to its place in the pool.
static void countGrams(const std::vector<int64_t> &row, const std::map<std::vector<int64_t>, size_t> &pool, int64_t shortest,
                       int64_t longest, int64_t maxSkip, std::vector<int64_t> &counts) {
  int64_t size = int64_t(row.size());
  for (int64_t n = shortest; n <= longest; ++n)
    for (int64_t skip = 0; skip <= (n == 1 ? 0 : maxSkip); ++skip)
      for (int64_t begin = 0; begin + (n - 1) * (skip + 1) < size; ++begin) {
        std::vector<int64_t> gram;
        for (int64_t i = 0; i < n; ++i)
          gram.push_back(row[size_t(begin + i * (skip + 1))]);
        if (auto found = pool.find(gram); found != pool.end())
          ++counts[found->second];
      }
}

static Status tfIdfVectorizer(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  const Attributes &a = call.attributes;
  if (x.rank() < 1 || x.rank() > 2)
    return Status::error("the tokens have shape " + shapeText(x.dims) + ", expected rank 1 or 2");
  // Words get ids, so that n-grams of strings and of integers are one thing.
  std::map<std::string, int64_t> ids;
  auto idOf = [&](const std::string &text) { return ids.emplace(text, int64_t(ids.size())).first->second; };
  bool isText = x.type == DType::string;
  std::vector<int64_t> words = a.integers("pool_int64s");
  if (isText) {
    words.clear();
    for (const std::string &text : a.texts("pool_strings"))
      words.push_back(idOf(text));
  }
  const auto &starts = a.integers("ngram_counts"), &places = a.integers("ngram_indexes");
  const auto &weights = a.numbers("weights");
  std::map<std::vector<int64_t>, size_t> pool;
  size_t grams = 0;
  for (size_t n = 1; n <= starts.size(); ++n) {
    int64_t begin = starts[n - 1], end = n < starts.size() ? starts[n] : int64_t(words.size());
    if (begin < 0 || end > int64_t(words.size()) || begin > end || (end - begin) % int64_t(n))
      return Status::error("ngram_counts does not fit the pool");
    for (; begin < end; begin += int64_t(n))
      pool.emplace(std::vector<int64_t>(words.begin() + begin, words.begin() + begin + int64_t(n)), grams++);
  }
  if (places.size() != grams || (!weights.empty() && weights.size() != grams))
    return Status::error("ngram_indexes or weights do not fit the pool");
  int64_t shortest = a.integer("min_gram_length", 1), longest = a.integer("max_gram_length", 1), size = 0;
  if (shortest < 1 || longest > int64_t(starts.size()))
    return Status::error("the n-grams' lengths are out of range");
  for (int64_t place : places) {
    if (place < 0 || place >= (int64_t(1) << 31))
      return Status::error("ngram_indexes is out of range");
    size = std::max(size, place + 1);
  }
  std::vector<int64_t> dims = x.dims;
  int64_t columns = dims.back(), rows = x.rank() == 2 ? dims[0] : 1;
  dims.back() = size;
  OPTC_TRY(call.allocate(0, dims));
  const std::string &mode = a.text("mode");
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<int64_t> row(static_cast<size_t>(columns)), counts(grams);
    for (int64_t i = 0; i < columns; ++i)
      if (isText)
        row[size_t(i)] = idOf(x.as<std::string>()[r * columns + i]);
      else
        load(x, r * columns + i, 1, &row[size_t(i)]);
    countGrams(row, pool, shortest, longest, a.integer("max_skip_count"), counts);
    std::vector<double> out(static_cast<size_t>(size));
    for (size_t g = 0; g < grams; ++g) {
      double weight = weights.empty() ? 1 : weights[g];
      out[size_t(places[g])] += mode == "TF" ? double(counts[g]) : (mode == "IDF" ? double(counts[g] > 0) : double(counts[g])) * weight;
    }
    store(call.outputs[0], r * size, size, out.data());
  }
  return Status::success();
}

void optc::registerEncoders(ReferenceTable &table) {
  table["category_mapper"] = categoryMapper;
  table["one_hot_encoder"] = oneHotEncoder;
  table["imputer"] = imputer;
  table["tf_idf_vectorizer"] = tfIdfVectorizer;
}
