"""Who a toy face is and how it is photographed: the parameters and how they are drawn at random."""

from dataclasses import dataclass, fields

import numpy as np

# Share of the photographs with each thing in front of the face.
OCCLUDERS = {"none": 0.74, "glasses": 0.1, "strands": 0.07, "caption": 0.05, "hand": 0.04}


@dataclass(frozen=True)
class Identity:
    """What stays when the expression changes. Lengths in face-frame pixels, tones in [0, 1]."""

    head_half_width: float
    chin_y: float
    jaw: float  # width of the jaw's corner, share of the head's
    chin: float  # width of the chin, share of the head's
    eye_x: float
    eye_y: float
    eye_half_width: float
    eye_opening: float  # share of the usual opening
    eye_tilt: float  # how much higher the outer corner is
    iris_radius: float
    iris_tone: float
    brow_gap: float  # from the eye's center up to the brow
    brow_arch: float
    brow_thickness: float  # half of it, where it is thickest
    brow_density: float
    nose_half_width: float
    nose_y: float
    nose_relief: float
    mouth_y: float
    mouth_half_width: float
    lip_thickness: float
    lip_tone: float  # share of the skin's tone
    lip_parting: float  # 0 smiles with closed lips, 1 shows the teeth
    cheek: float  # relief of the cheekbones
    skin_tone: float
    age: float  # depth of the wrinkles at rest, [0, 1]
    hair_tone: float
    hairline_y: float
    hair_volume: float
    hair_parting_x: float
    hair_length: float  # [0, 1]: below 0.15 bald, above 0.65 falls beside the jaw
    beard: float  # [0, 1]: up to 0.7 none
    asymmetry: float  # AU intensities are 1 - a on the image's left side and 1 + a on the other


@dataclass(frozen=True)
class View:
    """What changes from one photograph of a person to the next. Angles in radians."""

    roll: float
    yaw: float
    pitch: float
    scale: float
    shift_x: float  # pixels
    shift_y: float
    light_azimuth: float  # 0 from the camera, negative from the image's left
    light_elevation: float
    ambient: float  # share of the light that has no direction
    background: float  # tone
    contrast: float
    brightness: float
    blur: float  # standard deviation, pixels
    noise: float  # standard deviation, gray levels of 255
    occluder: str  # one of OCCLUDERS
    detail_seed: int  # background shapes, the occluder's place, the sensor's noise


@dataclass(frozen=True)
class FaceParameters:
    """All that an image depends on. action_units: 13 intensities in the order of ACTION_UNITS."""

    identity: Identity
    view: View
    action_units: tuple[float, ...]


# Each person is drawn uniformly from these ranges.
IDENTITY_RANGES: dict[str, tuple[float, float]] = {
    "head_half_width": (15.3, 18.3),
    "chin_y": (20.3, 23.0),
    "jaw": (0.74, 0.92),
    "chin": (0.40, 0.60),
    "eye_x": (7.4, 8.9),
    "eye_y": (-5.4, -3.6),
    "eye_half_width": (3.5, 4.4),
    "eye_opening": (0.85, 1.15),
    "eye_tilt": (-0.5, 0.9),
    "iris_radius": (1.75, 2.15),
    "iris_tone": (0.05, 0.45),
    "brow_gap": (4.6, 6.0),
    "brow_arch": (0.2, 1.2),
    "brow_thickness": (0.7, 1.4),
    "brow_density": (0.65, 1.0),
    "nose_half_width": (3.0, 4.3),
    "nose_y": (5.0, 7.0),
    "nose_relief": (0.75, 1.25),
    "mouth_y": (11.8, 13.6),
    "mouth_half_width": (5.8, 7.4),
    "lip_thickness": (0.75, 1.3),
    "lip_tone": (0.6, 0.85),
    "lip_parting": (0.0, 1.0),
    "cheek": (0.4, 1.4),
    "skin_tone": (0.36, 0.86),
    "age": (0.0, 1.0),
    "hair_tone": (0.04, 0.5),
    "hairline_y": (-20.0, -16.0),
    "hair_volume": (0.6, 3.2),
    "hair_parting_x": (-9.0, 9.0),
    "hair_length": (0.05, 1.0),
    "beard": (0.0, 0.85),
    "asymmetry": (-0.12, 0.12),
}
# Each photograph: (mean, standard deviation, largest distance from the mean) of a normal variable.
VIEW_SPREAD: dict[str, tuple[float, float, float]] = {
    "roll": (0.0, 0.12, 0.3),
    "yaw": (0.0, 0.11, 0.25),
    "pitch": (0.0, 0.07, 0.16),
    "scale": (1.03, 0.07, 0.15),
    "shift_x": (0.0, 1.4, 3.2),
    "shift_y": (-0.3, 1.4, 3.2),
    "light_azimuth": (0.0, 0.6, 1.1),
    "light_elevation": (0.4, 0.25, 0.6),
    "ambient": (0.5, 0.1, 0.2),
    "background": (0.45, 0.25, 0.45),
    "contrast": (1.0, 0.12, 0.3),
    "brightness": (0.0, 0.05, 0.12),
    "blur": (0.3, 0.15, 0.3),
    "noise": (3.5, 2.0, 3.5),
}

AVERAGE_IDENTITY = Identity(**{name: (a + b) / 2 for name, (a, b) in IDENTITY_RANGES.items()})
STUDIO = View(  # straight on, soft light from above, no noise: for sheets, tests and AU studies
    **{name: mean for name, (mean, _, _) in VIEW_SPREAD.items()} | {"noise": 0.0, "blur": 0.0},
    occluder="none",
    detail_seed=0,
)


def sample_identity(rng: np.random.Generator) -> Identity:
    """A person: every trait uniform in its range."""
    low, high = np.array([IDENTITY_RANGES[field.name] for field in fields(Identity)]).T
    return Identity(*rng.uniform(low, high).tolist())


def sample_view(rng: np.random.Generator) -> View:
    """A photograph: clipped normal pose, light and camera, and sometimes an occluder."""
    mean, deviation, most = np.array(list(VIEW_SPREAD.values())).T
    values = mean + np.clip(deviation * rng.standard_normal(len(mean)), -most, most)
    occluder = str(rng.choice(list(OCCLUDERS), p=list(OCCLUDERS.values())))
    numbers = dict(zip(VIEW_SPREAD, values.tolist(), strict=True))
    return View(**numbers, occluder=occluder, detail_seed=int(rng.integers(2**32)))
