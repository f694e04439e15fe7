#include "Run.h"
using namespace optc;
using namespace optc::test;

TEST(Neural, Softmax) {
  Value x = f32({2, 2}, {1000, 1001, -HUGE_VAL, 0});
  expectValues(run("softmax", {x}, {{"axis", int64_t(1)}}), {0.2689414214, 0.7310585786, 0, 1});
  expectValues(run("softmax", {x}, {{"axis", int64_t(0)}}), {1, 1, 0, 0});
  expectValues(run("softmax", {x}, {{"axis", int64_t(1)}, {"log", int64_t(1)}}),
               {-1.3132616875, -0.3132616875, -HUGE_VAL, 0});
  expectValues(run("softmax", {f32({1}, {-HUGE_VAL})}, {{"axis", int64_t(0)}}), {NAN});
  EXPECT_EQ(run("softmax", {f32({0, 2}, {})}, {{"axis", int64_t(1)}}).size(), 0);
  EXPECT_EQ(errorOf("softmax", {i32({1}, {1})}, {{"axis", int64_t(0)}}), "this op is not defined for i32");
}

TEST(Neural, Normalize) {
  Value x = f32({2, 2}, {1, 3, -2, 2});
  AttributeList layer{{"axis", int64_t(1)}, {"epsilon", 0.0}, {"kind", "layer"}};
  expectValues(run("normalize", {x}, layer), {-1, 1, -1, 1});
  expectValues(run("normalize", {x, f32({2}, {2, 3}), f32({2}, {10, 20})}, layer), {8, 23, 8, 23});
  expectValues(run("normalize", {x, {}, f32({2}, {10, 20})},
                   {{"axis", int64_t(1)}, {"epsilon", 3.0}, {"kind", "rms"}}),
               {10.353553391, 21.060660172, 9.2440710539, 20.7559289461});
  expectValues(run("normalize", {x}, {{"axis", int64_t(0)}, {"epsilon", 1.5}, {"kind", "layer"}}),
               {0, 0.8944271910, -1.3416407865, 0.4472135955});
  EXPECT_EQ(errorOf("normalize", {x, f32({1}, {2})}, layer), "scale has shape [1], expected [2]");
}

TEST(Neural, Attention) {
  Value q = wave({1, 4, 2, 3}), k = wave({1, 2, 3, 3}, 2), v = wave({1, 2, 3, 2}, 3);
  // Grouped heads and a broadcast mask; the values are those of onnx.reference.
  expectValues(run("attention", {q, k, v, wave({2, 3}, 4)}, {{"scale", 0.5}, {"softcap", 2.0}}),
               {-0.231850564, -0.210338145, -0.648373902, -0.564873874, -0.542520165, -0.419868797,
                -0.381592959, -0.052621983, 0.532669544, 0.233708546, 0.125490382, -0.318450302, 0.156697407,
                0.0043849675, 0.41802755, -0.0118597439});
  // One query of two sees only the first two keys of three.
  Reals causal = values(run("attention", {q, k, v, {}}, {{"scale", 0.5}, {"causal", int64_t(1)}}));
  Value mask = f32({2, 3}, {0, 0, -HUGE_VAL, 0, 0, 0});
  EXPECT_EQ(causal, values(run("attention", {q, k, v, mask}, {{"scale", 0.5}})));
  expectValues(
      run("attention",
          {f32({1, 1, 1, 1}, {1}), f32({1, 1, 1, 1}, {1}), f32({1, 1, 1, 1}, {7}), f32({1}, {-HUGE_VAL})},
          {}),
      {0});
  expectValues(run("attention", {f32({1, 1, 1, 1}, {1}), f32({1, 1, 0, 1}, {}), f32({1, 1, 0, 2}, {})}, {}),
               {0, 0});
  EXPECT_EQ(errorOf("attention", {q, k, v, f32({2}, {0, 0})}, {}),
            "mask [2] does not fit the scores [1, 4, 2, 3]");
  EXPECT_EQ(errorOf("attention", {wave({1, 3, 2, 3}), k, v}, {}), "2 key heads do not divide 3 heads");
}

TEST(Neural, Determinant) {
  expectValues(run("det", {wave({2, 3, 3})}), {4.65038745e-08, 9.02139363e-10});
  expectValues(run("det", {f64({2, 2}, {0, 1, 1, 0})}), {-1});
  expectValues(run("det", {f64({0, 0}, {})}), {1});
  EXPECT_EQ(errorOf("det", {f32({1, 2}, {1, 2})}), "expected square matrices, got shape [1, 2]");
}
