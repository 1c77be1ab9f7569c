"""What one person looks like, as a few numbers drawn from a seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Rgb = tuple[float, float, float]

#: Natural colours of hair, linear light, with the range of skin melanin in which each is common.
_HAIR: tuple[tuple[Rgb, float, float, float], ...] = (
    # colour, lowest and highest melanin, weight
    ((0.007, 0.006, 0.005), 0.15, 1.0, 3.0),
    ((0.022, 0.013, 0.008), 0.0, 1.0, 3.0),
    ((0.055, 0.030, 0.016), 0.0, 0.55, 2.5),
    ((0.120, 0.070, 0.036), 0.0, 0.35, 2.0),
    ((0.270, 0.180, 0.090), 0.0, 0.22, 1.5),
    ((0.150, 0.052, 0.020), 0.0, 0.15, 0.7),
    ((0.120, 0.115, 0.110), 0.0, 1.0, 0.5),
)

#: Natural colours of the iris, linear light, with the range of skin melanin in which each is common.
_IRIS: tuple[tuple[Rgb, float, float, float], ...] = (
    ((0.024, 0.011, 0.006), 0.2, 1.0, 3.0),
    ((0.075, 0.034, 0.014), 0.0, 1.0, 3.0),
    ((0.120, 0.075, 0.028), 0.0, 0.5, 1.5),
    ((0.105, 0.125, 0.060), 0.0, 0.35, 1.2),
    ((0.095, 0.165, 0.260), 0.0, 0.3, 2.2),
    ((0.150, 0.185, 0.205), 0.0, 0.3, 1.2),
)

#: The colours alone.
NATURAL_HAIR: tuple[Rgb, ...] = tuple(colour for colour, *_ in _HAIR)


@dataclass(frozen=True)
class Look:
    """One person's colouring.

    :param melanin: 0.08 the lightest human skin, 1 the darkest.
    :param haemoglobin: 0 pale, 1 flushed.
    :param blotchiness: strength of uneven colouring, around 1.
    :param freckles: 0 to 1.
    :param moles: how many.
    :param lip_strength: how much redder lips are than skin, around 1.
    :param hair: colour in linear light.
    :param hair_cover: 0 bald, 1 dense hair.
    :param hairline: height of the hairline at the middle of the forehead, millimetres above the eyes.
    :param recession: how much higher it is at the temples, millimetres.
    :param brow_thickness: around 1.
    :param brow_density: around 1.
    :param beard: 0 none, 1 a dense short beard.
    :param iris: colour in linear light.
    :param redness_of_eyes: strength of the veins of the sclera, around 1.
    :param age: 0 the smoothest skin of an adult, 1 the most wrinkled.
    :param pores: how deep they are, around 1.
    """

    melanin: float
    haemoglobin: float
    blotchiness: float
    freckles: float
    moles: int
    lip_strength: float
    hair: Rgb
    hair_cover: float
    hairline: float
    recession: float
    brow_thickness: float
    brow_density: float
    beard: float
    iris: Rgb
    redness_of_eyes: float
    age: float
    pores: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)


def sample_look(rng: np.random.Generator) -> Look:
    """A person; colours of hair and eyes go with that of the skin, everything else is independent."""
    melanin = float(rng.uniform(0.08, 1.0))
    bearded = rng.random() < 0.35
    receding = rng.random() < 0.3
    bald = rng.random() < 0.12
    freckled = rng.random() < 0.25 and melanin < 0.4
    return Look(
        melanin=melanin,
        haemoglobin=float(rng.uniform(0.1, 0.9)),
        blotchiness=float(rng.uniform(0.6, 1.4)),
        freckles=float(rng.uniform(0.2, 1.0)) if freckled else 0.0,
        moles=int(rng.integers(2, 14)),
        lip_strength=float(rng.uniform(0.6, 1.3)),
        hair=_natural(rng, _HAIR, melanin),
        hair_cover=float(rng.uniform(0.0, 0.25)) if bald else float(rng.uniform(0.8, 1.0)),
        hairline=float(rng.uniform(60, 74)),
        recession=float(rng.uniform(8, 22)) if receding else float(rng.uniform(0, 6)),
        brow_thickness=float(rng.uniform(0.7, 1.25)),
        brow_density=float(rng.uniform(0.7, 1.2)),
        beard=float(rng.uniform(0.1, 1.0)) if bearded else 0.0,
        iris=_natural(rng, _IRIS, melanin),
        redness_of_eyes=float(rng.uniform(0.4, 1.4)),
        age=float(rng.beta(1.2, 1.8)),
        pores=float(rng.uniform(0.5, 1.5)),
    )


def _natural(rng: np.random.Generator, palette: tuple[tuple[Rgb, float, float, float], ...], melanin: float) -> Rgb:
    weights = np.array([weight * (low <= melanin <= high) for _, low, high, weight in palette])
    colour = np.array(palette[int(rng.choice(len(palette), p=weights / weights.sum()))][0])
    red, green, blue = (colour * rng.uniform(0.8, 1.25) * rng.uniform(0.95, 1.05, 3)).tolist()
    return red, green, blue
