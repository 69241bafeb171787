// The filters that have kernels of their own: their taps and rates are known when compiling.
#pragma once

#include "device.h"

namespace stylegan2_ada {

// One axis of a filter. A tile of outputs starts where output 0 meets input 0 with tap `Off`, so
// that the tap between any two of them is a constant.
template <int Taps, int Up, int Down, int Off = Up - 1>
struct Axis {
  static constexpr int taps = Taps, up = Up, down = Down, off = Off;
  static_assert((Up == 1 || Down == 1) && Off < Up);

  // Inputs that the first `Outputs` outputs read.
  template <int Outputs>
  static constexpr int inputs = (Taps - 1 - Off + (Outputs - 1) * Down) / Up + 1;

  // The tap between an input and an output, both counted from the tile's first; -1 for none.
  static __host__ __device__ constexpr int tap(int input, int output) {
    const int k = input * Up + Off - output * Down;
    return k < Taps ? k : -1;
  }
};
using Idle = Axis<1, 1, 1>;

// How tiles cover one axis: tile t starts at output t * outputs - shift and input t * inputs +
// first. `shift` is below `up`: the first tile may reach across the image's edge.
struct Cover {
  int in_size, out_size, shift, first, outputs, inputs, tiles;

  // Row and column of a tile's first output and input.
  __device__ int output(int tile) const { return tile * outputs - shift; }
  __device__ int input(int tile) const { return tile * inputs + first; }
};

template <class A, int Outputs>
Cover cover(const Upfirdn2d &task, int axis) {
  static_assert(Outputs * A::down % A::up == 0);
  const int late = A::off - task.lead[axis];
  const int shift = (late % A::up + A::up) % A::up;
  const int tiles = (task.out_size[axis] + shift + Outputs - 1) / Outputs;
  const int first = (late - shift * A::down) / A::up;  // exact: down is 1 where up is not
  constexpr int inputs = Outputs * A::down / A::up;
  return {task.in_size[axis], task.out_size[axis], shift, first, Outputs, inputs, tiles};
}

template <class A>
bool fits(const Upfirdn2d &task, int axis) {
  return task.taps_size[axis] == A::taps && task.up[axis] == A::up && task.down[axis] == A::down;
}

// All taps, scaled by the gain and in the order in which they meet the image.
template <int Rows, int Columns>
__device__ void read_taps(const Upfirdn2d &task, float (&taps)[Rows][Columns]) {
  const float gain = float(task.gain);
  const float *from = task.taps + (task.convolve ? Rows * Columns - 1 : 0);
  const int step = task.convolve ? -1 : 1;
#pragma unroll
  for (int k = 0; k < Rows * Columns; ++k)
    taps[k / Columns][k % Columns] = gain * __ldg(from + k * step);
}

// The kernels for known filters: in packs along the inner dimension, of any size; and in tiles of
// images whose inner dimension is 1. They return false where they do not know the filter or the
// tensors are too large for 32-bit indices; else `error` tells how the launch went.
bool fir_packs(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error);
bool fir_tiles(const Upfirdn2d &task, cudaStream_t stream, cudaError_t &error);

}  // namespace stylegan2_ada
