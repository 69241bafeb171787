"""The controller of adaptive augmentation."""


def ada_step(
    p: float,
    sign_mean: float,
    *,
    target: float,
    images: int,
    ramp_kimg: float,
    p_max: float,
) -> float:
    """Next augmentation probability (Karras et al. 2020, limited data, section 3).

    sign_mean: mean sign of D's real logits in [-1, 1] since the last step; the more it exceeds
    `target`, the more D overfits. p keeps its value where the two are equal.
    images: real images shown since then; p moves by images / (1000 * ramp_kimg).
    p_max: upper bound of p, in [0, 1].
    """
    step = images / (1000 * ramp_kimg)
    step *= (sign_mean > target) - (sign_mean < target)
    return min(max(p + step, 0.0), p_max)
