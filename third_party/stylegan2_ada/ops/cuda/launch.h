// One way to start a kernel: `launch(kernel, blocks, threads, stream, argument)`.
#ifndef STYLEGAN2_ADA_LAUNCH_H
#define STYLEGAN2_ADA_LAUNCH_H

#include <cuda_runtime.h>

namespace stylegan2_ada {

template <class Argument>
cudaError_t launch(void (*kernel)(Argument), unsigned blocks, unsigned threads,
                   cudaStream_t stream, Argument argument) {
  if (blocks == 0) return cudaSuccess;  // an empty tensor
  kernel<<<blocks, threads, 0, stream>>>(argument);
  return cudaGetLastError();
}

}  // namespace stylegan2_ada

#endif
