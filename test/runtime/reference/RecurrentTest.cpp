#include "Run.h"
using namespace optc;
using namespace optc::test;

// The expected values are those of onnx.reference.

static Outcome layer(const char *cell, int64_t gates, AttributeList list = {}, Value lengths = {},
                     Value x = wave({3, 2, 2})) {
  list.push_back({"cell", cell});
  bool lstm = gates == 4;
  return call("recurrent",
              {x, wave({gates * 2, 2}, 2), wave({gates * 2, 2}, 3), wave({gates * 4}, 4), lengths,
               wave({2, 2}, 5), lstm ? wave({2, 2}, 6) : Value(), lstm ? wave({6}, 7) : Value()},
              list, {{DType::f32}, {DType::f32}, {DType::f32}});
}

TEST(Recurrent, Lstm) {
  Outcome out = layer("lstm", 4);
  expectValues(out.results[0],
               {0.0152500691, 0.0623037554, 0.130871087, 0.289005339, 0.0866547972, 0.136617228, 0.18115221,
                0.210883588, 0.0348082036, 0.225226864, 0.0236740019, 0.216787249});
  expectValues(out.results[2], {0.417782784, 0.517854929, 0.470160663, 0.501477003});
  AttributeList relu{
      {"activations", Texts{"Sigmoid", "Relu", "Tanh"}}, {"clip", 0.5}, {"input_forget", int64_t(1)}};
  EXPECT_TRUE(layer("lstm", 4, relu).status.ok());
}

TEST(Recurrent, Gru) {
  Outcome out = layer("gru", 3);
  expectValues(out.results[0],
               {-0.644316435, -0.0682675838, 0.16377233, 0.224424317, -0.878932178, 0.0462789498,
                -0.604810536, -0.0233847201, -0.444735914, 0.112207383, -0.310618371, 0.270595193});
  EXPECT_EQ(values(out.results[1]), values(out.results[2]));
  expectValues(layer("gru", 3, {{"reset_after", int64_t(1)}}).results[0],
               {-0.616224051, 0.151367992, 0.374784738, 0.514307737, -0.863645256, 0.310025811, -0.470661879,
                0.192885101, -0.235697359, 0.491742283, -0.139720023, 0.59729594});
}

TEST(Recurrent, RnnReversedWithLengths) {
  expectValues(layer("rnn", 1).results[0],
               {-0.182098567, -0.656265616, -0.853087604, -0.974491, -0.974849701, 0.50427717, -0.970261753,
                0.787040114, -0.858491123, -0.904566228, -0.716556787, -0.944990158});
  // Reversing the valid part of the input and of the output by hand is the same.
  Value x = wave({3, 2, 2}), lengths = i64({2}, {3, 2});
  AttributeList axes{{"time_axis", int64_t(0)}, {"batch_axis", int64_t(1)}};
  Outcome backward = layer("rnn", 1, {{"reverse", int64_t(1)}}, lengths, x);
  Outcome forward = layer("rnn", 1, {}, lengths, run("reverse_sequence", {x, lengths}, axes));
  EXPECT_EQ(values(backward.results[0]),
            values(run("reverse_sequence", {forward.results[0], lengths}, axes)));
  EXPECT_EQ(values(backward.results[1]), values(forward.results[1]));
  EXPECT_EQ(values(backward.results[0])[10], 0); // past the end
}

TEST(Recurrent, ProductsMadeBefore) {
  // Without w, x is the product with it.
  Value x = wave({3, 2, 2}), one = f32({2, 2}, {1, 0, 0, 1}), r = wave({2, 2}, 3);
  AttributeList list{{"cell", "rnn"}};
  Outcome made = call("recurrent", {x, {}, r}, list, {{DType::f32}, {DType::f32}, {DType::f32}});
  Outcome identity = call("recurrent", {x, one, r}, list, {{DType::f32}, {DType::f32}, {DType::f32}});
  EXPECT_EQ(values(made.results[0]), values(identity.results[0]));
  EXPECT_EQ(call("recurrent", {wave({3, 2, 3}), {}, r}, list, {{DType::f32}, {DType::f32}, {DType::f32}}).status.message,
            "x has shape [3, 2, 3], expected [3, 2, 2]");
}

TEST(Recurrent, Errors) {
  EXPECT_EQ(layer("rnn", 1, {}, i64({2}, {4, 0})).status.message, "length 4 is out of range for 3 steps");
  EXPECT_EQ(layer("rnn", 1, {{"activations", Texts{"cube"}}}).status.message, "unknown activation 'cube'");
  EXPECT_EQ(layer("rnn", 1, {}, {}, wave({3, 2, 1})).status.message, "w has shape [2, 2], expected [2, 1]");
  EXPECT_EQ(layer("rnn", 1, {}, {}, Value::allocate(DType::f32, {0, 2, 2})).results[0].dims, (Dims{0, 2, 2}));
}
