// Pad, upsample, FIR-filter and downsample in one pass over memory: the choice of a kernel, and
// the one for any geometry.
#include <limits>

#include "filters.h"

namespace stylegan2_ada {
namespace {

// As Divider, for 64-bit numbers.
struct WideDivider {
  int64_t divisor = 1;
  explicit WideDivider(int64_t by = 1) : divisor(by) {}
  __device__ int64_t divide(int64_t n) const { return n / divisor; }
  __device__ int64_t split(int64_t &n) const {
    const int64_t rest = n % divisor;
    n /= divisor;
    return rest;
  }
};

// Index is 32 bits wide where that is enough: 64-bit divisions cost more than the filter.
template <class Index>
struct AnyWork {
  using By = std::conditional_t<sizeof(Index) == 4, Divider, WideDivider>;
  Upfirdn2d task;
  Index count;  // packs of the output
  By lanes, width, height, up[2];
};

// First input position at or after `base` (in upsampled pixels), and within the image.
template <class Index>
__device__ int first_input(const AnyWork<Index> &work, int axis, int base) {
  return base <= 0 ? 0 : int(work.up[axis].divide(Index(base + work.task.up[axis] - 1)));
}

__device__ inline int tap(const Upfirdn2d &task, int axis, int k) {
  return task.convolve ? task.taps_size[axis] - 1 - k : k;
}

// One output a thread, or a pack of them along the inner dimension.
template <class T, class Index, int Width>
__global__ void __launch_bounds__(kThreads) any_geometry(AnyWork<Index> work) {
  using S = compute_t<T>;
  const Upfirdn2d &task = work.task;
  const Index at = Index(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= work.count) return;
  Index rest = at;
  const Index lane = work.lanes.split(rest) * Width;
  const int base_x = int(work.width.split(rest)) * task.down[1] - task.lead[1];
  const int base_y = int(work.height.split(rest)) * task.down[0] - task.lead[0];
  const T *x = static_cast<const T *>(task.x) + lane;
  const int64_t plane = int64_t(rest) * task.in_size[0];
  S sum[Width] = {};
  for (int y = first_input(work, 0, base_y); y < task.in_size[0]; ++y) {
    const int ky = y * task.up[0] - base_y;
    if (ky >= task.taps_size[0]) break;
    const float *row = task.taps + tap(task, 0, ky) * task.taps_size[1];
    const int64_t line = (plane + y) * task.in_size[1];
    for (int c = first_input(work, 1, base_x); c < task.in_size[1]; ++c) {
      const int kx = c * task.up[1] - base_x;
      if (kx >= task.taps_size[1]) break;
      S in[Width];
      unpack<T>(load<Width>(x + (line + c) * task.inner), in);
      const S weight = S(row[tap(task, 1, kx)]);
#pragma unroll
      for (int v = 0; v < Width; ++v) sum[v] += weight * in[v];
    }
  }
#pragma unroll
  for (int v = 0; v < Width; ++v) sum[v] *= S(task.gain);
  store(static_cast<T *>(task.y) + int64_t(at) * Width, sum);
}

template <class T, class Index, int Width>
cudaError_t launch_any(const Upfirdn2d &task, int64_t count, cudaStream_t stream) {
  using By = typename AnyWork<Index>::By;
  const AnyWork<Index> work{task,
                            Index(count / Width),
                            By(Index(task.inner / Width)),
                            By(Index(task.out_size[1])),
                            By(Index(task.out_size[0])),
                            {By(Index(task.up[0])), By(Index(task.up[1]))}};
  const int64_t blocks = ceil_div(count / Width, kThreads);
  return launch(any_geometry<T, Index, Width>, blocks, kThreads, stream, work);
}

template <class T>
cudaError_t with_width(const Upfirdn2d &task, cudaStream_t stream) {
  const int64_t count = task.outer * task.out_size[0] * task.out_size[1] * task.inner;
  if (count > kLongest) return launch_any<T, int64_t, 1>(task, count, stream);
  if (task.inner % kWide<T> == 0 && aligned(task.x) && aligned(task.y))
    return launch_any<T, uint32_t, kWide<T>>(task, count, stream);
  return launch_any<T, uint32_t, 1>(task, count, stream);
}

bool idle(const Upfirdn2d &task, int axis) {
  return task.taps_size[axis] == 1 && task.up[axis] == 1 && task.down[axis] == 1 &&
         task.lead[axis] == 0 && task.in_size[axis] == task.out_size[axis];
}

// The same task, with an axis that is not filtered joined to a neighbour in memory, and a filter of
// one axis along the first of them where there is more than one number a pixel.
Upfirdn2d simplified(Upfirdn2d task) {
  if (idle(task, 1)) {
    task.inner *= task.in_size[1];
    task.in_size[1] = task.out_size[1] = 1;
  } else if (idle(task, 0)) {
    task.outer *= task.in_size[0];
    task.in_size[0] = task.out_size[0] = 1;
    if (task.inner > 1)
      for (int *pair : {task.in_size, task.out_size, task.taps_size, task.up, task.down, task.lead})
        std::swap(pair[0], pair[1]);
  }
  return task;
}

}  // namespace

cudaError_t upfirdn2d(const Upfirdn2d &original, cudaStream_t stream) {
  const Upfirdn2d task = simplified(original);
  cudaError_t error = cudaSuccess;
  if (fir_tiles(task, stream, error) || fir_packs(task, stream, error)) return error;
  return with_type(task.dtype, [&](auto tag) {
    return with_width<typename decltype(tag)::type>(task, stream);
  });
}

}  // namespace stylegan2_ada
