//===- ThreadPool.h - Fork-join over tiles ----------------------*- C++ -*-===//
//
// The one thread pool of the process. A run hands out [0, count) in chunks from a shared counter,
// so a core that another process holds delays only its own chunk. Workers spin briefly between
// loops, then sleep. A child made by fork() gets a pool of its own.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_THREADPOOL_H
#define OPTC_RUNTIME_THREADPOOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace optc {

class ThreadPool {
public:
  /// The process's pool.
  static ThreadPool &process();
  /// Cores that affinity and the cgroup's quota leave to this process.
  static unsigned availableCores();
  /// Greatest number of workers that forEach may use, the caller included.
  static constexpr unsigned kMaxThreads = 256;

  using Body = void (*)(void *context, unsigned worker, int64_t begin, int64_t end);
  /// Calls body over [0, count) in chunks of at least `grain` on up to `threads` threads; the caller is worker 0.
  /// When the pool is busy with another caller's loop, the caller does the work alone.
  void forEach(unsigned threads, int64_t count, int64_t grain, Body body, void *context);

  ~ThreadPool();

private:
  /// Starts workers up to this many threads in all; fewer when the system refuses. Gives what there are.
  unsigned ensure(unsigned threads);
  void work(unsigned worker);
  void drain(unsigned worker);

  std::mutex busy;            // held by the caller whose loop runs
  std::mutex sleepMutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;
  /// The current loop: its number in the high half, the threads it wants in the low half. One word, so that a late
  /// worker cannot take one loop's number with another's threads.
  std::atomic<uint64_t> loop{0};
  std::atomic<uint32_t> sleeping{0};
  std::atomic<uint32_t> active{0};    // workers still inside the current loop
  std::atomic<int64_t> next{0};
  std::atomic<bool> stopping{false};
  // The current loop.
  int64_t count = 0, chunk = 1;
  Body body = nullptr;
  void *context = nullptr;
};

} // namespace optc

#endif // OPTC_RUNTIME_THREADPOOL_H
