#include "Run.h"
using namespace optc;
using namespace optc::test;

static AttributeList dims(Ints lb, Ints rb, Ints lc, Ints rc) {
  return {{"lhs_batch", lb}, {"rhs_batch", rb}, {"lhs_contract", lc}, {"rhs_contract", rc}};
}

TEST(Contractions, MatrixProducts) {
  Value a = f32({2, 3}, {1, 2, 3, 4, 5, 6}), b = f32({3, 2}, {1, 0, 2, 1, 0, 3});
  expectValues(run("contract", {a, b}, dims({}, {}, {1}, {0})), {5, 11, 14, 23});
  expectValues(run("contract", {a, b}, dims({}, {}, {0}, {1})), // (a^T b^T): 3 x 3
               {1, 6, 12, 2, 9, 15, 3, 12, 18});
  expectValues(run("contract", {a, b}, dims({}, {}, {1, 0}, {0, 1})), {28});         // rank 0
  EXPECT_EQ(run("contract", {a, b}, dims({}, {}, {}, {})).dims, (Dims{2, 3, 3, 2})); // outer product
  Value x = ramp(DType::f32, {2, 2, 1}), y = ramp(DType::f32, {1, 3, 2});
  Value z = run("contract", {x, y}, dims({1}, {2}, {2}, {0})); // batches of 2: [2, 2, 3]
  expectValues(z, {0, 0, 0, 0, 4, 8, 1, 3, 5, 3, 9, 15});
}

TEST(Contractions, BlocksAndClasses) {
  // Past a block of columns, of depth and of rows: sums of consecutive numbers are known.
  Value a = tensor(DType::f64, {5, 100}, Reals(500, 1)), b = ramp(DType::f64, {100, 600});
  Reals got = values(run("contract", {a, b}, dims({}, {}, {1}, {0})));
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t j = 0; j < 600; ++j)
      ASSERT_EQ(got[size_t(i * 600 + j)], 600 * 4950 + 100 * j);
  expectValues(run("contract", {tensor(DType::i8, {1, 2}, {-128, 127}), tensor(DType::u8, {2}, {255, 255})},
                   dims({}, {}, {1}, {0}), {{DType::i32}}),
               {-255});
  expectValues(run("contract", {f32({2, 0}, {}), f32({0, 1}, {})}, dims({}, {}, {1}, {0})), {0, 0});
}

TEST(Contractions, Errors) {
  EXPECT_EQ(errorOf("contract", {f32({2}, {1, 2}), f32({1}, {1})}, dims({}, {}, {0}, {0})),
            "operands [2] and [1] do not fit together");
  EXPECT_EQ(errorOf("contract", {f32({2}, {1, 2}), f32({2}, {1, 2})}, dims({}, {}, {0, 0}, {0, 0})),
            "dim 0 is named twice");
  EXPECT_EQ(errorOf("contract", {f32({2}, {1, 2}), f32({2}, {1, 2})}, dims({}, {}, {1}, {0})),
            "axis 1 is out of range for rank 1");
}
