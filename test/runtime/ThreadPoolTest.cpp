#include "runtime/ThreadPool.h"
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace optc;

namespace {

/// Counts how often each index is visited and by which workers.
struct Visits {
  std::vector<std::atomic<int>> counts;
  std::atomic<unsigned> highestWorker{0};
  explicit Visits(int64_t n) : counts(size_t(n)) {}
  static void body(void *context, unsigned worker, int64_t begin, int64_t end) {
    auto &visits = *static_cast<Visits *>(context);
    for (int64_t i = begin; i < end; ++i)
      visits.counts[size_t(i)].fetch_add(1, std::memory_order_relaxed);
    unsigned seen = visits.highestWorker.load();
    while (worker > seen && !visits.highestWorker.compare_exchange_weak(seen, worker)) {
    }
  }
  bool eachOnce() const {
    for (auto &c : counts)
      if (c.load() != 1)
        return false;
    return true;
  }
};

TEST(ThreadPool, EveryIndexOnce) {
  for (unsigned threads : {1u, 2u, 3u, 7u, 16u})
    for (int64_t n : {0, 1, 2, 3, 5, 16, 17, 1000, 4099})
      for (int64_t grain : {1, 4, 100}) {
        Visits visits(n);
        ThreadPool::process().forEach(threads, n, grain, Visits::body, &visits);
        EXPECT_TRUE(visits.eachOnce()) << threads << " threads, " << n << ", grain " << grain;
        EXPECT_LT(visits.highestWorker.load(), threads);
      }
}

// Loops of changing width follow each other at once: a worker that is late for one must not join the next as
// another.
TEST(ThreadPool, ChangingWidth) {
  for (int round = 0; round < 3000; ++round) {
    Visits visits(8);
    ThreadPool::process().forEach(2 + unsigned(round) % 7, 8, 1, Visits::body, &visits);
    ASSERT_TRUE(visits.eachOnce()) << round;
  }
}

TEST(ThreadPool, SleepingWorkersWake) {
  for (int round = 0; round < 20; ++round) {
    Visits visits(100);
    ThreadPool::process().forEach(4, 100, 1, Visits::body, &visits);
    ASSERT_TRUE(visits.eachOnce());
    usleep(2000); // long enough to fall asleep
  }
}

TEST(ThreadPool, SeveralCallersAtOnce) {
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&, c] {
      for (int round = 0; round < 500; ++round) {
        Visits visits(1 + (round + c) % 50);
        ThreadPool::process().forEach(3, int64_t(visits.counts.size()), 1, Visits::body, &visits);
        failures += !visits.eachOnce();
      }
    });
  for (std::thread &t : callers)
    t.join();
  EXPECT_EQ(failures.load(), 0);
}

TEST(ThreadPool, WorksInAForkedChild) {
  Visits warm(100);
  ThreadPool::process().forEach(4, 100, 1, Visits::body, &warm); // has workers now
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    Visits visits(100);
    ThreadPool::process().forEach(4, 100, 1, Visits::body, &visits);
    _exit(visits.eachOnce() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ThreadPool, APoolCanEnd) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool;
    Visits visits(10);
    pool.forEach(3, 10, 1, Visits::body, &visits);
    EXPECT_TRUE(visits.eachOnce());
  }
}

TEST(ThreadPool, CoresAreSensible) {
  EXPECT_GE(ThreadPool::availableCores(), 1u);
  EXPECT_LE(ThreadPool::availableCores(), ThreadPool::kMaxThreads);
}

} // namespace
