//===- async.cuh - Copies and barriers that run by themselves ---*- CUDA -*-===//
//
// What a block does beside its arithmetic: barriers in shared memory that count arrivals and bytes (mbarrier), tiles of
// tensors copied by the tensor memory accelerator, copies of a few bytes (cp.async), registers handed from warps that copy to
// warps that multiply, sums handed from blocks to the one that comes last. Follows device.cuh. Source: PTX ISA, "Parallel Synchronization and Communication Instructions",
// "Data Movement and Conversion Instructions: Asynchronous copy", "Memory Consistency Model".
//
//===----------------------------------------------------------------------===//

/// How a tensor lies in memory and which box of it is copied at a time; made by the host, passed by value as a
/// __grid_constant__ parameter. Copied boxes of 128-byte rows lie swizzled: 16-byte piece c of row r is at c ^ r % 8.
struct alignas(128) TensorMap {
  u64 words[16];
};

/// Where the memory that is given at launch begins.
constexpr int kSharedAlignment = 1024;

#ifndef OPTC_EMULATED
__device__ inline u32 shared_address(const void *p) { return u32(__cvta_generic_to_shared(p)); }

//===-- Barriers ----------------------------------------------------------===//

/// Phases are counted from 0; a wait for parity p returns once a phase of that parity has ended. One that has just been
/// made lets waits for parity 1 pass.
struct Barrier {
  u64 state;
};
__device__ inline void barrier_init(Barrier *b, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(shared_address(b)), "r"(arrivals) : "memory");
}
/// Makes new barriers known to the copies.
__device__ inline void barrier_init_done() {
  asm volatile("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;" ::: "memory");
}
__device__ inline void barrier_arrive(Barrier *b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(shared_address(b)) : "memory");
}
/// Arrives, and so many bytes are still to come before the phase ends.
__device__ inline void barrier_expect(Barrier *b, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(shared_address(b)), "r"(bytes) : "memory");
}
__device__ inline void barrier_wait(Barrier *b, u32 parity) {
  u32 done;
  do
    asm volatile("{\n.reg .pred p;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                 "selp.u32 %0, 1, 0, p;\n}"
                 : "=r"(done) : "r"(shared_address(b)), "r"(parity) : "memory");
  while (!done);
}
//===-- Copies of boxes (one thread asks for each) ------------------------===//

__device__ inline void prefetch_map(const TensorMap *map) {
  asm volatile("prefetch.tensormap [%0];" :: "l"(map) : "memory");
}
/// The box whose first element is (x, y, z), x innermost, to shared memory; its bytes arrive at the barrier. What lies
/// outside of the tensor is zero and counts.
__device__ inline void copy_box(void *to, const TensorMap *map, int x, int y, int z, Barrier *arrived) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4, %5}], [%2];"
               :: "r"(shared_address(to)), "l"(map), "r"(shared_address(arrived)), "r"(x), "r"(y), "r"(z) : "memory");
}
/// Of a tensor of four dims.
__device__ inline void copy_box(void *to, const TensorMap *map, int x, int y, int z, int w, Barrier *arrived) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4, %5, %6}], [%2];"
               :: "r"(shared_address(to)), "l"(map), "r"(shared_address(arrived)), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}

//===-- Copies of 4, 8 or 16 bytes (each thread) --------------------------===//

/// Zeros where the source is not `valid`.
template <int kBytes> __device__ inline void copy_bytes(void *to, const void *from, bool valid) {
  if constexpr (kBytes == 16) // past the first-level cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;"
                 :: "r"(shared_address(to)), "l"(from), "r"(valid ? kBytes : 0), "n"(kBytes) : "memory");
}
/// Ends a group of this thread's copies; waits until only the newest `kGroups` groups may be under way.
__device__ inline void end_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroups> __device__ inline void wait_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(kGroups) : "memory"); }

/// What this thread has copied, or stored, in shared memory is what products of warpgroups read from now on.
__device__ inline void publish_copies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

//===-- Registers of warpgroups -------------------------------------------===//

/// All threads of a warpgroup: from here on it has so many registers a thread.
template <int kCount> __device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(kCount));
}
template <int kCount> __device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(kCount));
}
__device__ inline void warp_barrier() { __syncwarp(); }

//===-- Warps of several blocks -------------------------------------------===//

/// 16 bytes for a warp that arrives later.
__device__ inline void hand_over(void *p, const void *value) { store_16_bytes(p, value); }
/// Of `count` warps, all of whose threads call it, true for the one that comes last: it sees what the others handed over. The counter is as before then.
__device__ inline bool arrives_last(int *counter, int count) {
  int before = 0;
  if (threadIdx.x % 32 == 0)
    asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;" : "=r"(before) : "l"(__cvta_generic_to_global(counter)), "r"(count - 1) : "memory");
  before = __shfl_sync(~0u, before, 0);
  __syncwarp();
  return before == count - 1;
}
#endif

/// Steps of a block whose bytes its threads copy ahead: start(step) begins the copies of a step to stage step % kStages, use(step) reads them.
template <int kStages, typename Start, typename Use> __device__ inline void run_steps(int begin, int end, const Start &start, const Use &use) {
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (begin + s < end)
      start(begin + s);
    end_copies();
  }
  for (int step = begin; step < end; ++step) {
    wait_copies<kStages - 2>();
    __syncthreads(); // the stage's bytes are there, and the one before has been read
    if (step + kStages - 1 < end)
      start(step + kStages - 1);
    end_copies();
    use(step);
  }
  wait_copies<0>();
  __syncthreads();
}

//===-- Tiles of rows of 128 bytes ----------------------------------------===//

/// Byte `byte` of a row: pieces of 16 are permuted by the row, as copies of boxes do and matrix instructions read them, so that 8 rows' same
/// pieces lie in different banks.
__device__ inline u8 *swizzled_at(u8 *tile, int row, int byte) { return tile + row * 128 + ((byte / 16 ^ row % 8) << 4) + byte % 16; }
__device__ inline const u8 *swizzled_at(const u8 *tile, int row, int byte) { return swizzled_at(const_cast<u8 *>(tile), row, byte); }

/// How threads share rows of 128 bytes: each has the same bytes of rows rowOf(0), rowOf(1), ...
template <int kPiece, int kThreads> struct RowShare {
  static constexpr int kWord = kPiece < 4 ? 4 : kPiece, kWords = 128 / kWord;
  static __device__ int rowOf(int i) { return i * (kThreads / kWords) + int(threadIdx.x) % kThreads / kWords; }
  static __device__ int byte() { return int(threadIdx.x) % kWords * kWord; }
};
