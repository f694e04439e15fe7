// Every function takes any operands and attributes and gives a result or an error: no crash, no endless loop.
// Run it with the sanitizers on.
#include "Run.h"
#include <random>
using namespace optc;
using namespace optc::test;

static const char *const names[] = {"exp",
                                    "gelu",
                                    "round",
                                    "neg",
                                    "sign",
                                    "not",
                                    "bit_not",
                                    "is_nan",
                                    "is_inf",
                                    "add",
                                    "div",
                                    "mod",
                                    "pow",
                                    "min",
                                    "and",
                                    "shift",
                                    "compare",
                                    "select",
                                    "fma",
                                    "cast",
                                    "bitcast",
                                    "quantize",
                                    "dequantize",
                                    "iota",
                                    "from_dims",
                                    "reshape",
                                    "broadcast",
                                    "transpose",
                                    "slice",
                                    "pad",
                                    "concat",
                                    "gather",
                                    "gather_elements",
                                    "gather_nd",
                                    "scatter_elements",
                                    "scatter_nd",
                                    "reverse_sequence",
                                    "resize",
                                    "grid_sample",
                                    "col2im",
                                    "reduce",
                                    "arg_reduce",
                                    "cumulative",
                                    "top_k",
                                    "nonzero",
                                    "unique",
                                    "nms",
                                    "contract",
                                    "conv",
                                    "conv_transpose",
                                    "deform_conv",
                                    "pool",
                                    "max_pool_indices",
                                    "max_unpool",
                                    "roi_align",
                                    "max_roi_pool",
                                    "lrn",
                                    "softmax",
                                    "normalize",
                                    "attention",
                                    "recurrent",
                                    "det",
                                    "dft",
                                    "mel_weight_matrix",
                                    "random",
                                    "tree_ensemble_regressor",
                                    "tree_ensemble_classifier",
                                    "linear_regressor",
                                    "linear_classifier",
                                    "binarizer",
                                    "scaler",
                                    "normalizer",
                                    "array_feature_extractor",
                                    "label_encoder",
                                    "string_concat",
                                    "string_split",
                                    "string_normalizer",
                                    "regex_full_match",
                                    "sequence_construct",
                                    "sequence_insert",
                                    "sequence_at",
                                    "sequence_erase",
                                    "sequence_length",
                                    "sequence_empty",
                                    "concat_from_sequence",
                                    "split_to_sequence",
                                    "optional_make",
                                    "optional_has",
                                    "optional_get"};

namespace {
struct Source {
  std::mt19937 engine;
  int64_t below(int64_t n) { return int64_t(engine() % uint64_t(n)); }
  template <typename T> T of(std::initializer_list<T> list) {
    return list.begin()[below(int64_t(list.size()))];
  }

  Dims dims() {
    Dims result(size_t(below(5)));
    for (int64_t &d : result)
      d = of<int64_t>({0, 1, 1, 2, 2, 2, 3, 4});
    return result;
  }
  DType type() {
    return of({DType::f32, DType::f32, DType::f32, DType::f64, DType::f16, DType::i64, DType::i32, DType::i64,
               DType::u8, DType::i8, DType::boolean, DType::u64, DType::string, DType::c64, DType::f8e5m2,
               DType::i4});
  }
  Value value(bool uniform, const Dims &shape, DType kind) {
    Value v = Value::allocate(uniform ? kind : type(), uniform ? shape : dims());
    for (int64_t i = 0; i < v.size(); ++i) {
      double x = of<double>({0, 1, 1, 2, -1, 3, 0.5, -0.25, 7, 1e30, NAN, -HUGE_VAL});
      if (v.type == DType::string)
        v.as<std::string>()[i] = of<const char *>({"", "a", "ab c", "1.5"});
      else if (classOf(v.type) != Class::object)
        store(v, i, 1, &x);
    }
    return v;
  }
  Attributes attributes() {
    Attributes list;
    for (const char *name :
         {"axis",          "time_axis",  "batch_axis",     "batch_dims",    "groups",     "offset_groups",
          "height",        "width",      "sampling_ratio", "size",          "p",          "exclusive",
          "reverse",       "last",       "largest",        "sorted",        "truncate",   "ceil",
          "count_padding", "half_pixel", "column_major",   "align_corners", "antialias",  "exclude_outside",
          "inverse",       "onesided",   "causal",         "log",           "n_targets",  "targets",
          "keepdims",      "new_axis",   "saturate",       "maxsplit",      "reset_after"})
      list.set(name, of<int64_t>({0, 0, 1, 1, 2, 3, -1}));
    for (const char *name :
         {"permutation", "starts",           "strides",      "dilations", "pads_low",       "pads_high",
          "pads",        "window",           "block",        "low",       "axes",           "lhs_batch",
          "rhs_batch",   "lhs_contract",     "rhs_contract", "values",    "output_padding", "length",
          "keys_int64s", "classlabels_ints", "nodes_treeids"}) {
      Ints entries(size_t(below(4)));
      for (int64_t &e : entries)
        e = of<int64_t>({0, 0, 1, 1, 1, 2, 2, -1, int64_t(1) << 40, INT64_MIN});
      list.set(name, entries);
    }
    for (const char *name :
         {"scales", "roi", "alpha", "beta", "coefficients", "offset", "scale", "values_floats"}) {
      Reals entries(size_t(below(5)));
      for (double &e : entries)
        e = of<double>({0, 1, 2, 0.5, -1, NAN, 1e20});
      list.set(name, entries);
    }
    for (const char *name : {"spatial_scale", "epsilon", "bias", "high", "clip", "softcap"})
      list.set(name, of<double>({0, 1, 0.5, -1, NAN}));
    list.set("kind", of<const char *>({"sum", "max", "mean", "layer", "rms", "lp", "prod"}));
    list.set("mode", of<const char *>({"constant", "edge", "reflect", "wrap", "nearest", "linear", "cubic"}));
    list.set("padding", of<const char *>({"zeros", "border", "reflection"}));
    list.set("coordinates",
             of<const char *>({"half_pixel", "align_corners", "tf_crop_and_resize", "asymmetric"}));
    list.set("layout", of<const char *>({"nchw", "nhwc"}));
    list.set("reduction", of<const char *>({"none", "add", "min"}));
    list.set("cell", of<const char *>({"lstm", "gru", "rnn"}));
    list.set("predicate", "lt");
    list.set("direction", of<const char *>({"left", "right"}));
    list.set("pattern", of<const char *>({"", "a*", "(a|b)+", "[", "a{3}"}));
    return list;
  }
};
} // namespace

TEST(Robustness, AnyOperandsAndAttributes) {
  const char *given = std::getenv("OPTC_FUZZ_SEEDS");
  uint32_t seeds = given ? uint32_t(std::atoi(given)) : 150;
  int64_t succeeded = 0;
  for (const char *name : names) {
    ReferenceFunction function = findReference(name);
    ASSERT_TRUE(function) << name;
    for (uint32_t seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(std::string(name) + " " + std::to_string(seed));
      Source source{std::mt19937(seed)};
      Dims shape = source.dims();
      DType kind = source.type();
      bool uniform = seed % 3 != 0;
      std::vector<Value> operands(size_t(source.below(5)));
      std::vector<const Value *> inputs;
      for (Value &operand : operands) {
        bool like = uniform && source.below(4);
        operand = source.value(like, shape, kind);
        if (source.below(12) == 0)
          operand.kind = Value::Kind::sequence, operand.items = {source.value(true, shape, kind)};
        inputs.push_back(source.below(10) ? &operand : nullptr);
      }
      std::vector<Value> results(3);
      bool shaped[3];
      for (size_t i = 0; i < 3; ++i) {
        results[i].type = i && source.below(2)         ? DType::i64
                          : uniform && source.below(4) ? kind
                                                       : source.type();
        results[i].dims = source.below(2) ? shape : source.dims();
        shaped[i] = source.below(2);
      }
      Attributes attributes = source.attributes();
      Call call{attributes, inputs, results, shaped};
      succeeded += function(call).ok();
    }
  }
  EXPECT_GT(succeeded, 10 * int64_t(seeds)); // not only refused
}
