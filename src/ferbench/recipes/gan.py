"""What a GAN is and how it is trained, as plain values: read from conf/gan/, checked here.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.errors import UserError, at_least, at_most, between, file_name, one_of, positive
from ferbench.recipes.marks import AsTyped, Neutral, Result
from ferbench.recipes.switch import switch

PIPES = (
    "blit",
    "geom",
    "color",
    "filter",
    "noise",
    "cutout",
    "bg",
    "bgc",
    "bgcf",
    "bgcfn",
    "bgcfnc",
)
SMALLEST_PX, LARGEST_PX = 6, 1024
_FROM_ONE = (
    "z_dim",
    "w_dim",
    "mapping_layers",
    "channel_base",
    "channel_max",
    "mbstd_group",
    "d_mapping_layers",
    "batch",
    "shards",
    "path_shrink",
    "ada_interval",
    "nonfinite_limit",
    "state_ticks",
    "sample_ticks",
    "score_ticks",
)
_FROM_ZERO = (
    "r1_gamma",
    "r2_gamma",
    "r1_interval",
    "path_weight",
    "path_interval",
    "aux_weight",
    "lr",
    "adam_eps",
    "collapse_diversity",
    "collapse_from_kimg",
)
_POSITIVE = (
    "total_kimg",
    "ada_ramp_kimg",
    "ema_kimg",
    "tick_kimg",
    "conv_clamp",
    "collapse_logit",
)
MOST_KIMG, LONG_TRAINING = 10_000_000, "ten billion images take years"
_NEVER = (1_000_000_000, "that is never reached")
_OFTEN = (65_536, "the images of a step are in memory together")
_WIDE = (8192, "a layer's weights grow with its square")
_DEEP = (64, "mappings of more layers do not train")
_LARGE = (1e6, "such a weight drowns all others")
_AT_MOST: dict[str, tuple[float, str]] = {
    "z_dim": _WIDE,
    "w_dim": _WIDE,
    "channel_max": _WIDE,
    "channel_base": (1 << 20, "a layer's weights grow with its square"),
    "mapping_layers": _DEEP,
    "d_mapping_layers": _DEEP,
    "conv_clamp": (65_504, "float16 ends there"),
    "batch": _OFTEN,
    "shards": _OFTEN,
    "mbstd_group": _OFTEN,
    "lr": (100, "every step would break the weights"),
    "adam_eps": (1, "steps would vanish"),
    "r1_gamma": _LARGE,
    "r2_gamma": _LARGE,
    "path_weight": _LARGE,
    "ema_rampup": (1e6, "that is no bound"),
    "collapse_diversity": (1e6, "that is never reached"),
    "collapse_logit": (1e9, "that is never reached"),
    "score_per_class": (100_000, "their features are in memory together"),
    **dict.fromkeys(("total_kimg", "ema_kimg"), (MOST_KIMG, LONG_TRAINING)),
    **dict.fromkeys(("ada_ramp_kimg", "tick_kimg", "collapse_from_kimg"), _NEVER),
    **dict.fromkeys(("r1_interval", "path_interval", "ada_interval", "path_shrink"), _NEVER),
    **dict.fromkeys(("nonfinite_limit", "state_ticks", "sample_ticks", "score_ticks"), _NEVER),
}


@dataclass(frozen=True)
class GanSchedule:
    """Factors of settings over a run: points [kimg, factor] with straight lines between them."""

    lr: Result[list[list[float]]]
    penalty: Result[list[list[float]]]
    augment_p: Result[list[list[float]]]

    def __post_init__(self) -> None:
        for key in ("lr", "penalty", "augment_p"):
            points = getattr(self, key)
            whole = all(
                len(point) == 2 and all(0 <= number <= MOST_KIMG for number in point)
                for point in points
            )
            kimg = [point[0] for point in points] if whole else []
            if not whole or kimg != sorted(set(kimg)):
                raise UserError(
                    f"gan.schedule.{key}={points}: expected [kimg, factor] pairs with rising kimg, "
                    "such as [[0,1],[2000,0.1]]"
                )

    @property
    def off(self) -> bool:
        """Whether nothing changes over the run."""
        return not (self.lr or self.penalty or self.augment_p)


@dataclass(frozen=True)
class GanRecipe:
    """Networks, losses, augmentation and reports of a GAN: values in conf/gan/, explained there."""

    name: Neutral[str]
    kind: Result[str]
    res: Result[int]
    conditional: Result[bool]
    scalar_label: Result[bool]
    z_dim: Result[int]
    w_dim: Result[int]
    mapping_layers: Result[int]
    channel_base: Result[int]
    channel_max: Result[int]
    architecture: Result[str]
    d_mapping_layers: Result[int]
    mbstd_group: Result[int]
    conv_clamp: Result[float]
    total_kimg: Neutral[float]
    batch: Result[int]
    shards: Result[int]
    class_sampling: Result[str]
    mirror: Result[bool]
    lr: Result[float]
    adam_beta1: Result[float]
    adam_beta2: Result[float]
    adam_eps: Result[float]
    loss: Result[str]
    r1_gamma: Result[float]
    r2_gamma: Result[float]
    r1_interval: Result[int]
    path_weight: Result[float]
    path_interval: Result[int]
    path_decay: Result[float]
    path_shrink: Result[int]
    style_mixing: Result[float]
    label_smoothing: Result[float]
    aux_weight: Result[float]
    noise: Result[str]
    reuse_fakes: Result[bool]
    regularizer_fp32: Result[bool]
    compile: Result[bool]
    graphs: Neutral[str]
    schedule: Result[GanSchedule]
    augment: Result[str]
    pipe: Result[str]
    augment_p: Result[float]
    p_max: Result[float]
    ada_target: Result[float]
    ada_interval: Result[int]
    ada_ramp_kimg: Result[float]
    diff_policy: Result[AsTyped[str]]
    ema_kimg: Result[float]
    ema_rampup: Result[float | None]
    nonfinite_limit: Result[int]
    tick_kimg: Result[float]
    state_ticks: Neutral[int]
    sample_ticks: Neutral[int]
    score_ticks: Neutral[int]
    score_per_class: Neutral[int]
    select: Neutral[str]
    collapse_diversity: Neutral[float]
    collapse_logit: Neutral[float]
    collapse_from_kimg: Neutral[float]
    stop_on_collapse: Neutral[bool]

    def __post_init__(self) -> None:
        file_name("gan.name", self.name)
        check_resolution("gan.res", self.res)
        one_of("gan.kind", self.kind, ("stylegan2", "acgan", "cgan"))
        one_of("gan.architecture", self.architecture, ("resnet", "orig", "skip"))
        one_of("gan.class_sampling", self.class_sampling, ("natural", "sqrt", "balanced"))
        one_of("gan.noise", self.noise, ("random", "const", "none"))
        one_of("gan.augment", self.augment, ("ada", "fixed", "diffaugment", "none"))
        one_of("gan.pipe", self.pipe, PIPES)
        one_of("gan.loss", self.loss, ("logistic", "relativistic"))
        switch("gan.graphs", self.graphs)
        if self.schedule.augment_p and self.augment != "fixed":
            raise UserError(
                f"gan.schedule.augment_p: expected gan.augment=fixed with it, not {self.augment}"
            )
        one_of("gan.select", self.select, ("distance", "accuracy"))
        for policy in self.diff_policy.split(","):
            one_of("gan.diff_policy", policy, ("color", "translation", "cutout"))
        self._check_bounds()
        if self.batch % self.shards:
            raise UserError(
                f"gan.batch={self.batch}: expected a multiple of gan.shards={self.shards}"
            )
        if self.path_interval and self.batch // self.shards < self.path_shrink:
            raise UserError(
                f"gan.path_shrink={self.path_shrink}: expected at most the {self.batch} images of a"
                f" batch divided by gan.shards={self.shards}"
            )

        self._check_kind()

    def _check_kind(self) -> None:
        """Refuse what the networks of this kind do not have."""
        kind = self.kind
        if kind == "acgan" and not self.conditional:
            raise UserError("gan.conditional=false: an acgan needs classes; expected gan.kind=cgan")
        if (kind == "acgan") != (self.aux_weight > 0):
            raise UserError(
                f"gan.aux_weight={self.aux_weight}: expected more than 0 with gan.kind=acgan, and "
                "0 with the others"
            )
        if self.scalar_label and (kind != "stylegan2" or not self.conditional):
            raise UserError(
                "gan.scalar_label=true: the label as the condition of a stylegan2; expected "
                "gan.kind=stylegan2 gan.conditional=true"
            )
        for key in ("path_interval", "style_mixing") if kind != "stylegan2" else ():
            if getattr(self, key):
                raise UserError(
                    f"gan.{key}={getattr(self, key)}: gan.kind={kind} has no styles; expected 0"
                )

    def _check_bounds(self) -> None:
        for key, (high, why) in _AT_MOST.items():
            at_most(f"gan.{key}", getattr(self, key), high, why)
        for key in _FROM_ONE:
            at_least(f"gan.{key}", getattr(self, key), 1)
        for key in _FROM_ZERO:
            at_least(f"gan.{key}", getattr(self, key), 0)
        for key in (
            "total_kimg",
            "ada_ramp_kimg",
            "ema_kimg",
            "tick_kimg",
            "conv_clamp",
            "collapse_logit",
        ):
            positive(f"gan.{key}", getattr(self, key))
        for key in ("style_mixing", "augment_p", "p_max", "path_decay"):
            between(f"gan.{key}", getattr(self, key), 0, 1)
        for key in ("adam_beta1", "adam_beta2"):
            between(f"gan.{key}", getattr(self, key), 0, 0.9999)
        between("gan.label_smoothing", self.label_smoothing, 0, 0.49)
        between("gan.ada_target", self.ada_target, -1, 1)
        at_least("gan.score_per_class", self.score_per_class, 2)
        if self.ema_rampup is not None:
            positive("gan.ema_rampup", self.ema_rampup)


def check_resolution(key: str, res: int) -> None:
    """Refuse sizes that the networks do not have."""
    sizes = [size for k in range(1, 9) for size in (3 * 2**k, 4 * 2**k)]
    allowed = sorted(size for size in sizes if SMALLEST_PX <= size <= LARGEST_PX)
    if res not in allowed:
        near = sorted(allowed, key=lambda size: abs(size - res))[:4]
        raise UserError(
            f"{key}={res}: expected 2^k or 3 * 2^k pixels, such as "
            f"{', '.join(map(str, sorted(near)))}"
        )
