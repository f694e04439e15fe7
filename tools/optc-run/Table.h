//===- Table.h - Columns for people -----------------------------*- C++ -*-===//
//
// Aligned text: the first column to the left, the others to the right unless asked otherwise.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_RUN_TABLE_H
#define OPTC_TOOLS_RUN_TABLE_H

#include <string>
#include <vector>

namespace optc {

/// printf into a string.
std::string formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// "12.3 MB" (10^6 bytes).
std::string bytesText(double bytes);

struct Table {
  std::vector<std::vector<std::string>> rows;
  /// Columns that are flush left, as letters: "lrrl".
  std::string alignment;
  std::string text() const;
};

} // namespace optc

#endif // OPTC_TOOLS_RUN_TABLE_H
