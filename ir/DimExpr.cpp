//===- DimExpr.cpp - Symbolic dimensions ----------------------------------===//

#include "ir/DimExpr.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>

using namespace optc;
using llvm::StringRef;

namespace {

/// floor(a / b) on integers; 0 when b is 0, so that a shape program never traps.
int64_t floorDiv(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

bool isSymbolStart(char c) { return llvm::isAlpha(c) || c == '_' || c == '$'; }
bool isSymbolChar(char c) { return llvm::isAlnum(c) || c == '_' || c == '$' || c == '.' || c == ':' || c == '/'; }

/// Splits "f(a,b)" into its name and arguments; false for a plain symbol.
bool splitCall(StringRef atom, StringRef &name, std::vector<StringRef> &args) {
  size_t open = atom.find('(');
  if (open == StringRef::npos)
    return false;
  name = atom.take_front(open);
  StringRef body = atom.drop_front(open + 1).drop_back();
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= body.size(); ++i) {
    if (i == body.size() || (body[i] == ',' && depth == 0)) {
      args.push_back(body.slice(begin, i));
      begin = i + 1;
    } else if (body[i] == '(') {
      ++depth;
    } else if (body[i] == ')') {
      --depth;
    }
  }
  return true;
}

/// Recursive descent over `sum := product (('+'|'-') product)*`, `product := unit ('*' unit)*`.
struct Parser {
  StringRef text;
  int depth = 0;

  void skip() { text = text.ltrim(); }
  bool eat(char c) {
    skip();
    return text.consume_front(StringRef(&c, 1));
  }
  std::optional<DimExpr> sum() {
    if (++depth > 64)
      return std::nullopt;
    bool negative = eat('-');
    auto left = product();
    if (left && negative)
      left = DimExpr(0) - *left;
    while (left) {
      bool plus = eat('+');
      if (!plus && !eat('-'))
        break;
      auto right = product();
      if (!right)
        return std::nullopt;
      left = plus ? *left + *right : *left - *right;
    }
    --depth;
    return left;
  }
  std::optional<DimExpr> product() {
    auto left = unit();
    while (left && eat('*')) {
      auto right = unit();
      if (!right)
        return std::nullopt;
      left = *left * *right;
    }
    return left;
  }
  std::optional<DimExpr> unit() {
    skip();
    if (text.empty())
      return std::nullopt;
    if (eat('(')) {
      auto inner = sum();
      return inner && eat(')') ? inner : std::nullopt;
    }
    if (llvm::isDigit(text.front()) || text.front() == '-') {
      StringRef digits = text.take_while([first = true](char c) mutable {
        bool ok = llvm::isDigit(c) || (first && c == '-');
        first = false;
        return ok;
      });
      int64_t value;
      if (digits.getAsInteger(10, value))
        return std::nullopt;
      text = text.drop_front(digits.size());
      return DimExpr(value);
    }
    if (!isSymbolStart(text.front()))
      return std::nullopt;
    StringRef name = text.take_while(isSymbolChar);
    text = text.drop_front(name.size());
    if (!eat('('))
      return DimExpr::symbol(name);
    std::vector<DimExpr> args;
    do {
      auto arg = sum();
      if (!arg)
        return std::nullopt;
      args.push_back(*arg);
    } while (eat(','));
    if (!eat(')'))
      return std::nullopt;
    if (name == "ifeq" && args.size() == 4)
      return DimExpr::ifeq(args[0], args[1], args[2], args[3]);
    if (args.size() != 2)
      return std::nullopt;
    if (name == "floordiv")
      return DimExpr::floordiv(args[0], args[1]);
    if (name == "mod")
      return DimExpr::mod(args[0], args[1]);
    if (name == "min")
      return DimExpr::min(args[0], args[1]);
    if (name == "max")
      return DimExpr::max(args[0], args[1]);
    if (name == "bcast")
      return DimExpr::bcast(args[0], args[1]);
    return std::nullopt;
  }
};

/// Graded lexicographic order: a monomial order, as polynomial division needs.
bool gradedLess(const DimExpr::Monomial &a, const DimExpr::Monomial &b) {
  if (a.size() != b.size())
    return a.size() < b.size();
  return a > b;
}

/// A bound from below: function atoms whose arguments are dims are at least 0.
bool atomIsNonNegative(StringRef atom) {
  StringRef name;
  std::vector<StringRef> args;
  if (!splitCall(atom, name, args))
    return !atom.starts_with("$");
  auto nonNegative = [&](StringRef arg) {
    auto e = DimExpr::parse(arg);
    return e && e->isNonNegative();
  };
  if (name == "max")
    return llvm::any_of(args, nonNegative);
  if (name == "mod")
    return nonNegative(args[1]);
  if (name == "ifeq")
    return nonNegative(args[2]) && nonNegative(args[3]);
  return llvm::all_of(args, nonNegative);
}

} // namespace

DimExpr::DimExpr(int64_t constant) {
  if (constant != 0)
    terms[{}] = constant;
}

DimExpr DimExpr::symbol(StringRef name) {
  DimExpr e;
  e.terms[{name.str()}] = 1;
  return e;
}

bool DimExpr::isSymbolName(StringRef name) {
  return !name.empty() && isSymbolStart(name.front()) && llvm::all_of(name, isSymbolChar);
}

std::string DimExpr::symbolName(StringRef text) {
  std::string s = text.str();
  for (char &c : s)
    if (!isSymbolChar(c))
      c = '_';
  if (s.empty() || !isSymbolStart(s.front()))
    s.insert(s.begin(), '_');
  return s;
}

std::optional<DimExpr> DimExpr::parse(StringRef text) {
  Parser parser{text};
  auto e = parser.sum();
  parser.skip();
  return parser.text.empty() ? e : std::nullopt;
}

bool DimExpr::isConstant() const { return terms.empty() || (terms.size() == 1 && terms.begin()->first.empty()); }

std::optional<int64_t> DimExpr::constant() const {
  if (terms.empty())
    return 0;
  if (isConstant())
    return terms.begin()->second;
  return std::nullopt;
}

std::optional<std::string> DimExpr::asSymbol() const {
  if (terms.size() != 1 || terms.begin()->second != 1 || terms.begin()->first.size() != 1)
    return std::nullopt;
  const std::string &atom = terms.begin()->first.front();
  return atom.find('(') == std::string::npos ? std::optional(atom) : std::nullopt;
}

std::string DimExpr::str() const {
  if (terms.empty())
    return "0";
  std::string out;
  auto append = [&](const Monomial &m, int64_t c) {
    if (c < 0)
      out += '-';
    else if (!out.empty())
      out += '+';
    uint64_t magnitude = c < 0 ? 0 - uint64_t(c) : uint64_t(c);
    if (m.empty() || magnitude != 1)
      out += std::to_string(magnitude);
    bool first = m.empty() || magnitude == 1;
    for (const std::string &atom : m) {
      if (!first)
        out += '*';
      out += atom;
      first = false;
    }
  };
  for (auto &[m, c] : terms)
    if (!m.empty())
      append(m, c);
  if (auto it = terms.find({}); it != terms.end())
    append({}, it->second);
  return out;
}

DimExpr DimExpr::operator+(const DimExpr &other) const {
  DimExpr sum = *this;
  for (auto &[m, c] : other.terms)
    if ((sum.terms[m] += c) == 0)
      sum.terms.erase(m);
  return sum;
}

DimExpr DimExpr::operator-(const DimExpr &other) const { return *this + other * DimExpr(-1); }

DimExpr DimExpr::operator*(const DimExpr &other) const {
  DimExpr product;
  for (auto &[m, c] : terms)
    for (auto &[n, d] : other.terms) {
      Monomial mn(m.size() + n.size());
      std::merge(m.begin(), m.end(), n.begin(), n.end(), mn.begin());
      if ((product.terms[mn] += c * d) == 0)
        product.terms.erase(mn);
    }
  return product;
}

DimExpr DimExpr::function(StringRef name, const std::vector<DimExpr> &args) {
  std::string text = (name + "(").str();
  for (size_t i = 0; i < args.size(); ++i)
    text += (i ? "," : "") + args[i].str();
  DimExpr e;
  e.terms[{text + ")"}] = 1;
  return e;
}

std::optional<DimExpr> DimExpr::divideExactly(const DimExpr &a, const DimExpr &b) {
  if (b.terms.empty())
    return std::nullopt;
  auto leading = [](const DimExpr &e) {
    return std::max_element(e.terms.begin(), e.terms.end(),
                            [](auto &x, auto &y) { return gradedLess(x.first, y.first); });
  };
  DimExpr rest = a, quotient;
  auto lb = leading(b);
  while (!rest.terms.empty()) {
    auto lr = leading(rest);
    if (lr->second % lb->second != 0 ||
        !std::includes(lr->first.begin(), lr->first.end(), lb->first.begin(), lb->first.end()))
      return std::nullopt;
    DimExpr factor;
    Monomial m;
    std::set_difference(lr->first.begin(), lr->first.end(), lb->first.begin(), lb->first.end(),
                        std::back_inserter(m));
    factor.terms[m] = lr->second / lb->second;
    quotient = quotient + factor;
    rest = rest - factor * b;
  }
  return quotient;
}

DimExpr DimExpr::floordiv(const DimExpr &a, const DimExpr &b) {
  auto cb = b.constant();
  if (cb && *cb == 0)
    return DimExpr(0);
  if (auto ca = a.constant(); ca && cb)
    return DimExpr(floorDiv(*ca, *cb));
  if (auto exact = divideExactly(a, b))
    return *exact;
  // (k*x + r) floordiv k == x + r floordiv k
  if (cb && *cb > 0) {
    DimExpr whole, rest;
    for (auto &[m, c] : a.terms)
      if (!m.empty() && c % *cb == 0)
        whole.terms[m] = c / *cb;
      else
        rest.terms[m] = c;
    int64_t k = rest.terms.count({}) ? floorDiv(rest.terms[{}], *cb) : 0;
    rest = rest - DimExpr(k * *cb);
    whole = whole + DimExpr(k);
    if (rest.isConstant())
      return whole;
    return whole + function("floordiv", {rest, b});
  }
  return function("floordiv", {a, b});
}

DimExpr DimExpr::ceildiv(const DimExpr &a, const DimExpr &b) { return DimExpr(0) - floordiv(DimExpr(0) - a, b); }

DimExpr DimExpr::mod(const DimExpr &a, const DimExpr &b) { return a - floordiv(a, b) * b; }

DimExpr DimExpr::min(const DimExpr &a, const DimExpr &b) {
  if ((b - a).isNonNegative())
    return a;
  if ((a - b).isNonNegative())
    return b;
  return function("min", {a, b});
}

DimExpr DimExpr::max(const DimExpr &a, const DimExpr &b) {
  if ((b - a).isNonNegative())
    return b;
  if ((a - b).isNonNegative())
    return a;
  return function("max", {a, b});
}

/// True when x is min(y, z) or min(z, y) with z at least 1.
static bool isMinimumOf(const DimExpr &x, const DimExpr &y) {
  std::string text = x.str();
  StringRef inside = text;
  if (!inside.consume_front("min(") || !inside.consume_back(")"))
    return false;
  int depth = 0;
  for (size_t i = 0; i < inside.size() && depth >= 0; ++i) {
    depth += inside[i] == '(' ? 1 : inside[i] == ')' ? -1 : 0;
    if (depth != 0 || inside[i] != ',')
      continue;
    auto p = DimExpr::parse(inside.take_front(i)), q = DimExpr::parse(inside.drop_front(i + 1));
    return p && q && ((*p == y && (*q - DimExpr(1)).isNonNegative()) || (*q == y && (*p - DimExpr(1)).isNonNegative()));
  }
  return false;
}

DimExpr DimExpr::bcast(const DimExpr &a, const DimExpr &b) {
  // bcast(min(y, 512), y) == y: where the two differ neither is 1, and broadcasting them is an error.
  if (isMinimumOf(a, b))
    return b;
  if (isMinimumOf(b, a))
    return a;
  if (a == b || b == DimExpr(1))
    return a;
  if (a == DimExpr(1))
    return b;
  if (auto ca = a.constant())
    return *ca; // a is not 1, so b is a or 1
  if (auto cb = b.constant())
    return *cb;
  return a.str() < b.str() ? function("bcast", {a, b}) : function("bcast", {b, a});
}

DimExpr DimExpr::ifeq(const DimExpr &a, const DimExpr &b, const DimExpr &x, const DimExpr &y) {
  if (x == y || a == b)
    return x;
  DimExpr d = a - b;
  if (d.isConstant() || (d - DimExpr(1)).isNonNegative() || (DimExpr(-1) - d).isNonNegative())
    return y;
  return function("ifeq", {a, b, x, y});
}

bool DimExpr::isNonNegative() const {
  return llvm::all_of(terms, [](auto &term) {
    return term.second >= 0 &&
           llvm::all_of(term.first, [](const std::string &atom) { return atomIsNonNegative(atom); });
  });
}

void DimExpr::forEachSymbol(llvm::function_ref<void(StringRef)> visit) const {
  for (auto &[m, c] : terms)
    for (const std::string &atom : m) {
      StringRef name;
      std::vector<StringRef> args;
      if (!splitCall(atom, name, args))
        visit(atom);
      for (StringRef arg : args)
        parse(arg)->forEachSymbol(visit);
    }
}

namespace {
DimExpr applyFunction(StringRef name, const std::vector<DimExpr> &a) {
  if (name == "floordiv")
    return DimExpr::floordiv(a[0], a[1]);
  if (name == "mod")
    return DimExpr::mod(a[0], a[1]);
  if (name == "min")
    return DimExpr::min(a[0], a[1]);
  if (name == "max")
    return DimExpr::max(a[0], a[1]);
  if (name == "bcast")
    return DimExpr::bcast(a[0], a[1]);
  return DimExpr::ifeq(a[0], a[1], a[2], a[3]);
}
} // namespace

DimExpr DimExpr::substitute(llvm::function_ref<std::optional<DimExpr>(StringRef)> map) const {
  DimExpr sum;
  for (auto &[m, c] : terms) {
    DimExpr product(c);
    for (const std::string &atom : m) {
      StringRef name;
      std::vector<StringRef> args;
      if (!splitCall(atom, name, args)) {
        auto replacement = map(atom);
        product = product * (replacement ? *replacement : symbol(atom));
        continue;
      }
      std::vector<DimExpr> values;
      for (StringRef arg : args)
        values.push_back(parse(arg)->substitute(map));
      product = product * applyFunction(name, values);
    }
    sum = sum + product;
  }
  return sum;
}

std::optional<int64_t>
DimExpr::evaluate(llvm::function_ref<std::optional<int64_t>(StringRef)> map) const {
  return substitute([&](StringRef name) -> std::optional<DimExpr> {
           if (auto value = map(name))
             return DimExpr(*value);
           return std::nullopt;
         })
      .constant();
}

int64_t DimExpr::visit(Visitor &visitor) const {
  std::optional<int64_t> sum;
  auto add = [&](int64_t handle) { sum = sum ? visitor.apply("+", {*sum, handle}) : handle; };
  for (auto &[m, c] : terms) {
    std::optional<int64_t> product;
    auto multiply = [&](int64_t handle) { product = product ? visitor.apply("*", {*product, handle}) : handle; };
    if (c != 1 || m.empty())
      multiply(visitor.constant(c));
    for (const std::string &atom : m) {
      StringRef name;
      std::vector<StringRef> args;
      if (!splitCall(atom, name, args)) {
        multiply(visitor.symbol(atom));
        continue;
      }
      std::vector<int64_t> handles;
      for (StringRef arg : args)
        handles.push_back(parse(arg)->visit(visitor));
      multiply(visitor.apply(name, handles));
    }
    add(*product);
  }
  return sum ? *sum : visitor.constant(0);
}
