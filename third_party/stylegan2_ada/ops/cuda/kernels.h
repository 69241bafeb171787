// What the kernels compute, in terms of plain pointers: no PyTorch here, so that the .cu files
// compile in seconds and against any version of it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace stylegan2_ada {

enum class Dtype { f16, bf16, f32, f64 };

// linear, relu and lrelu are one piecewise linear function: slope 1 above zero, alpha below.
enum class Activation { piecewise, tanh, sigmoid, elu, selu, softplus, swish };

// v(u) = gain * act(u) with u = in + bias, clamped to [-clamp, clamp] (clamp < 0: not clamped).
//   order 0:  out = v
//   order 1:  out = grad * v'             (grad: what arrives at the output)
//   order 2:  out = grad * grad2 * v''    (grad2: what arrives at the result of order 1)
// v' and v'' are 0 where the clamp acts. With from_output (piecewise, orders 1 and 2), `in` is
// the output of order 0 and bias is not read: its sign and size tell the slope.
// All tensors are dense and lie alike; element i takes bias[i / bias_step % bias_size].
struct BiasAct {
  Dtype dtype;
  Activation act;
  int order;
  bool from_output;
  const void *in, *bias, *grad, *grad2;  // bias may be null; grad and grad2 where the order asks
  void *out;
  int64_t count, bias_step = 1, bias_size = 1;
  double alpha, gain, clamp;
};

cudaError_t bias_act(const BiasAct &task, cudaStream_t stream);

// y[o] = gain * sum_k taps[k] * x_up[o * down + k - lead] along both axes (0 vertical,
// 1 horizontal), where x_up[i] = x[i / up] if up divides i and i lies in the image, else 0.
// taps is reversed first if `convolve`. x is [outer, in_size, inner], y [outer, out_size, inner]:
// NCHW is outer = N * C and inner = 1, channels-last is outer = N and inner = C.
struct Upfirdn2d {
  Dtype dtype;
  bool convolve;
  const void *x;
  const float *taps;
  void *y;
  int64_t outer, inner;
  int in_size[2], out_size[2], taps_size[2], up[2], down[2], lead[2];
  double gain;
};

cudaError_t upfirdn2d(const Upfirdn2d &task, cudaStream_t stream);

// y = clamp(leaky_relu(x * scale + noise + bias)) for x and y [images, pixels, channels] (that is,
// channels-last), scale [images, channels], noise [pixels] or [images, pixels] or null, bias
// [channels]. out = y, or, where grad (what arrives at y) is given, out = the gradient of x,
//   sums [2, images, chunks, channels]: parts of the gradient of scale, and of that of bias in each
//   image, each to be summed over the chunks into which an image's pixels are cut,
//   noise_grad [images, pixels]: that of noise, or null.
// scale, sums and noise_grad have the type of computation: float32 for the half types. Returns
// cudaErrorInvalidValue unless channels are a multiple of 16 bytes, for the gradient a power of two
// up to 32 times that, tensors are aligned to 16 bytes and of at most 2^30 numbers.
struct ScaledAct {
  Dtype dtype;
  bool noise_each;  // noise is [images, pixels]
  const void *x, *scale, *noise, *bias, *y, *grad;
  void *out, *sums, *noise_grad;
  int64_t images, pixels, channels, chunks = 1;
  double alpha, clamp;  // clamp < 0: not clamped
};

cudaError_t scaled_act(const ScaledAct &task, cudaStream_t stream);

}  // namespace stylegan2_ada
