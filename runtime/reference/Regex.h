//===- Regex.h - Regular expressions without backtracking -------*- C++ -*-===//
//
// The part of RE2's syntax that models use, run as a set of states (Thompson 1968): time is linear in the
// text, whatever the pattern. Bytes, not code points.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_REGEX_H
#define OPTC_RUNTIME_REFERENCE_REGEX_H

#include "runtime/reference/Reference.h"
#include <bitset>

namespace optc {

class Regex {
public:
  /// Literals, `.`, classes, \d \w \s and their complements, groups, `|`, `*`, `+`, `?`, `{m,n}`, lazy forms,
  /// ^ and $ at the ends. Anything else is an error.
  Status compile(const std::string &pattern);
  /// Whether the whole text matches.
  bool matches(const std::string &text) const;

private:
  struct State {
    std::bitset<256> bytes;         // taken by `next`, when not empty
    int64_t next = -1, branch = -1; // without bytes: both are entered for free
    bool consumes = false;
  };
  struct Part {
    int64_t begin, end; // `end` is a free state without successors
  };
  int64_t add(State state);
  Part take(const std::bitset<256> &bytes);
  Part parseChoice(const std::string &pattern, size_t &at, int depth, Status &status);
  Part parseRepeats(const std::string &pattern, size_t &at, int depth, Status &status);
  Part parseAtom(const std::string &pattern, size_t &at, int depth, Status &status);
  bool parseEscape(const std::string &pattern, size_t &at, std::bitset<256> &bytes) const;
  bool parseClass(const std::string &pattern, size_t &at, std::bitset<256> &bytes) const;

  std::vector<State> states;
  Part whole{-1, -1};
};

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_REGEX_H
