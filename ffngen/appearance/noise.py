"""Noise in space: functions of place, so that what is painted with them has no seams in an atlas."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

#: Roughness of noise with octaves down to the finest, and of noise whose coarsest features stand out.
FRACTAL, FINE = 1.0, 0.5

#: Voxels along a side of the noise volume; it repeats beyond them.
SIDE = 96

Array32 = NDArray[np.float32]


class SpatialNoise:
    """Noise of zero mean and unit deviation over space, another one for each call.

    All come from one volume per roughness, made once per process; a random rotation and offset make
    each pattern a new one.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def __call__(self, points: Array32, wavelength: float, *, roughness: float = FRACTAL) -> Array32:
        """Evaluate a new pattern.

        :param points: (N, 3) float32.
        :param wavelength: of the coarsest features, in the unit of ``points``.
        :param roughness: 0: features of that size alone; 1: each octave half as strong as the one before.
        :returns: (N,) float32.
        """
        rotation = Rotation.random(random_state=self._rng).as_matrix().astype(np.float32)
        offset = self._rng.uniform(0, SIDE, 3).astype(np.float32)
        coarsest = SIDE / _COARSEST
        axes = rotation * np.float32(coarsest / wavelength)
        # No BLAS: its sums may depend on the number of threads.
        x, y, z = points.T
        coordinates = [
            x * axis[0] + y * axis[1] + z * axis[2] + start for axis, start in zip(axes, offset, strict=True)
        ]
        values = map_coordinates(_volume(roughness), coordinates, order=1, mode="grid-wrap", output=np.float32)
        return cast(Array32, values)


#: Periods of the coarsest features along a side of the volume.
_COARSEST = 6.0


@lru_cache(maxsize=4)
def _volume(roughness: float) -> Array32:
    """(SIDE, SIDE, SIDE) float32, periodic: white noise filtered to a power law above the coarsest frequency."""
    white = np.random.default_rng(0).standard_normal((SIDE, SIDE, SIDE), dtype=np.float32)
    spectrum = scipy.fft.rfftn(white)
    full = scipy.fft.fftfreq(SIDE, 1 / SIDE).astype(np.float32)
    half = scipy.fft.rfftfreq(SIDE, 1 / SIDE).astype(np.float32)
    frequency = np.sqrt(full[:, None, None] ** 2 + full[None, :, None] ** 2 + half[None, None, :] ** 2)
    ratio = np.maximum(frequency, 1) / _COARSEST
    # An octave of a 3-D field of spectral amplitude f^-p has a deviation of f^(1.5 - p).
    falloff = ratio ** np.float32(-1.5 - 1 / max(roughness, 1e-3))
    rise = np.minimum(ratio, 1) ** 4
    spectrum *= np.where(ratio > 1, falloff, rise)
    spectrum[0, 0, 0] = 0
    volume = scipy.fft.irfftn(spectrum, s=white.shape)
    volume /= volume.std()
    return cast(Array32, volume.astype(np.float32))


def smoothstep(low: float, high: float, x: Array32) -> Array32:
    """0 below ``low``, 1 above ``high``, a smooth cubic between; ``low > high`` falls instead."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return cast(Array32, t * t * (3 - 2 * t))
