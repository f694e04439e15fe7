//===- Bench.cpp - Latency, throughput, memory ----------------------------===//
//
// Runs one after the other, each timed by itself, after a warm-up that fills caches, faults pages in and
// lets the clock settle. The samples' memory is reserved before.
//
//===----------------------------------------------------------------------===//

#include "tools/optc-run/Bench.h"
#include "tools/optc-run/Profile.h"
#include "tools/optc-run/Table.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace optc;

Samples::Samples(std::vector<double> times) : sorted(std::move(times)) {
  std::sort(sorted.begin(), sorted.end());
  for (double t : sorted)
    total += t;
}

double Samples::percentile(double q) const {
  size_t rank = size_t(std::ceil(q * double(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

double optc::peakResidentMegabytes() {
  // Not getrusage: its maximum also counts the process that started this one, from before exec.
  double kilobytes = 0;
  if (FILE *file = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, file))
      if (std::sscanf(line, "VmHWM: %lf", &kilobytes) == 1)
        break;
    std::fclose(file);
  }
  return kilobytes / 1024;
}

void optc::warn(const Options &options, const std::string &warning) {
  if (!warning.empty())
    std::fprintf(stderr, "%s: warning: %s\n", options.model.c_str(), warning.c_str());
}

static Error measure(Runner &runner, double seconds, std::vector<double> &times) {
  double warmUp = std::min(500.0, seconds * 200);
  Clock::time_point start = Clock::now();
  do {
    if (Error error = runner.run())
      return error;
  } while (millisecondsSince(start) < warmUp);
  // Capacity that is not touched takes no memory.
  times.reserve(size_t(1) << 24);
  start = Clock::now();
  do {
    Clock::time_point before = Clock::now();
    if (Error error = runner.run())
      return error;
    times.push_back(millisecondsSince(before));
  } while ((millisecondsSince(start) < seconds * 1e3 || times.size() < 3) && times.size() < times.capacity());
  return Error::success();
}

/// Of a few runs more, whose steps are timed.
static Error measureBesideKernels(Runner &runner, BesideKernels &beside) {
  constexpr int kRuns = 10;
  runner.session().profile(true);
  for (int i = 0; i < kRuns; ++i)
    if (Error error = runner.run())
      return error;
  beside = besideKernels(runner.loaded().plan(), runner.session().times());
  return Error::success();
}

Error optc::runBench(const Options &options) {
  Runner runner;
  std::string warning;
  if (Error error = runner.load(options.model))
    return error;
  if (Error error = runner.prepare(options, warning))
    return error;
  warn(options, warning);
  std::vector<double> times;
  if (Error error = measure(runner, options.seconds, times))
    return error;
  double rss = peakResidentMegabytes();
  Samples samples(std::move(times));
  double mean = samples.mean(), perSecond = 1e3 / mean;
  uint64_t arena = runner.session().arenaBytes(), weights = runner.loaded().program().weightBytes;
  const bool usesGpu = !runner.loaded().plan().images.empty();
  BesideKernels beside;
  if (usesGpu)
    if (Error error = measureBesideKernels(runner, beside))
      return error;
  double cost = options.pricePerHour.value_or(0) / 3600 * mean; // mean ms a run = mean s a thousand

  if (options.json) {
    nlohmann::ordered_json line{{"p50_ms", samples.percentile(0.5)},
                                {"p95_ms", samples.percentile(0.95)},
                                {"p99_ms", samples.percentile(0.99)},
                                {"mean_ms", mean},
                                {"n", samples.sorted.size()},
                                {"throughput_per_s", perSecond},
                                {"load_ms", runner.loadMilliseconds()},
                                {"peak_rss_mb", rss},
                                {"arena_bytes", arena},
                                {"weight_bytes", weights},
                                {"threads", options.threads}};
    if (usesGpu) {
      line["port_copy_us"] = beside.ports;
      line["fallback_us"] = beside.fallbacks;
      line["fallback_copy_us"] = beside.fallbackCopies;
    }
    if (options.pricePerHour)
      line["cost_per_1000_runs"] = cost;
    std::printf("%s\n", line.dump().c_str());
    return Error::success();
  }
  std::printf("latency     p50 %.3f ms   p95 %.3f ms   p99 %.3f ms   mean %.3f ms\n", samples.percentile(0.5),
              samples.percentile(0.95), samples.percentile(0.99), mean);
  std::printf("throughput  %.4g runs/s (%zu runs, %u thread%s)\n", perSecond, samples.sorted.size(),
              options.threads, options.threads == 1 ? "" : "s");
  std::printf("memory      arena %s, weights %s, peak RSS %.1f MiB\n", bytesText(double(arena)).c_str(),
              bytesText(double(weights)).c_str(), rss);
  std::printf("load        %.2f ms\n", runner.loadMilliseconds());
  if (usesGpu)
    std::printf("host        %s\n", beside.text().c_str());
  if (options.pricePerHour)
    std::printf("cost        %.4g per 1,000 runs\n", cost);
  return Error::success();
}
