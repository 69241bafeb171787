// The kernels, run on the CPU, as C functions. Returns 0 on success.
#include "grid.h"

#include "bias_act.cu"
#include "fir_packs.cu"
#include "fir_tiles.cu"
#include "scaled_act.cu"
#include "upfirdn2d.cu"

extern "C" int bias_act(const stylegan2_ada::BiasAct *task) {
  return stylegan2_ada::bias_act(*task, nullptr);
}

extern "C" int upfirdn2d(const stylegan2_ada::Upfirdn2d *task) {
  return stylegan2_ada::upfirdn2d(*task, nullptr);
}

extern "C" int scaled_act(const stylegan2_ada::ScaledAct *task) {
  return stylegan2_ada::scaled_act(*task, nullptr);
}

extern "C" const char *last_argument() { return emulated::argument; }

extern "C" int64_t last_wide_loads() { return emulated::wide_loads; }
