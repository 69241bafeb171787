// Pad, upsample, FIR-filter and downsample in one pass over memory.
//
// Two kernels: one for any geometry, one output a thread; and a tiled one that holds a block's
// part of the input in shared memory, for the filters that StyleGAN2-ADA uses all the time.
#include "device.h"

namespace stylegan2_ada {
namespace {

__host__ __device__ inline int floor_mod(int a, int b) { return (a % b + b) % b; }

// First input position at or after `base` (in upsampled pixels), and within the image.
__device__ inline int first_input(int base, int up) { return base <= 0 ? 0 : (base + up - 1) / up; }

__device__ inline int tap(const Upfirdn2d &task, int axis, int k) {
  return task.convolve ? task.taps_size[axis] - 1 - k : k;
}

// Index is 32 bits wide where that is enough: the divisions cost more than the filter.
template <class T, class Index>
__global__ void __launch_bounds__(kThreads) any_geometry(Upfirdn2d task) {
  using S = compute_t<T>;
  const T *x = static_cast<const T *>(task.x);
  const Index inner = Index(task.inner), width = task.out_size[1], height = task.out_size[0];
  const int64_t count = task.outer * height * width * inner;
  const int64_t stride = int64_t(gridDim.x) * kThreads;
  for (int64_t at = int64_t(blockIdx.x) * kThreads + threadIdx.x; at < count; at += stride) {
    const Index i = Index(at), lane = i % inner, pixel = i / inner;
    const int out_x = int(pixel % width), out_y = int(pixel / width % height);
    const int64_t plane = pixel / width / height;
    const int base_y = out_y * task.down[0] - task.lead[0];
    const int base_x = out_x * task.down[1] - task.lead[1];
    S sum = 0;
    for (int y = first_input(base_y, task.up[0]); y < task.in_size[0]; ++y) {
      const int ky = y * task.up[0] - base_y;
      if (ky >= task.taps_size[0]) break;
      const float *row = task.taps + tap(task, 0, ky) * task.taps_size[1];
      const int64_t line = (plane * task.in_size[0] + y) * task.in_size[1];
      for (int c = first_input(base_x, task.up[1]); c < task.in_size[1]; ++c) {
        const int kx = c * task.up[1] - base_x;
        if (kx >= task.taps_size[1]) break;
        sum += S(row[tap(task, 1, kx)]) * widen(x[(line + c) * inner + lane]);
      }
    }
    static_cast<T *>(task.y)[at] = narrow<T>(sum * S(task.gain));
  }
}

// A filter whose extent and rates are known when compiling. `up` divides the number of taps,
// so each output takes taps / up of them, and one of up and down is 1 on each axis.
template <int TapsY, int TapsX, int UpY, int UpX, int DownY, int DownX>
struct Filter {
  static constexpr int taps[2] = {TapsY, TapsX}, up[2] = {UpY, UpX}, down[2] = {DownY, DownX};
  static_assert(TapsY % UpY == 0 && TapsX % UpX == 0);
  static_assert((UpY == 1 || DownY == 1) && (UpX == 1 || DownX == 1));
};

// The outputs of a block: `planes` of the outer dimension, rows x columns, `lanes` of the inner.
// Each thread computes `Run` rows of one column, so that loaded inputs stay in registers.
template <int Planes, int Rows, int Columns, int Lanes, int Run>
struct Tile {
  static constexpr int planes = Planes, rows = Rows, columns = Columns, lanes = Lanes, run = Run;
  static_assert(Planes * Rows * Columns * Lanes == Run * kThreads && Run % 2 == 0);
};
using WideTile = Tile<1, 32, 32, 1, 4>;      // NCHW
using SmallTile = Tile<16, 8, 8, 1, 4>;      // NCHW, images below 16 pixels
using ChannelTile = Tile<1, 8, 8, 32, 8>;    // channels-last

// Inputs that `outputs` consecutive outputs read, the first of which sits on an input pixel.
__host__ __device__ constexpr int inputs(int outputs, int taps, int up, int down) {
  return ((outputs - 1) * down + up - 1) / up + taps / up;
}

// How tiles cover the output. They start where an output sits on an input pixel, up to up - 1
// outputs before the image's edge, so that each thread's taps are known when compiling.
template <class F, class B>
struct Tiling {
  int shift_y, shift_x;
  int64_t down, across, deep, count;

  __host__ __device__ explicit Tiling(const Upfirdn2d &task) {
    constexpr int up_y = F::up[0], up_x = F::up[1];
    shift_y = floor_mod(-task.lead[0], up_y);
    shift_x = floor_mod(-task.lead[1], up_x);
    down = (task.out_size[0] + shift_y + B::rows - 1) / B::rows;
    across = (task.out_size[1] + shift_x + B::columns - 1) / B::columns;
    deep = (task.inner + B::lanes - 1) / B::lanes;
    count = (task.outer + B::planes - 1) / B::planes * down * across * deep;
  }
};

template <class T, class F, class B>
__global__ void __launch_bounds__(kThreads) tiled(Upfirdn2d task) {
  constexpr int TapsY = F::taps[0], TapsX = F::taps[1], UpY = F::up[0], UpX = F::up[1];
  constexpr int DownY = F::down[0], DownX = F::down[1], PhaseX = TapsX / UpX;
  constexpr int InRows = inputs(B::rows, TapsY, UpY, DownY);
  constexpr int InColumns = inputs(B::columns, TapsX, UpX, DownX);
  __shared__ float taps[TapsY][TapsX];
  __shared__ float tile[B::planes][InRows][InColumns][B::lanes];
  const T *x = static_cast<const T *>(task.x);
  T *y = static_cast<T *>(task.y);

  // This thread's place in the tile.
  const int thread = threadIdx.x;
  const int lane = thread % B::lanes;
  const int column = thread / B::lanes % B::columns;
  const int row = thread / B::lanes / B::columns % (B::rows / B::run) * B::run;
  const int plane = thread / B::lanes / B::columns / (B::rows / B::run);

  // Its taps, with the gain in them: the ones that meet an input in its column.
  for (int k = thread; k < TapsY * TapsX; k += kThreads)
    taps[k / TapsX][k % TapsX] =
        float(task.gain) * task.taps[tap(task, 0, k / TapsX) * TapsX + tap(task, 1, k % TapsX)];
  __syncthreads();
  const int in_column = (column * DownX + UpX - 1) / UpX;
  float weight[TapsY][PhaseX];
#pragma unroll
  for (int k = 0; k < TapsY * PhaseX; ++k)
    weight[k / PhaseX][k % PhaseX] =
        taps[k / PhaseX][in_column * UpX - column * DownX + k % PhaseX * UpX];

  const Tiling<F, B> tiles(task);
  for (int64_t block = blockIdx.x; block < tiles.count; block += gridDim.x) {
    const int64_t lane0 = block % tiles.deep * B::lanes;
    const int x0 = int(block / tiles.deep % tiles.across) * B::columns - tiles.shift_x;
    const int y0 = int(block / tiles.deep / tiles.across % tiles.down) * B::rows - tiles.shift_y;
    const int64_t plane0 = block / tiles.deep / tiles.across / tiles.down * B::planes;

    // Inputs of the tile, zero outside the image. The divisions are exact (see Tiling).
    const int in_x0 = (x0 * DownX - task.lead[1]) / UpX;
    const int in_y0 = (y0 * DownY - task.lead[0]) / UpY;
    for (int i = thread; i < B::planes * InRows * InColumns * B::lanes; i += kThreads) {
      const int64_t from_lane = lane0 + i % B::lanes;
      const int from_x = in_x0 + i / B::lanes % InColumns;
      const int from_y = in_y0 + i / B::lanes / InColumns % InRows;
      const int64_t from_plane = plane0 + i / B::lanes / InColumns / InRows;
      const bool inside = from_lane < task.inner && from_plane < task.outer && from_x >= 0 &&
                          from_x < task.in_size[1] && from_y >= 0 && from_y < task.in_size[0];
      const int64_t pixel = (from_plane * task.in_size[0] + from_y) * task.in_size[1] + from_x;
      (&tile[0][0][0][0])[i] = inside ? widen(x[pixel * task.inner + from_lane]) : 0.0f;
    }
    __syncthreads();

    // Outputs. Unrolled, all indices but the thread's own are constants.
    const int in_row = row * DownY / UpY;
    const bool mine = plane0 + plane < task.outer && lane0 + lane < task.inner &&
                      x0 + column >= 0 && x0 + column < task.out_size[1];
    int64_t pixel = ((plane0 + plane) * task.out_size[0] + y0 + row) * task.out_size[1];
#pragma unroll
    for (int r = 0; r < B::run; ++r) {
      const int first = (r * DownY + UpY - 1) / UpY, ky = first * UpY - r * DownY;
      float sum = 0;
#pragma unroll
      for (int k = 0; k < TapsY / UpY * PhaseX; ++k)
        sum += weight[ky + k / PhaseX * UpY][k % PhaseX] *
               tile[plane][in_row + first + k / PhaseX][in_column + k % PhaseX][lane];
      if (mine && y0 + row + r >= 0 && y0 + row + r < task.out_size[0])
        y[(pixel + x0 + column) * task.inner + lane0 + lane] = narrow<T>(sum);
      pixel += task.out_size[1];
    }
    __syncthreads();
  }
}

template <class F>
bool fits(const Upfirdn2d &task) {
  for (int axis = 0; axis < 2; ++axis)
    if (task.taps_size[axis] != F::taps[axis] || task.up[axis] != F::up[axis] ||
        task.down[axis] != F::down[axis])
      return false;
  return true;
}

template <class T, class F, class B>
cudaError_t launch_tiled(const Upfirdn2d &task, cudaStream_t stream) {
  const unsigned blocks = blocks_for(Tiling<F, B>(task).count);
  return launch(tiled<T, F, B>, blocks, kThreads, stream, task);
}

template <class T>
cudaError_t launch_any(const Upfirdn2d &task, cudaStream_t stream) {
  const int64_t count = task.outer * task.out_size[0] * task.out_size[1] * task.inner;
  const unsigned blocks = blocks_for(ceil_div(count, kThreads));
  return count <= INT32_MAX
             ? launch(any_geometry<T, uint32_t>, blocks, kThreads, stream, task)
             : launch(any_geometry<T, int64_t>, blocks, kThreads, stream, task);
}

template <class T>
cudaError_t first_fit(const Upfirdn2d &task, cudaStream_t stream) {
  return launch_any<T>(task, stream);
}

// The tiled kernel of the first filter in the list that fits, else the kernel for any geometry.
template <class T, class F, class... Rest>
cudaError_t first_fit(const Upfirdn2d &task, cudaStream_t stream) {
  if (!fits<F>(task)) return first_fit<T, Rest...>(task, stream);
  if (task.inner > 1) return launch_tiled<T, F, ChannelTile>(task, stream);
  if (task.out_size[0] < 16 && task.out_size[1] < 16)
    return launch_tiled<T, F, SmallTile>(task, stream);
  return launch_tiled<T, F, WideTile>(task, stream);
}

}  // namespace

cudaError_t upfirdn2d(const Upfirdn2d &task, cudaStream_t stream) {
  return with_type(task.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (sizeof(T) == 8) {  // shared memory is laid out for float32
      return launch_any<T>(task, stream);
    } else {
      return first_fit<T,                                    // taps, up, down
                       Filter<4, 4, 1, 1, 1, 1>,             // [1, 3, 3, 1] beside a convolution
                       Filter<4, 4, 2, 2, 1, 1>,             // and between resolutions
                       Filter<4, 4, 1, 1, 2, 2>,             //
                       Filter<1, 12, 1, 2, 1, 1>,            // sym6 of the augmentation
                       Filter<12, 1, 2, 1, 1, 1>,            //
                       Filter<1, 12, 1, 1, 1, 2>,            //
                       Filter<12, 1, 1, 1, 2, 1>>(task, stream);
    }
  });
}

}  // namespace stylegan2_ada
