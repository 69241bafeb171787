// The kernels as functions of tensors: checks, layouts, and PyTorch's current device and stream.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <array>
#include <limits>
#include <optional>
#include <tuple>

#include "kernels.h"

namespace {

using at::Tensor;
using Pair = std::array<int64_t, 2>;  // vertical, horizontal
namespace kernels = stylegan2_ada;

kernels::Dtype dtype_of(const Tensor &t) {
  switch (t.scalar_type()) {
    case at::kHalf: return kernels::Dtype::f16;
    case at::kBFloat16: return kernels::Dtype::bf16;
    case at::kFloat: return kernels::Dtype::f32;
    case at::kDouble: return kernels::Dtype::f64;
    default: TORCH_CHECK_TYPE(false, "expected a floating-point tensor, got ", t.scalar_type());
  }
}

void check_alike(const Tensor &x, const Tensor &other, const char *name) {
  TORCH_CHECK(other.device() == x.device() && other.scalar_type() == x.scalar_type(), name,
              ": expected the device and dtype of the input");
}

// `other`, laid out like x; null where it is not given.
const void *data_like(std::optional<Tensor> &other, const Tensor &x, const char *name) {
  if (!other) return nullptr;
  check_alike(x, *other, name);
  TORCH_CHECK(other->sizes() == x.sizes(), name, ": expected the shape of the input");
  other = other->contiguous(x.suggest_memory_format());
  return other->const_data_ptr();
}

Tensor bias_act(Tensor in, std::optional<Tensor> bias, std::optional<Tensor> grad,
                std::optional<Tensor> grad2, int64_t dim, int act, int order, bool from_output,
                double alpha, double gain, double clamp) {
  TORCH_CHECK(in.is_cuda(), "expected a CUDA tensor");
  TORCH_CHECK(bool(grad) == (order >= 1) && bool(grad2) == (order >= 2),
              "expected as many gradients as the order");
  const c10::cuda::CUDAGuard guard(in.device());
  in = in.contiguous(in.suggest_memory_format());
  kernels::BiasAct task{};
  if (bias) {
    check_alike(in, *bias, "bias");
    TORCH_CHECK(bias->dim() == 1 && bias->size(0) == in.size(dim),
                "bias: expected one value for each of dimension ", dim);
    bias = bias->contiguous();
    task.bias = bias->const_data_ptr();
    task.bias_step = std::max<int64_t>(in.stride(dim), 1);
    task.bias_size = std::max<int64_t>(in.size(dim), 1);
  }
  Tensor out = at::empty_like(in);
  task.dtype = dtype_of(in);
  task.act = static_cast<kernels::Activation>(act);
  task.order = order;
  task.from_output = from_output;
  task.in = in.const_data_ptr();
  task.grad = data_like(grad, in, "grad");
  task.grad2 = data_like(grad2, in, "grad2");
  task.out = out.mutable_data_ptr();
  task.count = in.numel();
  task.alpha = alpha;
  task.gain = gain;
  task.clamp = clamp;
  C10_CUDA_CHECK(kernels::bias_act(task, c10::cuda::getCurrentCUDAStream()));
  return out;
}

void copy_pair(const Pair &from, int *to) {
  for (int axis = 0; axis < 2; ++axis) {
    TORCH_CHECK(std::abs(from[axis]) <= std::numeric_limits<int>::max() / 8,
                "expected sizes of less than 2 ** 28 pixels");
    to[axis] = static_cast<int>(from[axis]);
  }
}

Tensor upfirdn2d(Tensor x, Tensor taps, Pair up, Pair down, Pair lead, Pair size, bool convolve,
                 double gain) {
  TORCH_CHECK(x.is_cuda() && x.dim() == 4, "expected a CUDA tensor [N, C, H, W]");
  TORCH_CHECK(taps.device() == x.device() && taps.scalar_type() == at::kFloat && taps.dim() == 2,
              "expected a float32 filter [height, width] on the device of the input");
  const c10::cuda::CUDAGuard guard(x.device());
  const auto format = x.suggest_memory_format();
  const bool channels_last = format == at::MemoryFormat::ChannelsLast;
  x = x.contiguous(format);
  taps = taps.contiguous();
  Tensor y = at::empty({x.size(0), x.size(1), size[0], size[1]}, x.options(), format);
  kernels::Upfirdn2d task{};
  task.dtype = dtype_of(x);
  task.convolve = convolve;
  task.x = x.const_data_ptr();
  task.taps = taps.const_data_ptr<float>();
  task.y = y.mutable_data_ptr();
  task.outer = channels_last ? x.size(0) : x.size(0) * x.size(1);
  task.inner = channels_last ? x.size(1) : 1;
  copy_pair({x.size(2), x.size(3)}, task.in_size);
  copy_pair(size, task.out_size);
  copy_pair({taps.size(0), taps.size(1)}, task.taps_size);
  copy_pair(up, task.up);
  copy_pair(down, task.down);
  copy_pair(lead, task.lead);
  task.gain = gain;
  if (y.numel() == 0) return y;
  C10_CUDA_CHECK(kernels::upfirdn2d(task, c10::cuda::getCurrentCUDAStream()));
  return y;
}

// x as [images, pixels, channels]; what both directions share.
kernels::ScaledAct scaled_act_task(const Tensor &x, const Tensor &scale, double alpha,
                                   double clamp) {
  TORCH_CHECK(x.is_cuda() && x.dim() == 4, "expected a CUDA tensor [N, C, H, W]");
  TORCH_CHECK(x.is_contiguous(at::MemoryFormat::ChannelsLast), "expected channels-last");
  const auto type = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  TORCH_CHECK(scale.device() == x.device() && scale.scalar_type() == type && scale.dim() == 2 &&
                  scale.size(0) == x.size(0) && scale.size(1) == x.size(1) &&
                  scale.is_contiguous(),
              "scale: expected [N, C] in the type of computation");
  kernels::ScaledAct task{};
  task.dtype = dtype_of(x);
  task.x = x.const_data_ptr();
  task.scale = scale.const_data_ptr();
  task.images = x.size(0);
  task.pixels = x.size(2) * x.size(3);
  task.channels = x.size(1);
  task.alpha = alpha;
  task.clamp = clamp;
  return task;
}

Tensor scaled_act(Tensor x, Tensor scale, std::optional<Tensor> noise, Tensor bias, double alpha,
                  double clamp) {
  auto task = scaled_act_task(x, scale, alpha, clamp);
  const c10::cuda::CUDAGuard guard(x.device());
  check_alike(x, bias, "bias");
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == x.size(1), "bias: expected [C]");
  bias = bias.contiguous();
  task.bias = bias.const_data_ptr();
  if (noise) {
    check_alike(x, *noise, "noise");
    task.noise_each = noise->numel() == task.images * task.pixels && noise->dim() == 4;
    TORCH_CHECK(task.noise_each || noise->numel() == task.pixels,
                "noise: expected [H, W] or [N, 1, H, W]");
    noise = noise->contiguous();
    task.noise = noise->const_data_ptr();
  }
  Tensor y = at::empty_like(x);
  task.out = y.mutable_data_ptr();
  C10_CUDA_CHECK(kernels::scaled_act(task, c10::cuda::getCurrentCUDAStream()));
  return y;
}

// Gradients of x, of scale and (in each image) of bias [2, N, C], and of noise [N, H * W].
std::tuple<Tensor, Tensor, std::optional<Tensor>> scaled_act_gradient(
    Tensor x, Tensor scale, Tensor y, Tensor grad, bool has_noise, double alpha, double clamp) {
  auto task = scaled_act_task(x, scale, alpha, clamp);
  const c10::cuda::CUDAGuard guard(x.device());
  std::optional<Tensor> given = y, arrived = grad;
  task.y = data_like(given, x, "y");
  task.grad = data_like(arrived, x, "grad");
  if (reinterpret_cast<uintptr_t>(task.grad) % 16 != 0) {
    arrived = arrived->clone();
    task.grad = arrived->const_data_ptr();
  }
  const int64_t work = task.pixels * task.channels * x.element_size() / 16;  // packs an image
  task.chunks = std::max<int64_t>(1, work / 2048);  // 8 packs a thread
  Tensor dx = at::empty_like(x);
  Tensor sums = at::empty({2, task.images, task.chunks, task.channels}, scale.options());
  std::optional<Tensor> noise_grad;
  if (has_noise) {
    noise_grad = at::empty({task.images, task.pixels}, scale.options());
    task.noise_grad = noise_grad->mutable_data_ptr();
  }
  task.out = dx.mutable_data_ptr();
  task.sums = sums.mutable_data_ptr();
  C10_CUDA_CHECK(kernels::scaled_act(task, c10::cuda::getCurrentCUDAStream()));
  return {dx, task.chunks == 1 ? sums.squeeze(2) : sums.sum(2), noise_grad};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("bias_act", &bias_act);
  module.def("upfirdn2d", &upfirdn2d);
  module.def("scaled_act", &scaled_act);
  module.def("scaled_act_gradient", &scaled_act_gradient);
}
