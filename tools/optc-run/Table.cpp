//===- Table.cpp - Columns for people -------------------------------------===//

#include "tools/optc-run/Table.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>

using namespace optc;

std::string optc::formatted(const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  std::string text(size_t(std::max(0, std::vsnprintf(nullptr, 0, format, arguments))), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  va_end(arguments);
  return text;
}

std::string optc::bytesText(double bytes) {
  for (auto [unit, size] : {std::pair("GB", 1e9), {"MB", 1e6}, {"kB", 1e3}})
    if (bytes >= size)
      return formatted("%.1f %s", bytes / size, unit);
  return formatted("%.0f bytes", bytes);
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (auto &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      std::string gap(widths[i] - row[i].size(), ' ');
      bool left = i < alignment.size() ? alignment[i] == 'l' : i == 0;
      line += (i ? "  " : "") + (left ? row[i] + gap : gap + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}
