// Bias, activation, gain and clamp in one pass over memory, and the first two derivatives.
#include "device.h"

namespace stylegan2_ada {
namespace {

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
    return {u > 0 ? u : alpha * u, u > 0 ? S(1) : alpha, 0};
  }
}

template <class T, Activation A, int Order>
__device__ T element(const BiasAct &task, T in, compute_t<T> bias, T grad, T grad2) {
  using S = compute_t<T>;
  const S gain = S(task.gain), limit = S(task.clamp);
  const bool clamps = task.clamp >= 0;
  const S u = widen(in) + bias;
  Jet<S> act = activate<A>(u, S(task.alpha));
  S v = gain * act.value;
  if constexpr (Order == 0) {
    if (clamps) v = v > limit ? limit : v < -limit ? -limit : v;
    return narrow<T>(v);
  }
  bool flat = clamps && (v >= limit || v <= -limit);
  if (A == Activation::piecewise && task.from_output) {
    act = activate<A>(u * gain, S(task.alpha));  // u is the output here: the sign of act(u)
    const S stored = widen(narrow<T>(limit));    // a clamped output was rounded to T
    flat = clamps && (u >= stored || u <= -stored);
  }
  const S slope = Order == 1 ? act.first : act.second * widen(grad2);
  return narrow<T>(flat ? S(0) : widen(grad) * gain * slope);
}

template <class T, int Width>
struct alignas(sizeof(T) * Width) Pack {
  T v[Width];
};

// Channel of element i. 64-bit division is slow, and few tensors need it.
__device__ inline int64_t channel(const BiasAct &task, int64_t i) {
  if (task.count <= INT32_MAX && task.bias_step <= INT32_MAX)
    return uint32_t(i) / uint32_t(task.bias_step) % uint32_t(task.bias_size);
  return i / task.bias_step % task.bias_size;
}

// Each thread takes Width elements at a time, as one load and one store of up to 16 bytes.
// The launcher has seen to it that these elements share a channel (bias_step > 1) or lie in
// consecutive ones (bias_step == 1).
template <class T, Activation A, int Order, int Width>
__global__ void __launch_bounds__(kThreads) bias_act_kernel(BiasAct task) {
  using P = Pack<T, Width>;
  const int64_t stride = int64_t(gridDim.x) * kThreads;
  for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < task.count / Width;
       i += stride) {
    const P in = static_cast<const P *>(task.in)[i];
    P grad{}, grad2{}, out;
    if constexpr (Order >= 1) grad = static_cast<const P *>(task.grad)[i];
    if constexpr (Order >= 2) grad2 = static_cast<const P *>(task.grad2)[i];
    const T *bias = static_cast<const T *>(task.bias);
    if (bias != nullptr) bias += channel(task, i * Width);
    const int next = task.bias_step == 1 ? 1 : 0;
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const compute_t<T> b = bias != nullptr ? widen(bias[j * next]) : compute_t<T>(0);
      out.v[j] = element<T, A, Order>(task, in.v[j], b, grad.v[j], grad2.v[j]);
    }
    static_cast<P *>(task.out)[i] = out;
  }
}

bool aligned(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

template <class T, Activation A, int Order>
cudaError_t launch_for(const BiasAct &task, cudaStream_t stream) {
  constexpr int wide = 16 / sizeof(T);
  const int64_t period = task.bias_step == 1 ? task.bias_size : task.bias_step;
  const bool whole = task.count % wide == 0 && (task.bias == nullptr || period % wide == 0) &&
                     aligned(task.in) && aligned(task.grad) && aligned(task.grad2) &&
                     aligned(task.out);
  const unsigned blocks = blocks_for(ceil_div(task.count, (whole ? wide : 1) * kThreads));
  return whole ? launch(bias_act_kernel<T, A, Order, wide>, blocks, kThreads, stream, task)
               : launch(bias_act_kernel<T, A, Order, 1>, blocks, kThreads, stream, task);
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
