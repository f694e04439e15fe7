//===- GraphTest.cpp - Random graphs of ops -------------------------------===//
//
// What no table thinks of: elementwise ops, movements, reductions and gathers on each other's results, with several
// users, over static and dynamic dims. All exact: integers wrap, floats are small whole numbers that are never multiplied.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"
#include <algorithm>
#include <cstdlib>
#include <random>

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;

bool isStatic(const std::string &dim) { return dim.find_first_not_of("0123456789") == std::string::npos; }
std::string text(int64_t n) { return std::to_string(n); }

class Graph {
public:
  Graph(unsigned seed, std::string element) : random(seed), element(std::move(element)) {}

  Case build(const std::string &name) {
    for (size_t i = 0, n = 1 + pick(3); i < n; ++i)
      input(anyShape());
    size_t ops = 4 + pick(9);
    while (count < ops)
      grow();
    std::string last = values.back().first;
    Shape shape = values.back().second;
    c.body += "\n" + opText("y", isFloat() ? "neg %" + last : "bit_not %" + last, {type(shape)}, type(shape));
    c.name = name;
    c.result = type(shape);
    c.library = "what is only moved may be a view";
    return c;
  }

private:
  using Named = std::pair<std::string, Shape>;
  size_t pick(size_t n) { return random() % n; }
  bool isFloat() const { return element[0] == 'f'; }
  std::string type(const Shape &shape) const { return typeText(shape, element); }
  /// A value made not long ago: graphs are deep rather than wide.
  Named value() { return values[values.size() - 1 - pick(std::min<size_t>(values.size(), 4))]; }

  Shape anyShape() {
    static const char *dims[] = {"n", "m", "1", "3", "4", "6", "17"};
    Shape shape;
    for (size_t i = 0, rank = 1 + pick(3); i < rank; ++i)
      shape.push_back(dims[pick(std::size(dims))]);
    return shape;
  }
  Named input(const Shape &shape) {
    std::string name = text(int64_t(c.arguments.size()));
    c.arguments.push_back({type(shape), isFloat() ? Fill::index : Fill::any, 8});
    values.push_back({name, shape});
    return values.back();
  }
  void emit(const std::string &op, const std::vector<std::string> &types, const Shape &shape) {
    std::string name = "v" + text(int64_t(count++));
    c.body += (c.body.empty() ? "" : "\n") + opText(name, op, types, type(shape));
    values.push_back({name, shape});
  }

  /// Another value of the shape, or a new input.
  Named partner(const Shape &shape) {
    for (size_t i = values.size(); i-- > 0;)
      if (values[i].second == shape && pick(2))
        return values[i];
    return input(shape);
  }

  void grow() {
    auto [x, shape] = value();
    std::string t = type(shape);
    switch (pick(15)) {
    case 0: return emit((pick(2) ? "neg %" : "abs %") + x, {t}, shape);
    case 1:
    case 2: {
      static const char *ops[] = {"add", "sub", "min", "max", "mul"};
      std::string other = partner(shape).first;
      return emit(std::string(ops[pick(isFloat() ? 4 : 5)]) + " %" + x + ", %" + other, {t, t}, shape);
    }
    case 3: {
      std::string other = partner(shape).first, bits = typeText(shape, "i1"), condition = "c" + text(int64_t(count));
      c.body += "\n" + opText(condition, "compare %" + x + ", %" + other + " {predicate = \"" + (pick(2) ? "lt" : "eq") + "\"}", {t, t}, bits);
      return emit("select %" + condition + ", %" + other + ", %" + x, {bits, t, t}, shape);
    }
    case 4: return broadcast(x, shape);
    case 5: {
      std::vector<size_t> order(shape.size());
      for (size_t i = 0; i < order.size(); ++i)
        order[i] = i;
      std::shuffle(order.begin(), order.end(), random);
      Shape y;
      std::string list;
      for (size_t i : order) {
        y.push_back(shape[i]);
        list += (list.empty() ? "" : ", ") + text(int64_t(i));
      }
      return emit("transpose %" + x + " {permutation = array<i64: " + list + ">}", {t}, y);
    }
    case 6: return reshape(x, shape);
    case 7:
    case 8: return alongStatic(x, shape);
    case 9: {
      if (shape.size() < 2)
        return;
      size_t axis = pick(shape.size());
      Shape y = shape;
      y.erase(y.begin() + int64_t(axis));
      return emit("reduce %" + x + " {axes = array<i64: " + text(int64_t(axis)) + ">, kind = \"" + (pick(2) ? "sum" : "max") + "\"}", {t}, y);
    }
    case 10: {
      // Concatenated along a dim with itself or another: 2*n where the dim is n.
      size_t axis = pick(shape.size());
      if (shape[axis].size() > 4)
        return;
      std::string other = partner(shape).first;
      Shape y = shape;
      y[axis] = isStatic(shape[axis]) ? text(2 * std::stoll(shape[axis])) : "2*(" + shape[axis] + ")";
      return emit("concat %" + x + ", %" + other + " {axis = " + text(int64_t(axis)) + " : i64}", {t, t}, y);
    }
    case 11: return contract(x, shape);
    case 12: {
      // A position, as a value of the graph's type.
      if (shape.size() < 2)
        return;
      size_t axis = pick(shape.size());
      Shape y = shape;
      y.erase(y.begin() + int64_t(axis));
      std::string positions = typeText(y, "i64"), name = "p" + text(int64_t(count));
      std::string attributes = " {axis = " + text(int64_t(axis)) + " : i64, kind = \"" + (pick(2) ? "max" : "min") + "\", last = " + (pick(2) ? "true}" : "false}");
      c.body += "\n" + opText(name, "arg_reduce %" + x + attributes, {t}, positions);
      return emit(element == "i64" ? "neg %" + name : "cast %" + name, {positions}, y);
    }
    default: {
      size_t axis = pick(shape.size());
      if (!isStatic(shape[axis]) || shape[axis] == "0")
        return;
      Shape y = shape, indices = pick(2) ? Shape{"5"} : Shape{"m"};
      y[axis] = indices[0];
      std::string index = typeText(indices, "i64"), name = text(int64_t(c.arguments.size()));
      c.arguments.push_back({index, Fill::index, std::stoll(shape[axis])});
      return emit("gather %" + x + ", %" + name + " {axis = " + text(int64_t(axis)) + " : i64}", {t, index}, y);
    }
    }
  }

  /// A product with a matrix of at most 8, of values brought between -7 and 7 first, so that f32 holds the sums.
  void contract(const std::string &x, const Shape &shape) {
    if (!isFloat())
      return;
    std::string t = type(shape), scalar = typeText({}, element), id = text(int64_t(count));
    c.body += (c.body.empty() ? "" : "\n") + ("%h" + id + " = optc.constant dense<7.0> : " + scalar + "\n%l" + id + " = optc.constant dense<-7.0> : " + scalar + "\n") +
              opText("H" + id, "broadcast %h" + id, {scalar}, t) + "\n" + opText("L" + id, "broadcast %l" + id, {scalar}, t) + "\n" +
              opText("s" + id, "min %" + x + ", %H" + id, {t, t}, t) + "\n" + opText("S" + id, "max %s" + id + ", %L" + id, {t, t}, t);
    bool weight = isStatic(shape.back()) && pick(2);
    Shape matrix{shape.back(), pick(2) ? "5" : "18"}, y = shape;
    y.back() = matrix.back();
    std::string m = type(matrix), name = text(int64_t(c.arguments.size()));
    c.arguments.push_back({m, Fill::index, 8, weight});
    emit("contract %S" + id + ", %" + name + " {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: " + text(int64_t(shape.size()) - 1) +
             ">, rhs_contract = array<i64: 0>}", {t, m}, y);
  }

  void broadcast(const std::string &x, const Shape &shape) {
    if (shape.size() > 3)
      return;
    static const char *dims[] = {"n", "m", "3", "4"};
    Shape y = shape;
    for (std::string &d : y)
      if (d == "1" && pick(2))
        d = dims[pick(4)];
    if (pick(2) || y == shape)
      y.insert(y.begin(), dims[pick(4)]);
    emit("broadcast %" + x, {type(shape)}, y);
  }

  void reshape(const std::string &x, const Shape &shape) {
    Shape y = shape;
    size_t at = pick(shape.size());
    if (shape[at] == "6" || shape[at] == "4") {
      y[at] = shape[at] == "6" ? "3" : "2";
      y.insert(y.begin() + int64_t(at), "2");
    } else if (at + 1 < shape.size() && shape[at].size() + shape[at + 1].size() < 12) {
      bool known = isStatic(shape[at]) && isStatic(shape[at + 1]);
      y[at] = known ? text(std::stoll(shape[at]) * std::stoll(shape[at + 1])) : "(" + shape[at] + ")*(" + shape[at + 1] + ")";
      y.erase(y.begin() + int64_t(at) + 1);
    } else {
      y.insert(y.begin() + int64_t(at), "1");
    }
    if (y.size() < 5)
      emit("reshape %" + x, {type(shape)}, y);
  }

  /// A slice or padding of one dim of known size.
  void alongStatic(const std::string &x, const Shape &shape) {
    size_t axis = pick(shape.size());
    if (!isStatic(shape[axis]))
      return;
    int64_t size = std::stoll(shape[axis]);
    Shape y = shape;
    std::string starts, strides, low;
    auto add = [](std::string &list, const std::string &entry) { list += (list.empty() ? "" : ", ") + entry; };
    bool pads = pick(2) && size < 40;
    int64_t start = 0, stride = 1, before = 1 + int64_t(pick(2));
    if (pads) {
      y[axis] = text(size + before + int64_t(pick(3)));
    } else {
      stride = pick(3) == 0 ? -1 : 1 + int64_t(pick(2));
      start = stride < 0 ? size - 1 : int64_t(pick(size_t(size)));
      int64_t most = stride < 0 ? size : (size - start + stride - 1) / stride;
      y[axis] = text(1 + int64_t(pick(size_t(most))));
    }
    for (size_t i = 0; i < shape.size(); ++i) {
      add(starts, i == axis ? text(start) : "0");
      add(strides, i == axis ? text(stride) : "1");
      add(low, i == axis ? text(before) : "0");
    }
    static const char *modes[] = {"constant", "edge", "wrap"};
    if (pads)
      emit("pad %" + x + " {low = #optc.dims<[" + low + "]>, mode = \"" + modes[pick(3)] + "\"}", {type(shape)}, y);
    else
      emit("slice %" + x + " {starts = #optc.dims<[" + starts + "]>, strides = #optc.dims<[" + strides + "]>}", {type(shape)}, y);
  }

  std::mt19937 random;
  std::string element;
  Case c;
  std::vector<Named> values;
  size_t count = 0;
};

/// OPTC_SEED=12345 in the environment makes other graphs.
void check(const std::string &element, unsigned graphs, unsigned first, const char *level = "native") {
  Batch batch(level);
  if (const char *seed = std::getenv("OPTC_SEED"))
    first += unsigned(std::atoi(seed));
  for (unsigned seed = first; seed < first + graphs; ++seed)
    batch.add(Graph(seed, element).build("graph " + std::to_string(seed) + " " + element));
  batch.check({{{"n", 1}, {"m", 1}}, {{"n", 17}, {"m", 3}}, {{"n", 5}, {"m", 33}}});
}

} // namespace

TEST(Graph, i32) { check("i32", 100, 0); }
TEST(Graph, f32) { check("f32", 100, 100); }
TEST(Graph, i64) { check("i64", 60, 200); }
TEST(Graph, i8) { check("i8", 60, 260); }
TEST(Graph, level3) { check("f32", 60, 320, "x86-64-v3"); }
TEST(Graph, baseline) { check("i32", 60, 380, "x86-64"); }
