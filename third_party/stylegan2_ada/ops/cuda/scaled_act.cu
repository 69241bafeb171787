// The end of a modulated convolution in one pass over memory: scale of each image's channels,
// noise, bias, leaky ReLU and clamp; and all gradients in one more.
#include <limits>

#include "device.h"

namespace stylegan2_ada {
namespace {

template <class T>
struct ScaledWork {
  using S = compute_t<T>;
  const T *x, *noise, *bias, *y, *grad;
  const S *scale;
  T *out;
  S *sums, *noise_grad;
  Divider lanes, pixels, chunks;  // lanes: packs a pixel
  uint32_t packs, channels, lane_bits, pixel_count, chunk_count;
  int64_t images;
  bool noise_each;  // noise differs between images
  S alpha, limit;   // limit: NaN without a clamp

  explicit ScaledWork(const ScaledAct &task)
      : x(static_cast<const T *>(task.x)),
        noise(static_cast<const T *>(task.noise)),
        bias(static_cast<const T *>(task.bias)),
        y(static_cast<const T *>(task.y)),
        grad(static_cast<const T *>(task.grad)),
        scale(static_cast<const S *>(task.scale)),
        out(static_cast<T *>(task.out)),
        sums(static_cast<S *>(task.sums)),
        noise_grad(static_cast<S *>(task.noise_grad)),
        lanes(uint32_t(task.channels / kWide<T>)),
        pixels(uint32_t(task.pixels)),
        chunks(uint32_t(task.chunks)),
        packs(uint32_t(task.images * task.pixels * task.channels / kWide<T>)),
        channels(uint32_t(task.channels)),
        lane_bits(0),
        pixel_count(uint32_t(task.pixels)),
        chunk_count(uint32_t(task.chunks)),
        images(task.images),
        noise_each(task.noise_each),
        alpha(S(task.alpha)),
        limit(task.clamp < 0 ? std::numeric_limits<S>::quiet_NaN() : S(task.clamp)) {
    while ((int64_t(1) << lane_bits) < task.channels / kWide<T>) ++lane_bits;
  }
};

// A pack's worth of numbers in the type of computation.
template <class T>
__device__ void read_scales(const compute_t<T> *from, compute_t<T> (&values)[kWide<T>]) {
  using S = compute_t<T>;
#pragma unroll
  for (int j = 0; j < kWide<T>; j += kWide<S>) {
    S some[kWide<S>];
    unpack<S>(load<kWide<S>>(from + j), some);
#pragma unroll
    for (int k = 0; k < kWide<S>; ++k) values[j + k] = some[k];
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) scaled_act_kernel(ScaledWork<T> work) {
  using S = compute_t<T>;
  constexpr int Width = kWide<T>;
  const uint32_t pack = blockIdx.x * kThreads + threadIdx.x;
  if (pack >= work.packs) return;
  uint32_t image = pack;
  const uint32_t channel = work.lanes.split(image) * Width;
  const uint32_t place = image;  // of the pixel, in all images
  const uint32_t pixel = work.pixels.split(image);
  S in[Width], scale[Width], bias[Width];
  unpack<T>(load<Width>(work.x + pack * Width), in);
  unpack<T>(load<Width>(work.bias + channel), bias);
  read_scales<T>(work.scale + image * work.channels + channel, scale);
  const S noise =
      work.noise == nullptr ? S(0) : widen(work.noise[work.noise_each ? place : pixel]);
#pragma unroll
  for (int j = 0; j < Width; ++j) {
    const S u = in[j] * scale[j] + (noise + bias[j]);
    const S v = u > 0 ? u : work.alpha * u;
    in[j] = v > work.limit ? work.limit : v < -work.limit ? -work.limit : v;
  }
  store(work.out + pack * Width, in);
}

// A block takes a part of one image's pixels. Its threads lie along the channels, as many beside
// each other as a pixel has packs (a power of two up to 32), then along the pixels.
template <class T>
__global__ void __launch_bounds__(kThreads) scaled_act_gradient(ScaledWork<T> work) {
  using S = compute_t<T>;
  constexpr int Width = kWide<T>;
  __shared__ S sums[2][kThreads * Width];
  const uint32_t lanes = 1u << work.lane_bits, rows = kThreads >> work.lane_bits;
  const uint32_t lane = threadIdx.x & (lanes - 1), row = threadIdx.x >> work.lane_bits;
  const uint32_t channels = work.channels, channel = lane * Width;
  uint32_t image = blockIdx.x;
  const uint32_t chunk = work.chunks.split(image);
  const uint32_t length = (work.pixel_count + work.chunk_count - 1) / work.chunk_count;
  const uint32_t begin = chunk * length;
  const uint32_t end = begin + length < work.pixel_count ? begin + length : work.pixel_count;
  const S stored = widen(narrow<T>(work.limit));  // a clamped output was rounded to T
  S scale[Width], sum_x[Width] = {}, sum[Width] = {};
  read_scales<T>(work.scale + image * channels + channel, scale);

  for (uint32_t first = begin; first < end; first += rows) {  // as often in every thread
    const uint32_t pixel = first + row, place = image * work.pixel_count + pixel;
    S along = 0;  // the sum over channels
    if (pixel < end) {
      const uint32_t at = place * channels + channel;
      S x[Width], y[Width], grad[Width];
      const uint4 raw_x = load<Width>(work.x + at), raw_y = load<Width>(work.y + at);
      unpack<T>(load<Width>(work.grad + at), grad);
      unpack<T>(raw_x, x);
      unpack<T>(raw_y, y);
#pragma unroll
      for (int j = 0; j < Width; ++j) {
        const S slope = y[j] > 0 ? S(1) : work.alpha;
        const S g = y[j] >= stored || y[j] <= -stored ? S(0) : grad[j] * slope;
        sum_x[j] += g * x[j];
        sum[j] += g;
        along += g;
        grad[j] = g * scale[j];
      }
      store(work.out + at, grad);
    }
    if (work.noise_grad == nullptr) continue;
    for (uint32_t mask = lanes / 2; mask > 0; mask /= 2)
      along += __shfl_xor_sync(0xffffffff, along, mask);
    if (lane == 0 && pixel < end) work.noise_grad[place] = along;
  }

#pragma unroll
  for (int j = 0; j < Width; ++j) {
    sums[0][threadIdx.x * Width + j] = sum_x[j];
    sums[1][threadIdx.x * Width + j] = sum[j];
  }
  __syncthreads();
  for (uint32_t c = threadIdx.x; c < 2 * channels; c += kThreads) {
    const uint32_t which = c >= channels, own = c - which * channels;
    S total = 0;
    for (uint32_t r = 0; r < rows; ++r) total += sums[which][r * channels + own];
    work.sums[((which * work.images + image) * work.chunk_count + chunk) * channels + own] = total;
  }
}

template <class T>
cudaError_t launch_scaled(const ScaledAct &task, cudaStream_t stream) {
  const int64_t lanes = task.channels / kWide<T>;
  const int64_t count = task.images * task.pixels * task.channels;
  const bool power = lanes > 0 && lanes <= 32 && (lanes & (lanes - 1)) == 0;
  if (count > kLongest || task.channels % kWide<T> != 0 || (task.grad != nullptr && !power))
    return cudaErrorInvalidValue;
  for (const void *tensor : {task.x, task.scale, task.bias, task.y, task.grad,
                             static_cast<const void *>(task.out)})
    if (!aligned(tensor)) return cudaErrorInvalidValue;
  if (count == 0) return cudaSuccess;
  const ScaledWork<T> work(task);
  if (task.grad != nullptr)
    return launch(scaled_act_gradient<T>, task.images * task.chunks, kThreads, stream, work);
  const int64_t blocks = ceil_div(count / kWide<T>, kThreads);
  return launch(scaled_act_kernel<T>, blocks, kThreads, stream, work);
}

}  // namespace

cudaError_t scaled_act(const ScaledAct &task, cudaStream_t stream) {
  return with_type(task.dtype, [&](auto tag) {
    return launch_scaled<typename decltype(tag)::type>(task, stream);
  });
}

}  // namespace stylegan2_ada
