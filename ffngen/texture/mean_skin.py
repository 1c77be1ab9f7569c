"""The skin that is known before a person is seen: everybody's lips, cheeks and lids, in the person's tone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import srgb_to_linear
from ffngen.appearance.look import Look
from ffngen.appearance.pigment import HAEMOGLOBIN, MELANIN, skin_albedo
from ffngen.appearance.skin import paint
from ffngen.head.model import HeadModel

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]
Rgb3 = tuple[float, float, float]

#: Linear light; what eyes and brows are painted with where none were seen.
_BROWN: Rgb3 = (0.055, 0.028, 0.013)
_DARK: Rgb3 = (0.022, 0.013, 0.008)

#: The melanin and the haemoglobin of a skin that stands for all.
MEAN_PIGMENTS = (0.3, 0.5)

#: Of people, in the mean and as standard deviations: melanin's is so wide that no tone is likelier than another. And by
#: how much skin's colour deviates from what the two make, as a logarithm.
_TONES_MEAN, _TONES_SPREAD = (0.5, 0.5), (0.6, 0.25)
_OTHER_PIGMENTS = 0.03

#: Pores and mottling come from one seed for everybody.
_SEED = 0


def mean_look(melanin: float, haemoglobin: float, iris: Rgb3 | None = None, hair: Rgb3 | None = None) -> Look:
    """A beardless person without marks, of a given tone; bald where no colour of hair (linear light) is given."""
    return Look(
        melanin=melanin,
        haemoglobin=haemoglobin,
        blotchiness=0.6,
        freckles=0.0,
        moles=0,
        lip_strength=0.9,
        hair=_DARK if hair is None else hair,
        hair_cover=0.0 if hair is None else 0.95,
        hairline=67.0,
        recession=3.0,
        brow_thickness=0.95,
        brow_density=0.9,
        beard=0.0,
        iris=_BROWN if iris is None else iris,
        redness_of_eyes=0.8,
        age=0.0,
        pores=1.0,
    )


def tone_prior() -> tuple[Array64, Array64]:
    """What tones people have, as logarithms over that of :data:`MEAN_PIGMENTS`: mean (3,) and precision (3, 3)."""
    pigments = np.stack([MELANIN, HAEMOGLOBIN]).astype(np.float64)
    mean = (np.array(MEAN_PIGMENTS) - np.array(_TONES_MEAN)) @ pigments
    covariance = pigments.T @ np.diag(np.square(_TONES_SPREAD)) @ pigments + _OTHER_PIGMENTS**2 * np.eye(3)
    return mean, np.linalg.inv(covariance)


def paint_mean_skin(model: HeadModel, look: Look, size: int) -> Array32:
    """(size, size, 3) float32: albedo of a look, linear sRGB; row 0 is at v = 1.

    :raises HeadModelError: as :func:`ffngen.appearance.skin.generate_texture`.
    """
    return srgb_to_linear(paint(model, look, np.random.default_rng(_SEED), size)[..., :3])


def pigments_of(albedo: Array64) -> tuple[float, float]:
    """The melanin and the haemoglobin whose colour is nearest to an albedo (3,), by the ratio of colours."""
    melanin, haemoglobin = (
        grid.ravel().astype(np.float32) for grid in np.meshgrid(np.linspace(0.0, 1.1, 56), np.linspace(0.0, 1.2, 41))
    )
    distance = np.abs(np.log(skin_albedo(melanin, haemoglobin) / np.maximum(albedo, 1e-3))).sum(axis=1)
    nearest = int(distance.argmin())
    return float(melanin[nearest]), float(haemoglobin[nearest])
