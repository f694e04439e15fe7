//===- Regex.cpp - Regular expressions without backtracking ---------------===//

#include "runtime/reference/Regex.h"
#include <algorithm>

using namespace optc;

/// Bounds of what a pattern may cost: counted repeats multiply states.
static constexpr size_t kMostStates = 20000;
static constexpr int kDeepest = 100;

int64_t Regex::add(State state) {
  states.push_back(std::move(state));
  return int64_t(states.size()) - 1;
}

Regex::Part Regex::take(const std::bitset<256> &bytes) {
  int64_t end = add({});
  State state;
  state.bytes = bytes;
  state.next = end;
  state.consumes = true;
  return {add(state), end};
}

bool Regex::parseEscape(const std::string &pattern, size_t &at, std::bitset<256> &bytes) const {
  if (at >= pattern.size())
    return false;
  char c = pattern[at++];
  auto range = [&](int low, int high) {
    for (int b = low; b <= high; ++b)
      bytes.set(size_t(b));
  };
  char kind = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  if (kind == 'd' || kind == 'w' || kind == 's') {
    std::bitset<256> outer = bytes;
    bytes.reset();
    if (kind != 's')
      range('0', '9');
    if (kind == 'w') {
      range('a', 'z');
      range('A', 'Z');
      bytes.set('_');
    }
    if (kind == 's')
      for (char space : {' ', '\t', '\n', '\r', '\f'})
        bytes.set(size_t(space));
    bytes = (kind == c ? bytes : ~bytes) | outer;
    return true;
  }
  if (kind >= 'a' && kind <= 'z') {
    const char *from = "tnrfv", *to = "\t\n\r\f\v";
    for (int i = 0; from[i]; ++i)
      if (c == from[i])
        return bytes.set(size_t(to[i])), true;
    return false;
  }
  if (c >= '0' && c <= '9')
    return false; // back references are not regular
  bytes.set(uint8_t(c));
  return true;
}

/// After '['.
bool Regex::parseClass(const std::string &pattern, size_t &at, std::bitset<256> &bytes) const {
  bool negated = at < pattern.size() && pattern[at] == '^';
  at += negated;
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false) {
    uint8_t low = uint8_t(pattern[at++]);
    if (low == '\\') {
      std::bitset<256> one;
      if (!parseEscape(pattern, at, one))
        return false;
      bytes |= one;
      continue;
    }
    uint8_t high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = uint8_t(pattern[at + 1]);
      at += 2;
      if (high == '\\' || high < low)
        return false;
    }
    for (int b = low; b <= high; ++b)
      bytes.set(size_t(b));
  }
  if (at >= pattern.size())
    return false;
  ++at; // ']'
  if (negated)
    bytes = ~bytes;
  return true;
}

Regex::Part Regex::parseAtom(const std::string &pattern, size_t &at, int depth, Status &status) {
  std::bitset<256> bytes;
  char c = pattern[at++];
  bool valid = true;
  if (c == '(') {
    if (pattern.compare(at, 2, "?:") == 0)
      at += 2;
    Part inner = parseChoice(pattern, at, depth + 1, status);
    if (status.ok() && (at >= pattern.size() || pattern[at] != ')'))
      status = Status::error("the pattern lacks a ')'");
    ++at;
    return inner;
  }
  if (c == '.')
    bytes = ~bytes.set('\n');
  else if (c == '[')
    valid = parseClass(pattern, at, bytes);
  else if (c == '\\')
    valid = parseEscape(pattern, at, bytes);
  else if (c == '*' || c == '+' || c == '?' || c == '{')
    valid = false;
  else
    bytes.set(uint8_t(c));
  if (!valid)
    status = Status::error("the pattern is not understood at position " + std::to_string(at));
  return take(bytes);
}

Regex::Part Regex::parseRepeats(const std::string &pattern, size_t &at, int depth, Status &status) {
  size_t start = at;
  Part part = parseAtom(pattern, at, depth, status);
  while (status.ok() && at < pattern.size()) {
    int64_t least, most;
    char c = pattern[at];
    if (c == '*' || c == '+' || c == '?') {
      least = c == '+';
      most = c == '?' ? 1 : -1;
      ++at;
    } else if (c == '{') {
      size_t p = at + 1;
      auto number = [&](int64_t otherwise) {
        int64_t v = otherwise;
        for (; p < pattern.size() && pattern[p] >= '0' && pattern[p] <= '9'; ++p)
          v = std::min<int64_t>((v < 0 ? 0 : v) * 10 + (pattern[p] - '0'), 100000);
        return v;
      };
      least = number(-1);
      most = least;
      if (p < pattern.size() && pattern[p] == ',') {
        ++p;
        most = number(-1);
      }
      if (least < 0 || least > 1000 || most > 1000 || (most >= 0 && most < least) || p >= pattern.size() ||
          pattern[p] != '}') {
        status = Status::error("the pattern is not understood at position " + std::to_string(at));
        break;
      }
      at = p + 1;
    } else {
      break;
    }
    if (at < pattern.size() && pattern[at] == '?')
      ++at; // lazy: the same for a match of the whole text
    // Each copy is parsed anew; the last repeats itself or may be skipped.
    int64_t begin = add({}), tail = begin;
    Part copy = part;
    for (int64_t i = 0, copies = most < 0 ? std::max<int64_t>(least, 1) : most; i < copies && status.ok();
         ++i) {
      if (i) {
        size_t again = start;
        copy = parseAtom(pattern, again, depth, status);
      }
      states[size_t(tail)].next = copy.begin;
      int64_t after = add({});
      states[size_t(copy.end)].next = after;
      if (i >= least)
        states[size_t(tail)].branch = after;
      if (most < 0 && i + 1 == copies)
        states[size_t(copy.end)].branch = copy.begin;
      tail = after;
      if (states.size() > kMostStates)
        status = Status::error("the pattern is too large");
    }
    part = {begin, tail};
    if (at < pattern.size() &&
        (pattern[at] == '*' || pattern[at] == '+' || pattern[at] == '?' || pattern[at] == '{'))
      status = Status::error("the pattern repeats a repeat at position " + std::to_string(at));
  }
  return part;
}

Regex::Part Regex::parseChoice(const std::string &pattern, size_t &at, int depth, Status &status) {
  Part result{add({}), add({})};
  int64_t entry = result.begin;
  if (depth > kDeepest)
    status = Status::error("the pattern is nested too deep");
  while (status.ok()) {
    int64_t tail = add({});
    states[size_t(entry)].next = tail;
    while (status.ok() && at < pattern.size() && pattern[at] != '|' && pattern[at] != ')') {
      Part part = parseRepeats(pattern, at, depth, status);
      states[size_t(tail)].next = part.begin;
      tail = part.end;
      if (states.size() > kMostStates)
        status = Status::error("the pattern is too large");
    }
    states[size_t(tail)].next = result.end;
    if (at >= pattern.size() || pattern[at] != '|')
      break;
    ++at;
    int64_t other = add({});
    states[size_t(entry)].branch = other;
    entry = other;
  }
  return result;
}

Status Regex::compile(const std::string &given) {
  std::string pattern = given;
  if (!pattern.empty() && pattern.front() == '^')
    pattern.erase(0, 1);
  if (!pattern.empty() && pattern.back() == '$' &&
      (pattern.size() < 2 || pattern[pattern.size() - 2] != '\\'))
    pattern.pop_back();
  states.clear();
  Status status;
  size_t at = 0;
  whole = parseChoice(pattern, at, 0, status);
  if (status.ok() && at < pattern.size())
    return Status::error("the pattern has a ')' too many");
  return status;
}

bool Regex::matches(const std::string &text) const {
  std::vector<int64_t> now, next;
  std::vector<size_t> seen(states.size(), 0); // the step at which a state was entered last
  size_t step = 1;
  auto enter = [&](int64_t state, std::vector<int64_t> &set) {
    std::vector<int64_t> stack{state};
    while (!stack.empty()) {
      int64_t s = stack.back();
      stack.pop_back();
      if (s < 0 || seen[size_t(s)] == step)
        continue;
      seen[size_t(s)] = step;
      set.push_back(s);
      if (!states[size_t(s)].consumes) {
        stack.push_back(states[size_t(s)].next);
        stack.push_back(states[size_t(s)].branch);
      }
    }
  };
  enter(whole.begin, now);
  for (char c : text) {
    ++step;
    next.clear();
    for (int64_t s : now)
      if (states[size_t(s)].consumes && states[size_t(s)].bytes[uint8_t(c)])
        enter(states[size_t(s)].next, next);
    now.swap(next);
  }
  return std::find(now.begin(), now.end(), whole.end) != now.end();
}
