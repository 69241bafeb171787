// Known filters on images of one plane each (NCHW), whose neighbours lie along the filter.
//
// A block holds its part of the input in shared memory, as float32. A thread computes four outputs
// beside each other in a few rows, from wide loads of shared memory.
#include "filters.h"

namespace stylegan2_ada {
namespace {

constexpr int kRun = 4;  // a thread's outputs beside each other

struct TileWork {
  Upfirdn2d task;
  Cover down, across;
  Divider columns, rows;  // tiles beside and below each other
  int64_t in_plane, out_plane;
  bool whole_runs;  // kRun outputs may be stored at once
};

// What a block computes: `planes` images, `rows` x `columns` outputs of each. Its threads fall into
// a group for each image; a thread has `run_rows` rows of kRun outputs.
template <class YAxis, class XAxis, int Planes, int Rows, int Columns, int RunRows>
struct Tile {
  using Y = YAxis;
  using X = XAxis;
  static constexpr int planes = Planes, rows = Rows, columns = Columns, run_rows = RunRows;
  static constexpr int group_columns = Columns / kRun;
  static constexpr int group = Rows / RunRows * group_columns;
  static_assert(Planes * group == kThreads);

  // Inputs: from one thread to the next, loaded at once, a thread's in a row, a tile's.
  static constexpr int step = kRun * X::down / X::up;
  static constexpr int wide = step < 4 ? step : 4;
  static constexpr int window = (X::template inputs<kRun> + wide - 1) / wide * wide;
  static constexpr int pitch = (group_columns - 1) * step + window;
  static constexpr int in_rows = Y::template inputs<Rows>;
  static_assert(pitch % 2 == 0 && pitch % wide == 0 && pitch >= X::template inputs<Columns>);
};

// Fills a group's part of shared memory, two neighbours at a time; zero outside the image, whose
// rows are `height` (0: there is no image) and `width`.
template <class B, class T>
__device__ void fill(float (&tile)[B::in_rows][B::pitch], const T *x, unsigned height,
                     unsigned width, int in_y, int in_x, int member) {
  constexpr int Pairs = B::pitch / 2;
#pragma unroll 4
  for (int i = member; i < B::in_rows * Pairs; i += B::group) {
    const int row = i / Pairs, column = i % Pairs * 2;
    const bool inside = unsigned(in_y + row) < height;
    const int left = in_x + column, at = (in_y + row) * int(width) + left;
    tile[row][column] = inside && unsigned(left) < width ? widen(x[at]) : 0.0f;
    tile[row][column + 1] = inside && unsigned(left + 1) < width ? widen(x[at + 1]) : 0.0f;
  }
}

template <class T>
__device__ void write_run(const TileWork &work, T *y, int row, int column,
                          const float (&sum)[kRun]) {
  const int width = work.across.out_size;
  if (unsigned(row) >= unsigned(work.down.out_size)) return;
  T *to = y + row * width + column;
  if (work.whole_runs && unsigned(column) < unsigned(width)) return store(to, sum);
#pragma unroll
  for (int c = 0; c < kRun; ++c)
    if (unsigned(column + c) < unsigned(width)) to[c] = narrow<T>(sum[c]);
}

template <class T, class B>
__global__ void __launch_bounds__(kThreads) fir_tiles_kernel(TileWork work) {
  using Y = typename B::Y;
  using X = typename B::X;
  constexpr int RunRows = B::run_rows, Wide = B::wide;
  constexpr int InRows = Y::template inputs<RunRows>, InColumns = X::template inputs<kRun>;
  alignas(16) __shared__ float tile[B::planes][B::in_rows][B::pitch];
  const Upfirdn2d &task = work.task;

  // The block's place, and the thread's in it.
  uint32_t rest = blockIdx.x;
  const int tile_x = int(work.columns.split(rest)), tile_y = int(work.rows.split(rest));
  const int group = int(threadIdx.x) / B::group, member = int(threadIdx.x) % B::group;
  const int64_t plane = int64_t(rest) * B::planes + group;
  const int row = member / B::group_columns * RunRows, column = member % B::group_columns;

  float taps[Y::taps][X::taps];
  read_taps(task, taps);
  fill<B>(tile[group], static_cast<const T *>(task.x) + plane * work.in_plane,
          plane < task.outer ? work.down.in_size : 0, work.across.in_size,
          work.down.input(tile_y), work.across.input(tile_x), member);
  __syncthreads();
  if (plane >= task.outer) return;

  float sum[RunRows][kRun] = {};
#pragma unroll
  for (int i = 0; i < InRows; ++i) {
    float in[B::window];
    const float *from = &tile[group][row * Y::down / Y::up + i][column * B::step];
#pragma unroll
    for (int j = 0; j < B::window; j += Wide) {
      const Pack<float, Wide> pack = *reinterpret_cast<const Pack<float, Wide> *>(from + j);
#pragma unroll
      for (int v = 0; v < Wide; ++v) in[j + v] = pack.v[v];
    }
#pragma unroll
    for (int r = 0; r < RunRows; ++r) {
      const int ky = Y::tap(i, r);
      if (ky < 0) continue;
#pragma unroll
      for (int j = 0; j < InColumns; ++j) {
#pragma unroll
        for (int c = 0; c < kRun; ++c) {
          const int kx = X::tap(j, c);
          if (kx >= 0) sum[r][c] += taps[ky][kx] * in[j];
        }
      }
    }
  }
  T *y = static_cast<T *>(task.y) + plane * work.out_plane;
#pragma unroll
  for (int r = 0; r < RunRows; ++r)
    write_run(work, y, work.down.output(tile_y) + row + r,
          work.across.output(tile_x) + column * kRun, sum[r]);
}

template <class T, class B>
bool launch_tiles(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error) {
  TileWork work{task, cover<typename B::Y, B::rows>(task, 0),
                cover<typename B::X, B::columns>(task, 1)};
  work.in_plane = int64_t(task.in_size[0]) * task.in_size[1];
  work.out_plane = int64_t(task.out_size[0]) * task.out_size[1];
  const int64_t planes = ceil_div(task.outer, B::planes);
  const int64_t blocks = planes * work.down.tiles * work.across.tiles;
  if (std::max({work.in_plane, work.out_plane, blocks}) > kLongest) return false;
  work.columns = Divider(uint32_t(work.across.tiles));
  work.rows = Divider(uint32_t(work.down.tiles));
  work.whole_runs =
      task.out_size[1] % kRun == 0 && work.across.shift == 0 && aligned(task.y);
  error = launch(fir_tiles_kernel<T, B>, blocks, kThreads, stream, work);
  return true;
}

// Off: which of its taps the first output meets the image with; chosen so that tiles start at the
// first output, where wide stores are aligned.
template <class T, class Y, int Taps, int Up, int Down, int Planes, int Rows, int Columns,
          int RunRows>
bool fit_tile(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error) {
  using X = Axis<Taps, Up, Down>;
  if (!fits<Y>(task, 0) || !fits<X>(task, 1)) return false;
  if (Up == 2 && task.lead[1] % 2 == 0)
    return launch_tiles<T, Tile<Y, Axis<Taps, Up, Down, 0>, Planes, Rows, Columns, RunRows>>(
        task, stream, error);
  return launch_tiles<T, Tile<Y, X, Planes, Rows, Columns, RunRows>>(task, stream, error);
}

}  // namespace

bool fir_tiles(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error) {
  if (task.inner != 1) return false;
  bool known = false;
  with_type(task.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (sizeof(T) < 8)  // taps, up, down; planes, rows, columns, rows a thread
      known = fit_tile<T, Axis<4, 1, 1>, 4, 1, 1, 4, 32, 32, 4>(task, stream, error) ||
              fit_tile<T, Axis<4, 2, 1>, 4, 2, 1, 4, 32, 32, 4>(task, stream, error) ||
              fit_tile<T, Axis<4, 1, 2>, 4, 1, 2, 4, 16, 32, 2>(task, stream, error) ||
              fit_tile<T, Idle, 12, 2, 1, 16, 1, 64, 1>(task, stream, error) ||
              fit_tile<T, Idle, 12, 1, 2, 16, 1, 64, 1>(task, stream, error);
    return cudaSuccess;
  });
  return known;
}

}  // namespace stylegan2_ada
