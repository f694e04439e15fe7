//===- Observer.cpp - A tensor's range out of samples ---------------------===//

#include "tools/compiler/Observer.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace optc;

static constexpr const char *kNames[] = {"minmax", "percentile", "entropy", "mse"};
static constexpr int kCodes = 256;

std::optional<CalibrationMethod> optc::parseCalibrationMethod(std::string_view name) {
  for (int i = 0; i < 4; ++i)
    if (name == kNames[i])
      return CalibrationMethod(i);
  return std::nullopt;
}
const char *optc::nameOf(CalibrationMethod method) { return kNames[int(method)]; }

bool Observer::observe(const float *values, int64_t count) {
  float least = 0, most = 0;
  bool finite = true;
  for (int64_t i = 0; i < count; ++i) {
    least = std::min(least, values[i]);
    most = std::max(most, values[i]);
    finite &= std::isfinite(values[i]);
  }
  low = std::min(low, double(least));
  high = std::max(high, double(most));
  return finite;
}

void Observer::observeAgain(const float *values, int64_t count) {
  bins.resize(kBins);
  if (high == low)
    return;
  double factor = 1 / binWidth();
  for (int64_t i = 0; i < count; ++i) {
    // Zero has a code of its own and costs no error: a spike of zeros must not decide anything.
    if (values[i] == 0) {
      ++zeros;
      continue;
    }
    int bin = int((values[i] - low) * factor);
    ++bins[std::clamp(bin, 0, kBins - 1)];
  }
}

Observer::Bounds Observer::range() const {
  if (bins.empty() || high == low)
    return {low, high};
  switch (method) {
  case CalibrationMethod::minmax: return {low, high};
  case CalibrationMethod::percentile: return percentile(0.0001);
  case CalibrationMethod::entropy: return search([&](int begin, int end) { return divergence(begin, end); });
  case CalibrationMethod::mse: return search([&](int begin, int end) { return squaredError(begin, end); });
  }
  return {low, high};
}

Observer::Bounds Observer::percentile(double outside) const {
  int64_t total = zeros;
  for (int64_t n : bins)
    total += n;
  int64_t most = int64_t(double(total) * outside / 2);
  int begin = 0, end = kBins, zero = zeroBin();
  for (int64_t cut = bins[begin]; cut <= most && begin < zero; cut += bins[begin])
    ++begin;
  for (int64_t cut = bins[end - 1]; cut <= most && end - 1 > zero; cut += bins[end - 1])
    --end;
  return bounds(begin, end);
}

int Observer::zeroBin() const { return std::clamp(int(std::floor(-low / binWidth())), 0, kBins - 1); }

Observer::Bounds Observer::bounds(int begin, int end) const {
  return {begin == 0 ? low : std::min(low + begin * binWidth(), 0.0), end == kBins ? high : std::max(low + end * binWidth(), 0.0)};
}

template <typename Cost> Observer::Bounds Observer::search(Cost cost) const {
  int begin = 0, end = kBins, zero = zeroBin();
  double best = cost(begin, end);
  // Each end in turn while the other stays: the cost is smooth in both, and two rounds settle it.
  constexpr int kStep = kBins / 128;
  for (int round = 0; round < 2; ++round) {
    int bestEnd = end, bestBegin = begin;
    for (int e = kBins; e >= std::max({zero + 1, begin + kCodes, kStep}); e -= kStep)
      if (double c = cost(begin, e); c < best)
        best = c, bestEnd = e;
    end = bestEnd;
    for (int b = 0; b <= std::min(zero, end - kCodes); b += kStep)
      if (double c = cost(b, end); c < best)
        best = c, bestBegin = b;
    begin = bestBegin;
  }
  return bounds(begin, end);
}

double Observer::divergence(int begin, int end) const {
  // P: the histogram with what is clipped at its ends. Q: the same without it, a level's elements spread evenly over the
  // level's bins that hold any.
  int n = end - begin;
  std::vector<double> p(bins.begin() + begin, bins.begin() + end), q(n, 0.0);
  for (int i = 0; i < kCodes; ++i) {
    int first = begin + int(int64_t(i) * n / kCodes), last = begin + int(int64_t(i + 1) * n / kCodes);
    double sum = 0;
    int used = 0;
    for (int b = first; b < last; ++b)
      sum += double(bins[b]), used += bins[b] != 0;
    for (int b = first; b < last; ++b)
      if (bins[b] != 0)
        q[b - begin] = sum / used;
  }
  for (int b = 0; b < begin; ++b)
    p.front() += double(bins[b]);
  for (int b = end; b < kBins; ++b)
    p.back() += double(bins[b]);
  double sumP = 0, sumQ = 0;
  for (int i = 0; i < n; ++i)
    sumP += p[i], sumQ += q[i];
  if (sumQ == 0)
    return std::numeric_limits<double>::infinity();
  constexpr double kAbsent = 1e-7; // an element that Q has not at all
  double sum = 0;
  for (int i = 0; i < n; ++i)
    if (p[i] > 0)
      sum += p[i] / sumP * std::log(p[i] / sumP / std::max(q[i] / sumQ, kAbsent));
  return sum;
}

double Observer::squaredError(int begin, int end) const {
  double width = binWidth(), step = (end - begin) * width / (kCodes - 1);
  double inside = 0, clipped = 0;
  for (int b = begin; b < end; ++b)
    inside += double(bins[b]);
  for (int b = 0; b < begin; ++b)
    clipped += double(bins[b]) * std::pow((begin - b - 0.5) * width, 2);
  for (int b = end; b < kBins; ++b)
    clipped += double(bins[b]) * std::pow((b - end + 0.5) * width, 2);
  return clipped + inside * step * step / 12;
}
