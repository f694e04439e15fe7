//===- IndexingTest.cpp - Gathers and scatters by elements and tuples -----===//
//
// Indices of both types, negative ones included; repeated ones in scatters, whose order the op defines. Exact, but for
// sums of floats where a kernel may take another order.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;
const std::vector<Sizes> kRuns = {{{"n", 1}, {"m", 2}}, {{"n", 3}, {"m", 1}}, {{"n", 17}, {"m", 5}}, {{"n", 125}, {"m", 17}}};
const char *kLibrary = "no generator of kernels";

struct Row {
  const char *name;
  Shape x, indices, y; // y: of a gather the result, of a scatter the updates
  std::string attributes;
  int64_t limit; // of the indices
};

void add(Batch &batch, const char *op, const Row &row, const std::string &element, const std::string &index, bool scatters) {
  std::string x = typeText(row.x, element), i = typeText(row.indices, index), y = typeText(row.y, element);
  std::vector<Argument> arguments{{x, Fill::moderate}, {i, Fill::index, row.limit}};
  if (scatters)
    arguments.push_back({y, Fill::moderate});
  batch.add(opCase(std::string(op) + " " + row.name + row.attributes + " " + element + " " + index,
                   std::string(op) + " %0, %1" + (scatters ? ", %2" : "") + " {" + row.attributes + "}", arguments, {scatters ? x : y}, {1, 1e-6}, kLibrary));
}

} // namespace

TEST(Indexing, gathers) {
  const Row elements[] = {
      {"outer", {"20", "n"}, {"7", "n"}, {"7", "n"}, "axis = 0 : i64", 20},
      {"inner", {"3", "20"}, {"3", "m"}, {"3", "m"}, "axis = 1 : i64", 20},
      {"middle", {"2", "9", "n"}, {"2", "m", "n"}, {"2", "m", "n"}, "axis = 1 : i64", 9},
      {"one dim", {"20"}, {"n"}, {"n"}, "axis = 0 : i64", 20},
  };
  const Row tuples[] = {
      {"rows", {"20", "n"}, {"m", "1"}, {"m", "n"}, "batch_dims = 0 : i64", 20},
      {"pairs", {"9", "7", "n"}, {"2", "m", "2"}, {"2", "m", "n"}, "batch_dims = 0 : i64", 7},
      {"elements", {"9", "7"}, {"n", "2"}, {"n"}, "batch_dims = 0 : i64", 7},
      {"batches", {"m", "7", "n"}, {"m", "5", "1"}, {"m", "5", "n"}, "batch_dims = 1 : i64", 7},
  };
  Batch batch;
  for (const std::string &element : words("i1 " + kNumbers))
    for (const char *index : {"i64", "i32"}) {
      for (const Row &row : elements)
        add(batch, "gather_elements", row, element, index, false);
      for (const Row &row : tuples)
        add(batch, "gather_nd", row, element, index, false);
    }
  batch.check(kRuns);
}

TEST(Indexing, scatters) {
  Batch batch;
  for (const char *reduction : {"none", "add", "mul", "min", "max"}) {
    std::string how = std::string(", reduction = \"") + reduction + "\"";
    const Row elements[] = {
        {"outer", {"20", "n"}, {"7", "n"}, {"7", "n"}, "axis = 0 : i64" + how, 20},
        {"inner", {"3", "5"}, {"3", "m"}, {"3", "m"}, "axis = 1 : i64" + how, 5},
    };
    const std::string &bare = how.substr(2);
    const Row tuples[] = {
        {"rows", {"6", "n"}, {"m", "1"}, {"m", "n"}, bare, 6},
        {"elements", {"5", "7"}, {"n", "2"}, {"n"}, bare, 5},
    };
    bool any = std::string(reduction) == "none";
    for (const std::string &element : words(any ? "i1 " + kNumbers : kNumbers))
      for (const char *index : {"i64", "i32"}) {
        for (const Row &row : elements)
          add(batch, "scatter_elements", row, element, index, true);
        for (const Row &row : tuples)
          add(batch, "scatter_nd", row, element, index, true);
      }
  }
  batch.check(kRuns);
}

TEST(Indexing, reverseSequence) {
  Batch batch;
  for (const std::string &element : words("i1 " + kNumbers))
    for (const char *index : {"i64", "i32"})
      for (bool timeFirst : {true, false}) {
        std::string x = typeText(timeFirst ? Shape{"9", "n", "m"} : Shape{"n", "9", "m"}, element);
        batch.add(opCase("reverse_sequence " + element + index + (timeFirst ? " time first" : ""),
                         "reverse_sequence %0, %1 {time_axis = " + std::to_string(timeFirst ? 0 : 1) + " : i64, batch_axis = " + std::to_string(timeFirst ? 1 : 0) + " : i64}",
                         {{x}, {typeText({"n"}, index), Fill::count, 9}}, {x}, {}, kLibrary));
      }
  batch.check(kRuns);
}
