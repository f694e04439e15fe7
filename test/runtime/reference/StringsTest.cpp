#include "Run.h"
using namespace optc;
using namespace optc::test;

TEST(Strings, Concat) {
  EXPECT_EQ(texts(run("string_concat", {strings({2, 1}, {"a", "b"}), strings({2}, {"x", ""})})),
            (Texts{"ax", "a", "bx", "b"}));
  EXPECT_EQ(run("string_concat", {strings({0}, {}), strings({}, {"x"})}).dims, (Dims{0}));
  EXPECT_EQ(errorOf("string_concat", {strings({2}, {"a", "b"}), strings({3}, {"a", "b", "c"})}),
            "cannot broadcast [2] and [3]");
}

TEST(Strings, Split) {
  const std::vector<Declared> results{{DType::string}, {DType::i64}};
  Outcome out = call("string_split", {strings({2}, {"a.com", "b.c.d"})}, {{"delimiter", "."}}, results);
  EXPECT_EQ(texts(out.results[0]), (Texts{"a", "com", "", "b", "c", "d"}));
  expectValues(out.results[1], {2, 3});
  out =
      call("string_split", {strings({2}, {"  hello   big world ", ""})}, {{"maxsplit", int64_t(1)}}, results);
  EXPECT_EQ(texts(out.results[0]), (Texts{"hello", "big world ", "", ""}));
  expectValues(out.results[1], {2, 0});
}

TEST(Strings, Normalize) {
  Value days = strings({3}, {"Monday", "tuesday", "Monday"});
  EXPECT_EQ(texts(run("string_normalizer", {days},
                      {{"case_change_action", "UPPER"}, {"stopwords", Texts{"monday"}}})),
            (Texts{"TUESDAY"}));
  EXPECT_EQ(texts(run("string_normalizer", {days},
                      {{"is_case_sensitive", int64_t(1)}, {"stopwords", Texts{"monday"}}})),
            (Texts{"Monday", "tuesday", "Monday"}));
  EXPECT_EQ(texts(run("string_normalizer", {strings({1}, {"a"})}, {{"stopwords", Texts{"a"}}})), (Texts{""}));
}

static Reals match(const char *pattern, Texts list) {
  return values(run("regex_full_match", {strings({int64_t(list.size())}, list)}, {{"pattern", pattern}},
                    {{DType::boolean}}));
}

TEST(Strings, Regex) {
  EXPECT_EQ(match("www\\.[\\w.-]+\\.com", {"www.google.com", "www.facebook.org", "www.a-b.c.com"}),
            (Reals{1, 0, 1}));
  EXPECT_EQ(match("^a(b|cd)*?e$", {"ae", "abcdbe", "abc", "xae"}), (Reals{1, 1, 0, 0}));
  EXPECT_EQ(match("[^0-9]{2,3}", {"a", "ab", "abc", "abcd", "a1"}), (Reals{0, 1, 1, 0, 0}));
  EXPECT_EQ(match("a{2}|", {"", "aa", "a"}), (Reals{1, 1, 0}));
  EXPECT_EQ(match("(a*)*b", {std::string(5000, 'a')}), (Reals{0})); // no backtracking
  for (const char *bad : {"(", ")", "[a", "*a", "a{2", "\\1", "a**"})
    EXPECT_NE(errorOf("regex_full_match", {strings({1}, {"a"})}, {{"pattern", bad}}, {{DType::boolean}}), "")
        << bad;
}

TEST(Strings, LabelEncoder) {
  expectValues(
      run("label_encoder", {strings({3}, {"b", "x", "a"})},
          {{"keys_strings", Texts{"a", "b"}}, {"values_int64s", Ints{1, 2}}, {"default_int64", int64_t(9)}},
          {{DType::i64}}),
      {2, 9, 1});
  EXPECT_EQ(texts(run("label_encoder", {f32({2}, {NAN, 2})},
                      {{"keys_floats", Reals{NAN}}, {"values_strings", Texts{"none"}}}, {{DType::string}})),
            (Texts{"none", "_Unused"}));
  EXPECT_EQ(errorOf("label_encoder", {i64({1}, {1})},
                    {{"keys_int64s", Ints{1}}, {"values_floats", Reals{1, 2}}}, {{DType::f32}}),
            "keys and values differ in length");
}
