//===- ThreadPool.cpp - Fork-join over tiles ------------------------------===//

#include "runtime/ThreadPool.h"
#include <algorithm>
#include <cstdio>
#include <sched.h>

using namespace optc;

namespace {
constexpr int kSpins = 2000;
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}
} // namespace

ThreadPool &ThreadPool::process() {
  static ThreadPool pool;
  return pool;
}

unsigned ThreadPool::availableCores() {
  cpu_set_t set;
  unsigned cores = sched_getaffinity(0, sizeof set, &set) == 0 ? unsigned(CPU_COUNT(&set)) : 1;
  if (FILE *file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    long long quota, period;
    if (std::fscanf(file, "%lld %lld", &quota, &period) == 2 && period > 0 && quota > 0)
      cores = std::min(cores, unsigned(std::max(1LL, (quota + period - 1) / period)));
    std::fclose(file);
  }
  return std::clamp(cores, 1u, kMaxThreads);
}

void ThreadPool::ensure(unsigned wantedWorkers) {
  while (workers.size() + 1 < wantedWorkers) {
    unsigned id = unsigned(workers.size()) + 1;
    workers.emplace_back([this, id] { work(id); });
  }
}

void ThreadPool::drain(unsigned worker) {
  for (;;) {
    int64_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
    if (begin >= count)
      return;
    body(context, worker, begin, std::min(count, begin + chunk));
  }
}

void ThreadPool::work(unsigned worker) {
  uint32_t seen = 0;
  for (;;) {
    uint32_t now = generation.load(std::memory_order_acquire);
    for (int spin = 0; now == seen && spin < kSpins; ++spin) {
      relax();
      now = generation.load(std::memory_order_acquire);
    }
    if (now == seen) {
      std::unique_lock lock(sleepMutex);
      sleeping.fetch_add(1);
      wake.wait(lock, [&] { return generation.load() != seen || stopping.load(); });
      sleeping.fetch_sub(1);
      now = generation.load(std::memory_order_acquire);
    }
    if (stopping.load())
      return;
    seen = now;
    // A worker that the loop does not want only notes its generation.
    if (worker >= wanted.load(std::memory_order_acquire))
      continue;
    drain(worker);
    active.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::forEach(unsigned threads, int64_t n, int64_t grain, Body f, void *ctx) {
  if (n <= 0)
    return;
  threads = std::min<int64_t>(std::min(threads, kMaxThreads), (n + grain - 1) / grain);
  if (threads <= 1 || !busy.try_lock())
    return f(ctx, 0, 0, n);
  std::lock_guard release(busy, std::adopt_lock);
  ensure(threads);
  count = n;
  // Several chunks a thread: a slow core must not hold the loop up.
  chunk = std::max<int64_t>(grain, (n + threads * 4 - 1) / (threads * 4));
  body = f;
  context = ctx;
  next.store(0, std::memory_order_relaxed);
  active.store(threads - 1, std::memory_order_relaxed);
  wanted.store(threads, std::memory_order_release);
  generation.fetch_add(1);
  if (sleeping.load()) {
    std::lock_guard lock(sleepMutex);
    wake.notify_all();
  }
  drain(0);
  for (int spin = 0; active.load(std::memory_order_acquire) != 0; ++spin)
    if (spin < kSpins)
      relax();
    else
      sched_yield();
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(sleepMutex);
    stopping.store(true);
    generation.fetch_add(1);
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}
