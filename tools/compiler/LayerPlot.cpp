//===- LayerPlot.cpp - Errors of nodes as bars ----------------------------===//

#include "tools/compiler/CompareLayers.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace optc;

// Pixels.
static constexpr int kRow = 18, kBar = 12, kHead = 52, kPlot = 480, kCharacter = 7, kNumber = 80;
/// Longer names are cut; the whole one shows under the pointer.
static constexpr size_t kLongest = 60;

/// For XML: what has a meaning there is escaped, what it does not allow is left out.
static std::string escaped(llvm::StringRef text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '<': result += "&lt;"; break;
    case '>': result += "&gt;"; break;
    case '&': result += "&amp;"; break;
    case '"': result += "&quot;"; break;
    default:
      if (static_cast<unsigned char>(c) >= 0x20)
        result += c;
    }
  return result;
}

static bool startsCharacter(char c) { return (c & 0xC0) != 0x80; }
static size_t lengthOf(llvm::StringRef text) { return size_t(llvm::count_if(text, startsCharacter)); }

/// At most kLongest characters of UTF-8: the end of a name tells more than its beginning.
static std::string cut(llvm::StringRef text) {
  size_t length = lengthOf(text);
  if (length <= kLongest)
    return text.str();
  size_t at = 0;
  for (size_t drop = length - kLongest + 1; at < text.size(); ++at)
    if (startsCharacter(text[at]) && drop-- == 0)
      break;
  return "\xE2\x80\xA6" + text.substr(at).str();
}

std::string optc::layerSvg(const std::vector<LayerError> &worstFirst) {
  std::vector<LayerError> errors = worstFirst;
  std::sort(errors.begin(), errors.end(), [](const LayerError &a, const LayerError &b) { return a.position < b.position; });
  size_t longest = 0;
  double largest = 0;
  for (const LayerError &e : errors) {
    longest = std::max(longest, lengthOf(cut(e.node)));
    if (std::isfinite(e.relative))
      largest = std::max(largest, e.relative);
  }
  int left = int(longest) * kCharacter + 16, width = left + kPlot + kNumber, height = kHead + int(errors.size()) * kRow + 8;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height << "\" viewBox=\"0 0 " << width << " "
     << height << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
     << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
     << "<text x=\"8\" y=\"18\" font-size=\"14\">Error of each node in 8 bits against f32, in the model's order</text>\n";
  const char *colours[] = {"#9aa5b1", "#d1495b"}, *names[] = {"f32: what came before", "int8"};
  for (int lowered : {1, 0}) {
    int x = 8 + (1 - lowered) * 70;
    os << "<rect x=\"" << x << "\" y=\"30\" width=\"12\" height=\"12\" fill=\"" << colours[lowered] << "\"/><text x=\"" << x + 17
       << "\" y=\"40\">" << names[lowered] << "</text>\n";
  }
  for (size_t i = 0; i < errors.size(); ++i) {
    const LayerError &e = errors[i];
    int y = kHead + int(i) * kRow;
    double bar = !std::isfinite(e.relative) ? kPlot : largest > 0 ? e.relative / largest * kPlot : 0;
    os << "<g><title>" << escaped(e.node) << "</title><text x=\"" << left - 6 << "\" y=\"" << y + 10 << "\" text-anchor=\"end\">"
       << escaped(cut(e.node)) << "</text><rect x=\"" << left << "\" y=\"" << y << "\" width=\"" << llvm::format("%.1f", bar)
       << "\" height=\"" << kBar << "\" fill=\"" << colours[e.lowered] << "\"/><text x=\"" << llvm::format("%.1f", left + bar + 5)
       << "\" y=\"" << y + 10 << "\">" << llvm::format("%.3g%%", e.relative * 100) << "</text></g>\n";
  }
  os << "</svg>\n";
  return text;
}
