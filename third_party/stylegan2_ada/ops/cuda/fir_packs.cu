// Known filters on packs of neighbours along the inner dimension: the channels of channels-last
// images, and whole rows of an image under a vertical filter.
//
// A thread computes a few outputs below and beside each other, for one pack. It reads its inputs
// once into registers; threads beside it find the same inputs in the L1 cache.
#include "filters.h"

namespace stylegan2_ada {
namespace {

constexpr int kPackThreads = 128;
constexpr int kStrips = 2;  // tiles below each other that neighbouring threads take

struct PackWork {
  Upfirdn2d task;
  Cover down, across;
  Divider lanes, columns, rows;  // packs a pixel; tiles beside each other; tiles / kStrips below
  uint32_t threads;
  int64_t pixel, in_line, in_plane, out_line, out_plane;  // bytes
};

template <class T, class Y, class X, int Rows, int Columns, int Width>
__global__ void __launch_bounds__(kPackThreads, 4) fir_packs_kernel(PackWork work) {
  constexpr int InRows = Y::template inputs<Rows>, InColumns = X::template inputs<Columns>;
  const Upfirdn2d &task = work.task;

  // This thread's place.
  uint32_t rest = blockIdx.x * kPackThreads + threadIdx.x;
  if (rest >= work.threads) return;
  const uint32_t lane = work.lanes.split(rest) * Width;
  const uint32_t strip = rest % kStrips;
  rest /= kStrips;
  const int column = int(work.columns.split(rest));
  const int row = int(work.rows.split(rest) * kStrips + strip);
  const int in_x = work.across.input(column), in_y = work.down.input(row);
  const int out_x = work.across.output(column), out_y = work.down.output(row);
  // Where the window and the outputs begin; these may lie outside the image.
  const char *x = static_cast<const char *>(task.x) + rest * work.in_plane +
                  in_y * work.in_line + in_x * work.pixel + lane * sizeof(T);
  char *y = static_cast<char *>(task.y) + rest * work.out_plane + out_y * work.out_line +
            out_x * work.pixel + lane * sizeof(T);

  float taps[Y::taps][X::taps];
  read_taps(task, taps);
  float sum[Rows][Columns][Width] = {};
#pragma unroll
  for (int i = 0; i < InRows; ++i) {
    // One row of inputs, zero outside the image.
    const bool row_inside = unsigned(in_y + i) < unsigned(work.down.in_size);
    Raw<T, Width> packs[InColumns];
#pragma unroll
    for (int j = 0; j < InColumns; ++j) {
      packs[j] = {};
      if (row_inside && unsigned(in_x + j) < unsigned(work.across.in_size))
        packs[j] = load<Width>(reinterpret_cast<const T *>(x + j * work.pixel));
    }
    x += work.in_line;
    float in[InColumns][Width];
#pragma unroll
    for (int j = 0; j < InColumns; ++j) unpack<T>(packs[j], in[j]);
    // What it adds to each output, and the row of outputs for which it is the last.
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const int ky = Y::tap(i, r);
      if (ky < 0) continue;
#pragma unroll
      for (int j = 0; j < InColumns; ++j) {
#pragma unroll
        for (int c = 0; c < Columns; ++c) {
          const int kx = X::tap(j, c);
          if (kx < 0) continue;
#pragma unroll
          for (int v = 0; v < Width; ++v) sum[r][c][v] += taps[ky][kx] * in[j][v];
        }
      }
      if (ky + Y::up < Y::taps || unsigned(out_y + r) >= unsigned(work.down.out_size)) continue;
#pragma unroll
      for (int c = 0; c < Columns; ++c)
        if (unsigned(out_x + c) < unsigned(work.across.out_size))
          store(reinterpret_cast<T *>(y + r * work.out_line + c * work.pixel), sum[r][c]);
    }
  }
}

template <class T, class Y, class X, int Rows, int Columns, int Width>
bool launch_packs(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error) {
  PackWork work{task, cover<Y, Rows>(task, 0), cover<X, Columns>(task, 1)};
  work.pixel = task.inner * sizeof(T);
  work.in_line = task.in_size[1] * work.pixel;
  work.out_line = task.out_size[1] * work.pixel;
  work.in_plane = task.in_size[0] * work.in_line;
  work.out_plane = task.out_size[0] * work.out_line;
  const int64_t lanes = task.inner / Width, rows = ceil_div(work.down.tiles, kStrips);
  const int64_t threads = task.outer * rows * kStrips * work.across.tiles * lanes;
  if (threads > kLongest) return false;
  work.lanes = Divider(uint32_t(lanes));
  work.columns = Divider(uint32_t(work.across.tiles));
  work.rows = Divider(uint32_t(rows));
  work.threads = uint32_t(threads);
  error = launch(fir_packs_kernel<T, Y, X, Rows, Columns, Width>,
                 ceil_div(threads, kPackThreads), kPackThreads, stream, work);
  return true;
}

template <class T, class Y, class X, int Rows, int Columns>
bool fit_packs(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error) {
  if (!fits<Y>(task, 0) || !fits<X>(task, 1)) return false;
  constexpr int width = kWide<T>;
  if (task.inner % width == 0 && aligned(task.x) && aligned(task.y))
    return launch_packs<T, Y, X, Rows, Columns, width>(task, stream, error);
  return launch_packs<T, Y, X, Rows, Columns, 1>(task, stream, error);
}

}  // namespace

bool fir_packs(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error) {
  bool known = false;
  with_type(task.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (sizeof(T) < 8)
      known = fit_packs<T, Axis<4, 1, 1>, Axis<4, 1, 1>, 4, 2>(task, stream, error) ||
              fit_packs<T, Axis<4, 2, 1>, Axis<4, 2, 1>, 4, 2>(task, stream, error) ||
              fit_packs<T, Axis<4, 1, 2>, Axis<4, 1, 2>, 2, 1>(task, stream, error) ||
              fit_packs<T, Axis<12, 2, 1>, Idle, 8, 1>(task, stream, error) ||
              fit_packs<T, Axis<12, 1, 2>, Idle, 4, 1>(task, stream, error);
    return cudaSuccess;
  });
  return known;
}

}  // namespace stylegan2_ada
