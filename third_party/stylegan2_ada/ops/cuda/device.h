// What the kernels share on the device side: number formats, packs of 16 bytes, division, dispatch.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels.h"
#include "launch.h"

#ifndef STYLEGAN2_ADA_LONGEST
#define STYLEGAN2_ADA_LONGEST (1 << 30)
#endif

namespace stylegan2_ada {

constexpr int kThreads = 256;  // a block

// Elements that one launch may index: 32 bits are enough, and 64-bit arithmetic is slow.
constexpr int64_t kLongest = STYLEGAN2_ADA_LONGEST;

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

// `Width` neighbours that one instruction loads or stores. 16 bytes are the most that there is,
// and stay in words until they are unpacked: numbers of 16 bits would cost an instruction more.
template <class T, int Width>
struct alignas(sizeof(T) * Width) Pack {
  T v[Width];
};
template <class T>
constexpr int kWide = 16 / sizeof(T);
template <class T, int Width>
using Raw = std::conditional_t<sizeof(T) * Width == sizeof(uint4), uint4, Pack<T, Width>>;

// Loads what no thread of the kernel writes.
template <int Width, class T>
__device__ Raw<T, Width> load(const T *from) {
  if constexpr (sizeof(T) * Width == sizeof(uint4))
    return __ldg(reinterpret_cast<const uint4 *>(from));
  else
    return *reinterpret_cast<const Pack<T, Width> *>(from);
}

__device__ inline float bits_as_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

template <class T>
__device__ void unpack(const Pack<T, 1> &pack, compute_t<T> (&values)[1]) {
  values[0] = widen(pack.v[0]);
}

template <class T>
__device__ void unpack(const uint4 &raw, compute_t<T> (&values)[kWide<T>]) {
  const uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int j = 0; j < kWide<T>; ++j) {
    if constexpr (std::is_same_v<T, __nv_bfloat16>) {  // the upper half of a float32
      const uint32_t word = words[j / 2];
      values[j] = bits_as_float(j % 2 ? word & 0xffff0000 : word << 16);
    } else if constexpr (std::is_same_v<T, __half>) {
      __half2 pair;
      memcpy(&pair, &words[j / 2], sizeof(pair));
      values[j] = j % 2 ? __high2float(pair) : __low2float(pair);
    } else {
      constexpr int size = sizeof(T) / sizeof(uint32_t);
      memcpy(&values[j], &words[j * size], sizeof(T));
    }
  }
}

// Rounds to T and stores. One instruction rounds two half-precision numbers.
template <class T, int Width>
__device__ void store(T *to, const compute_t<T> (&values)[Width]) {
  Pack<T, Width> pack;
#pragma unroll
  for (int j = 0; j < Width; ++j) pack.v[j] = narrow<T>(values[j]);
  *reinterpret_cast<Pack<T, Width> *>(to) = pack;
}

// n / divisor for n < 2^31 as a product and a shift: the GPU has no instruction that divides.
// (Granlund and Montgomery 1994, figure 4.1.)
class Divider {
 public:
  Divider() = default;
  explicit Divider(uint32_t divisor) : divisor_(divisor) {
    while ((uint64_t(1) << shift_) < divisor) ++shift_;
    multiplier_ = uint32_t((((uint64_t(1) << shift_) - divisor) << 32) / divisor + 1);
  }
  __device__ uint32_t divide(uint32_t n) const {
    return (__umulhi(n, multiplier_) + n) >> shift_;
  }
  // Returns n % divisor and leaves the quotient in n.
  __device__ uint32_t split(uint32_t &n) const {
    const uint32_t quotient = divide(n), rest = n - quotient * divisor_;
    n = quotient;
    return rest;
  }

 private:
  uint32_t divisor_ = 1, multiplier_ = 1, shift_ = 0;
};

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

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Null counts as aligned: nothing is read there.
inline bool aligned(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

}  // namespace stylegan2_ada
