// What both kernels share on the device side: number formats, dispatch and launch.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "kernels.h"
#include "launch.h"

namespace stylegan2_ada {

constexpr int kThreads = 256;

// Half types are computed in float32, the others in themselves.
template <class T>
struct Compute {
  using type = float;
};
template <>
struct Compute<double> {
  using type = double;
};
template <class T>
using compute_t = typename Compute<T>::type;

__device__ inline float widen(__half v) { return __half2float(v); }
__device__ inline float widen(__nv_bfloat16 v) { return __bfloat162float(v); }
__device__ inline float widen(float v) { return v; }
__device__ inline double widen(double v) { return v; }

template <class T>
__device__ T narrow(compute_t<T> v) {
  return v;
}
template <>
__device__ inline __half narrow<__half>(float v) {
  return __float2half_rn(v);
}
template <>
__device__ inline __nv_bfloat16 narrow<__nv_bfloat16>(float v) {
  return __float2bfloat16_rn(v);
}

template <class T>
struct Tag {
  using type = T;
};

// run(Tag<T>{}) for the C++ type that dtype names.
template <class Run>
cudaError_t with_type(Dtype dtype, Run run) {
  switch (dtype) {
    case Dtype::f16: return run(Tag<__half>{});
    case Dtype::bf16: return run(Tag<__nv_bfloat16>{});
    case Dtype::f32: return run(Tag<float>{});
    case Dtype::f64: return run(Tag<double>{});
  }
  return cudaErrorInvalidValue;
}

// Blocks for `work` blocks' worth of work; the kernels loop, so a cap is safe.
inline unsigned blocks_for(int64_t work) {
  return static_cast<unsigned>(std::min<int64_t>(work, 1 << 30));
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace stylegan2_ada
