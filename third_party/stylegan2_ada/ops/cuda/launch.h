// One way to start a kernel: `launch(kernel, blocks, threads, stream, argument)`.
#ifndef STYLEGAN2_ADA_LAUNCH_H
#define STYLEGAN2_ADA_LAUNCH_H

#include <cuda_runtime.h>

#include <cstdint>

namespace stylegan2_ada {

template <class Argument>
cudaError_t launch(void (*kernel)(Argument), int64_t blocks, unsigned threads,
                   cudaStream_t stream, Argument argument) {
  if (blocks == 0) return cudaSuccess;  // an empty tensor
  if (blocks > INT32_MAX) return cudaErrorInvalidValue;
  kernel<<<unsigned(blocks), threads, 0, stream>>>(argument);
  return cudaGetLastError();
}

}  // namespace stylegan2_ada

#endif
