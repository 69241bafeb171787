// Runs CUDA kernels on the CPU, one block after the other, so that tests can check their
// arithmetic and indices where there is no GPU. Included before a .cu file, in place of launch.h.
//
// The threads of a block are fibers that change places at __syncthreads(). Nothing of a GPU's
// timing or memory model is emulated: a missing barrier can go unnoticed.
#pragma once
#define STYLEGAN2_ADA_LAUNCH_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <vector>

// Short, so that tests reach what longer tensors than a launch can index need.
#define STYLEGAN2_ADA_LONGEST (1 << 14)

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __shared__ static  // one block at a time
#define __launch_bounds__(...)

namespace emulated {

inline dim3 grid, block, block_index, thread_index;

// What the last launch was, for tests of the choice between kernels: the type of its argument, and
// how many of its loads were 16 bytes wide.
inline const char *argument = "";
inline int64_t wide_loads = 0;

class Block {
 public:
  // Runs body once for each of `threads` threads.
  static void run(unsigned threads, const std::function<void()> &body) {
    Block &self = instance();
    self.body_ = &body;
    self.fibers_.resize(threads);
    for (Fiber &fiber : self.fibers_) self.start(fiber);
    for (unsigned live = threads; live > 0;) {
      unsigned waiting = 0;
      for (unsigned i = 0; i < threads; ++i) waiting += self.resume(i);
      if (waiting != 0 && waiting != live) std::abort();  // a barrier that some never reach
      live = waiting;
    }
  }

  static void barrier() {
    Block &self = instance();
    swapcontext(&self.fibers_[self.current_].context, &self.scheduler_);
  }

 private:
  struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(64 * 1024);
    bool done;
  };

  static Block &instance() {
    static Block block;
    return block;
  }

  void start(Fiber &fiber) {
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack = {fiber.stack.data(), 0, fiber.stack.size()};
    fiber.context.uc_link = &scheduler_;
    makecontext(&fiber.context, [] {
      Block &self = instance();
      (*self.body_)();
      self.fibers_[self.current_].done = true;
    }, 0);
  }

  // Runs a thread up to its next barrier or its end; whether it waits at a barrier.
  bool resume(unsigned i) {
    if (fibers_[i].done) return false;
    current_ = i;
    thread_index = dim3(i, 0, 0);
    swapcontext(&scheduler_, &fibers_[i].context);
    return !fibers_[i].done;
  }

  const std::function<void()> *body_ = nullptr;
  std::vector<Fiber> fibers_;
  ucontext_t scheduler_;
  unsigned current_ = 0;
};

}  // namespace emulated

#define gridDim emulated::grid
#define blockDim emulated::block
#define blockIdx emulated::block_index
#define threadIdx emulated::thread_index
#define __syncthreads() emulated::Block::barrier()

template <class T>
T __ldg(const T *from) {
  if (reinterpret_cast<uintptr_t>(from) % alignof(T) != 0) std::abort();  // as a GPU would
  emulated::wide_loads += sizeof(T) == 16;
  return *from;
}

// All threads of the block must come here, not those of the warp alone.
template <class T>
T __shfl_xor_sync(unsigned, T value, unsigned mask) {
  static T values[1024];
  values[threadIdx.x] = value;
  __syncthreads();
  const T other = values[threadIdx.x ^ mask];
  __syncthreads();
  return other;
}

inline unsigned __umulhi(unsigned a, unsigned b) { return uint64_t(a) * b >> 32; }

namespace stylegan2_ada {

template <class Argument>
cudaError_t launch(void (*kernel)(Argument), int64_t blocks, unsigned threads, cudaStream_t,
                   Argument argument) {
  emulated::argument = __PRETTY_FUNCTION__;
  emulated::wide_loads = 0;
  emulated::grid = dim3(blocks);
  emulated::block = dim3(threads);
  for (int64_t i = 0; i < blocks; ++i) {
    emulated::block_index = dim3(i);
    emulated::Block::run(threads, [&] { kernel(argument); });
  }
  return cudaSuccess;
}

}  // namespace stylegan2_ada
