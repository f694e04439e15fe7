//===- ThreadPool.cpp - Fork-join over tiles ------------------------------===//

#include "runtime/ThreadPool.h"
#include <algorithm>
#include <cstdio>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <system_error>

using namespace optc;

namespace {

constexpr int kSpins = 2000;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Workers do not survive fork(): a child gets a new pool. The parent's threads are not there to be joined,
/// so its copy of the old pool is left alone.
struct PoolOwner {
  ThreadPool *pool = new ThreadPool;
  PoolOwner();
  ~PoolOwner() { delete pool; }
};
PoolOwner &poolOwner() {
  static PoolOwner owner;
  return owner;
}
PoolOwner::PoolOwner() {
  pthread_atfork(nullptr, nullptr, [] { poolOwner().pool = new ThreadPool; });
}

/// quota / period of a cgroup, rounded up; `cores` when there is no limit.
unsigned limitedBy(long long quota, long long period, unsigned cores) {
  return quota > 0 && period > 0
             ? std::min<unsigned>(cores, unsigned(std::max(1LL, (quota + period - 1) / period)))
             : cores;
}

bool readNumber(const std::string &path, long long &value) {
  FILE *file = std::fopen(path.c_str(), "r");
  bool found = file && std::fscanf(file, "%lld", &value) == 1;
  if (file)
    std::fclose(file);
  return found;
}

/// The quotas of this process's cgroup (version 2) and of those around it.
unsigned limitedByCgroup(unsigned cores) {
  std::string path;
  if (FILE *file = std::fopen("/proc/self/cgroup", "r")) {
    char line[4096];
    while (std::fgets(line, sizeof line, file))
      if (std::string text = line; text.rfind("0::", 0) == 0)
        path = text.substr(3, text.find('\n') - 3);
    std::fclose(file);
  }
  for (;;) {
    while (!path.empty() && path.back() == '/')
      path.pop_back();
    if (FILE *file = std::fopen(("/sys/fs/cgroup" + path + "/cpu.max").c_str(), "r")) {
      long long quota, period;
      if (std::fscanf(file, "%lld %lld", &quota, &period) == 2)
        cores = limitedBy(quota, period, cores);
      std::fclose(file);
    }
    if (path.empty())
      break;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  long long quota, period; // version 1
  if (readNumber("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota) &&
      readNumber("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period))
    cores = limitedBy(quota, period, cores);
  return cores;
}

} // namespace

ThreadPool &ThreadPool::process() { return *poolOwner().pool; }

unsigned ThreadPool::availableCores() {
  cpu_set_t set;
  unsigned cores = sched_getaffinity(0, sizeof set, &set) == 0 ? unsigned(CPU_COUNT(&set)) : 1;
  return std::clamp(limitedByCgroup(cores), 1u, kMaxThreads);
}

unsigned ThreadPool::ensure(unsigned threads) {
  try {
    while (workers.size() + 1 < threads) {
      unsigned id = unsigned(workers.size()) + 1;
      workers.emplace_back([this, id] { work(id); });
    }
  } catch (const std::system_error &) { // no more threads to be had
  }
  return std::min(threads, unsigned(workers.size()) + 1);
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
  uint64_t seen = 0;
  for (;;) {
    uint64_t now = loop.load(std::memory_order_acquire);
    for (int spin = 0; now == seen && spin < kSpins; ++spin) {
      relax();
      now = loop.load(std::memory_order_acquire);
    }
    if (now == seen) {
      std::unique_lock lock(sleepMutex);
      sleeping.fetch_add(1);
      wake.wait(lock, [&] { return loop.load() != seen || stopping.load(); });
      sleeping.fetch_sub(1);
      now = loop.load(std::memory_order_acquire);
    }
    if (stopping.load())
      return;
    seen = now;
    // A worker that the loop does not want only notes its number. One that it wants cannot miss it: the
    // caller waits.
    if (worker >= uint32_t(now))
      continue;
    drain(worker);
    active.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::forEach(unsigned threads, int64_t n, int64_t grain, Body f, void *ctx) {
  if (n <= 0)
    return;
  grain = std::max<int64_t>(grain, 1);
  threads = unsigned(std::min<int64_t>(std::min(threads, kMaxThreads), (n - 1) / grain + 1));
  if (threads <= 1 || !busy.try_lock())
    return f(ctx, 0, 0, n);
  std::lock_guard release(busy, std::adopt_lock);
  threads = ensure(threads);
  if (threads <= 1)
    return f(ctx, 0, 0, n);
  count = n;
  // Several chunks a thread: a slow core must not hold the loop up.
  chunk = std::max<int64_t>(grain, (n - 1) / (threads * 4) + 1);
  body = f;
  context = ctx;
  next.store(0, std::memory_order_relaxed);
  active.store(threads - 1, std::memory_order_relaxed);
  loop.store(((loop.load(std::memory_order_relaxed) >> 32) + 1) << 32 | threads);
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
    loop.fetch_add(uint64_t(1) << 32);
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}
