"""What one person wears and how the hair is cut, as a few numbers drawn from a seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ffngen.appearance.look import Look, Rgb
from ffngen.appearance.skin import look_of
from ffngen.seeds import derive_generator

#: cropped: a few millimetres; short: fuller on top; fringe: short, over the forehead; long: to the jaw or beyond.
HairStyle = Literal["none", "cropped", "short", "fringe", "long"]

_CLOTHS: tuple[Rgb, ...] = (
    (0.60, 0.60, 0.58),
    (0.02, 0.02, 0.025),
    (0.03, 0.05, 0.12),
    (0.25, 0.03, 0.03),
    (0.05, 0.12, 0.07),
    (0.20, 0.20, 0.21),
    (0.35, 0.24, 0.12),
    (0.12, 0.25, 0.40),
    (0.45, 0.18, 0.22),
)
_FRAMES: tuple[Rgb, ...] = (
    (0.01, 0.01, 0.01),
    (0.05, 0.02, 0.01),
    (0.30, 0.22, 0.12),
    (0.02, 0.03, 0.08),
    (0.30, 0.30, 0.32),
)


@dataclass(frozen=True)
class Wardrobe:
    """One person's hair and clothes.

    :param hair: the cut.
    :param hair_top: millimetres of hair on the crown.
    :param hair_sides: millimetres at the sides and behind.
    :param hair_length: millimetres that long hair falls below the hairline's lower edge.
    :param parting: degrees around the skull from the front to the parting; the sign is the side.
    :param glasses: none, clear ones (frames alone) or dark ones.
    :param glasses_colour: of the frames, linear light.
    :param glasses_width: half the width of a rim, millimetres.
    :param glasses_height: half its height.
    :param glasses_squareness: exponent of the rim's curve: 2 an ellipse, 4 almost a rectangle.
    :param glasses_thickness: of the frames, millimetres.
    :param collar: none, a round neck or a turtleneck.
    :param cloth: its colour, linear light.
    """

    hair: HairStyle
    hair_top: float
    hair_sides: float
    hair_length: float
    parting: float
    glasses: Literal["none", "clear", "dark"]
    glasses_colour: Rgb
    glasses_width: float
    glasses_height: float
    glasses_squareness: float
    glasses_thickness: float
    collar: Literal["none", "round", "turtleneck"]
    cloth: Rgb

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)


def wardrobe_of(skin_seed: int) -> Wardrobe:
    """The wardrobe of the person whose skin is generated from a seed."""
    return sample_wardrobe(derive_generator(skin_seed, "wardrobe"), look_of(skin_seed))


def sample_wardrobe(rng: np.random.Generator, look: Look) -> Wardrobe:
    """What a person of that look may wear."""
    style = str(rng.choice(["cropped", "short", "fringe", "long"], p=[0.22, 0.33, 0.15, 0.30]))
    bald = look.hair_cover < 0.5
    glasses = str(rng.choice(["none", "clear", "dark"], p=[0.74, 0.22, 0.04]))
    top = {"cropped": (3, 8), "short": (12, 28), "fringe": (10, 20), "long": (10, 20)}[style]
    sides = {"cropped": (2, 5), "short": (4, 10), "fringe": (5, 12), "long": (10, 16)}[style]
    return Wardrobe(
        hair="none" if bald else style,  # type: ignore[arg-type]
        hair_top=float(rng.uniform(*top)),
        hair_sides=float(rng.uniform(*sides)),
        hair_length=float(rng.uniform(10, 120)) if style == "long" else 0.0,
        parting=float(rng.choice([-1, 1]) * rng.uniform(0, 40)),
        glasses=glasses,  # type: ignore[arg-type]
        glasses_colour=_drawn(rng, _FRAMES),
        glasses_width=float(rng.uniform(24, 28)),
        glasses_height=float(rng.uniform(17, 23)),
        glasses_squareness=float(rng.uniform(2.0, 4.5)),
        glasses_thickness=float(rng.uniform(1.4, 3.6)),
        collar="turtleneck" if rng.random() < 0.25 else "round",
        cloth=_drawn(rng, _CLOTHS),
    )


def _drawn(rng: np.random.Generator, palette: tuple[Rgb, ...]) -> Rgb:
    red, green, blue = (np.array(palette[int(rng.integers(len(palette)))]) * rng.uniform(0.7, 1.3, 3)).tolist()
    return red, green, blue
