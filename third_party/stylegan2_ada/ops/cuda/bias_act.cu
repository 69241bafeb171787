// Bias, activation, gain and clamp in one pass over memory, and the first two derivatives.
#include <limits>

#include "device.h"

namespace stylegan2_ada {
namespace {

// Packs of a thread, all loaded before the first is used. Second derivatives are rare.
template <int Order>
constexpr int kPacks = Order < 2 ? 2 : 1;

// Value and two derivatives of an activation at u. The compiler drops what is not used.
template <class S>
struct Jet {
  S value, first, second;
};

__device__ inline float exponential(float v) { return expf(v); }
__device__ inline double exponential(double v) { return exp(v); }
__device__ inline float exponential_minus_1(float v) { return expm1f(v); }
__device__ inline double exponential_minus_1(double v) { return expm1(v); }
__device__ inline float log_1_plus(float v) { return log1pf(v); }
__device__ inline double log_1_plus(double v) { return log1p(v); }
__device__ inline float hyperbolic_tangent(float v) { return tanhf(v); }
__device__ inline double hyperbolic_tangent(double v) { return tanh(v); }

template <class S>
__device__ S logistic(S u) {
  return S(1) / (S(1) + exponential(-u));
}

template <Activation A, class S>
__device__ Jet<S> activate(S u, S alpha) {
  if constexpr (A == Activation::tanh) {
    const S t = hyperbolic_tangent(u), slope = 1 - t * t;
    return {t, slope, -2 * t * slope};
  } else if constexpr (A == Activation::sigmoid) {
    const S s = logistic(u), slope = s * (1 - s);
    return {s, slope, slope * (1 - 2 * s)};
  } else if constexpr (A == Activation::elu) {
    if (u > 0) return {u, 1, 0};
    const S e = exponential(u);
    return {exponential_minus_1(u), e, e};
  } else if constexpr (A == Activation::selu) {  // Klambauer et al. 2017: fixed point (0, 1)
    const S scale = S(1.0507009873554804934193349852946);
    const S depth = scale * S(1.6732632423543772848170429916717);
    if (u > 0) return {scale * u, scale, 0};
    const S e = depth * exponential(u);
    return {depth * exponential_minus_1(u), e, e};
  } else if constexpr (A == Activation::softplus) {
    const S s = logistic(u), bend = log_1_plus(exponential(u > 0 ? -u : u));
    return {(u > 0 ? u : S(0)) + bend, s, s * (1 - s)};
  } else if constexpr (A == Activation::swish) {
    const S s = logistic(u), slope = s * (1 - s);
    return {u * s, s + u * slope, slope * (2 + u * (1 - 2 * s))};
  } else {
    const S slope = u > 0 ? S(1) : alpha;
    return {u * slope, slope, 0};
  }
}

// How the elements of a pack meet their biases.
enum class Biases {
  none,
  same,     // all of a pack meet one: bias_step is a multiple of its width
  aligned,  // consecutive ones, a pack of them: bias_step is 1, bias_size a multiple
  any,
};

// Some of a BiasAct's elements, with what the host can work out beforehand.
template <class T>
struct Part {
  using S = compute_t<T>;
  const T *in, *bias, *grad, *grad2;
  T *out;
  uint32_t count, place, channel, bias_step, bias_size;  // place, channel: of the first element
  Divider step, size;
  bool whole_packs;  // all tensors are aligned to 16 bytes
  bool from_output;
  Biases biases;
  S alpha, gain, limit;  // limit: NaN without a clamp, so that nothing compares as beyond it

  // `count` elements from `start` on: at most kLongest, and of one channel if step is longer.
  Part(const BiasAct &task, int64_t start, int64_t count)
      : in(at(task.in, start)),
        bias(at(task.bias, 0)),
        grad(at(task.grad, start)),
        grad2(at(task.grad2, start)),
        out(const_cast<T *>(at(task.out, start))),
        count(uint32_t(count)),
        place(0),
        channel(uint32_t(start / task.bias_step % task.bias_size)),
        bias_step(uint32_t(kLongest)),
        bias_size(uint32_t(task.bias_size)),
        whole_packs(aligned(in) && aligned(grad) && aligned(grad2) && aligned(out)),
        from_output(task.from_output),
        alpha(S(task.alpha)),
        gain(S(task.gain)),
        limit(task.clamp < 0 ? std::numeric_limits<S>::quiet_NaN() : S(task.clamp)) {
    if (task.bias_step < kLongest) {
      bias_step = uint32_t(task.bias_step);
      place = uint32_t(start % task.bias_step);
    }
    step = Divider(bias_step);
    size = Divider(bias_size);
    constexpr int width = kWide<T>;
    biases = bias == nullptr                                   ? Biases::none
             : bias_step % width == 0 && place % width == 0    ? Biases::same
             : bias_step == 1 && bias_size % width == 0 &&
                       channel % width == 0 && aligned(bias)   ? Biases::aligned
                                                               : Biases::any;
  }

  static const T *at(const void *tensor, int64_t i) {
    return tensor == nullptr ? nullptr : static_cast<const T *>(tensor) + i;
  }
};

template <class T, Activation A, int Order>
__device__ compute_t<T> element(const Part<T> &part, compute_t<T> in, compute_t<T> bias,
                                compute_t<T> grad, compute_t<T> grad2) {
  using S = compute_t<T>;
  const S u = in + bias;
  if (Order > 0 && A == Activation::piecewise && part.from_output) {
    const S stored = widen(narrow<T>(part.limit));  // a clamped output was rounded to T
    const S slope = u * part.gain > 0 ? part.gain : part.gain * part.alpha;  // act(u) has its sign
    return Order == 2 || u >= stored || u <= -stored ? S(0) : grad * slope;
  }
  const Jet<S> act = activate<A>(u, part.alpha);
  const S v = part.gain * act.value;
  if constexpr (Order == 0) return v > part.limit ? part.limit : v < -part.limit ? -part.limit : v;
  const S slope = Order == 1 ? act.first : act.second * grad2;
  return v >= part.limit || v <= -part.limit ? S(0) : grad * part.gain * slope;
}

// `Width` elements from i on; those at and behind the end are zero.
template <int Width, class T>
__device__ uint4 read(const Part<T> &part, const T *from, uint32_t i) {
  if (part.whole_packs && i + Width <= part.count) return load<Width>(from + i);
  Pack<T, Width> pack;
#pragma unroll
  for (int j = 0; j < Width; ++j) pack.v[j] = i + j < part.count ? from[i + j] : narrow<T>(0);
  uint4 raw;
  memcpy(&raw, &pack, sizeof(raw));
  return raw;
}

template <int Width, class T>
__device__ void write(const Part<T> &part, uint32_t i, const compute_t<T> (&values)[Width]) {
  if (part.whole_packs && i + Width <= part.count) return store(part.out + i, values);
#pragma unroll
  for (int j = 0; j < Width; ++j)
    if (i + j < part.count) part.out[i + j] = narrow<T>(values[j]);
}

// The biases of the elements from i on.
template <int Width, class T>
__device__ void read_biases(const Part<T> &part, uint32_t i, compute_t<T> (&values)[Width]) {
  uint32_t channel = i + part.place;
  uint32_t place = part.step.split(channel);
  channel += part.channel;
  channel -= part.size.divide(channel) * part.bias_size;
  if (part.biases == Biases::aligned) {
    unpack<T>(load<Width>(part.bias + channel), values);
  } else if (part.biases == Biases::same) {
    const compute_t<T> value = widen(part.bias[channel]);
#pragma unroll
    for (int j = 0; j < Width; ++j) values[j] = value;
  } else {
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      values[j] = widen(part.bias[channel]);
      const bool last = ++place == part.bias_step;
      place = last ? 0 : place;
      channel = !last ? channel : channel + 1 < part.bias_size ? channel + 1 : 0;
    }
  }
}

// Each thread takes some packs of 16 bytes, a block's width apart.
template <class T, Activation A, int Order>
__global__ void __launch_bounds__(kThreads) bias_act_kernel(Part<T> part) {
  constexpr int Width = kWide<T>, Packs = kPacks<Order>;
  const uint32_t first = (blockIdx.x * Packs * kThreads + threadIdx.x) * Width;
  uint4 in[Packs], grad[Packs]{}, grad2[Packs]{};
#pragma unroll
  for (int k = 0; k < Packs; ++k) {
    const uint32_t i = first + k * kThreads * Width;
    in[k] = read<Width>(part, part.in, i);
    if constexpr (Order >= 1) grad[k] = read<Width>(part, part.grad, i);
    if constexpr (Order >= 2) grad2[k] = read<Width>(part, part.grad2, i);
  }
#pragma unroll
  for (int k = 0; k < Packs; ++k) {
    const uint32_t i = first + k * kThreads * Width;
    if (i >= part.count) return;
    compute_t<T> u[Width], dy[Width], ddx[Width], bias[Width] = {}, out[Width];
    unpack<T>(in[k], u);
    unpack<T>(grad[k], dy);
    unpack<T>(grad2[k], ddx);
    if (part.biases != Biases::none) read_biases(part, i, bias);
#pragma unroll
    for (int j = 0; j < Width; ++j)
      out[j] = element<T, A, Order>(part, u[j], bias[j], dy[j], ddx[j]);
    write(part, i, out);
  }
}

template <class T, Activation A, int Order>
cudaError_t launch_for(const BiasAct &task, cudaStream_t stream) {
  cudaError_t error = cudaSuccess;
  for (int64_t start = 0, count; start < task.count && error == cudaSuccess; start += count) {
    count = std::min(task.count - start, kLongest);
    if (task.bias_step >= kLongest)  // up to the end of a channel
      count = std::min(count, task.bias_step - start % task.bias_step);
    const int64_t blocks = ceil_div(count, kPacks<Order> * kThreads * kWide<T>);
    const Part<T> part(task, start, count);
    error = launch(bias_act_kernel<T, A, Order>, blocks, kThreads, stream, part);
  }
  return error;
}

template <class T, Activation A>
cudaError_t with_order(const BiasAct &task, cudaStream_t stream) {
  switch (task.order) {
    case 0: return launch_for<T, A, 0>(task, stream);
    case 1: return launch_for<T, A, 1>(task, stream);
    case 2: return launch_for<T, A, 2>(task, stream);
  }
  return cudaErrorInvalidValue;
}

template <class T>
cudaError_t with_activation(const BiasAct &task, cudaStream_t stream) {
  switch (task.act) {
    case Activation::piecewise: return with_order<T, Activation::piecewise>(task, stream);
    case Activation::tanh: return with_order<T, Activation::tanh>(task, stream);
    case Activation::sigmoid: return with_order<T, Activation::sigmoid>(task, stream);
    case Activation::elu: return with_order<T, Activation::elu>(task, stream);
    case Activation::selu: return with_order<T, Activation::selu>(task, stream);
    case Activation::softplus: return with_order<T, Activation::softplus>(task, stream);
    case Activation::swish: return with_order<T, Activation::swish>(task, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t bias_act(const BiasAct &task, cudaStream_t stream) {
  return with_type(task.dtype, [&](auto tag) {
    return with_activation<typename decltype(tag)::type>(task, stream);
  });
}

}  // namespace stylegan2_ada
