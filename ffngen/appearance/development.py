"""From the light that falls onto the sensor to a picture's code values: image effects, which never touch the truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb, luminance
from ffngen.appearance.rigs import blackbody
from ffngen.images import decode_image, encode_jpeg

Array32 = NDArray[np.float32]

#: The white that scenes are balanced for, kelvin.
NEUTRAL_KELVIN = 6500.0

_MIDDLE_GREY = 0.18

#: Share of the noise's variance at middle grey that does not depend on the light: what reading the sensor adds.
_READ_SHARE = 0.1


@dataclass(frozen=True)
class Development:
    """How a camera turns light into a picture.

    :param exposure_stops: brighter by powers of two.
    :param white_balance_kelvin: the light that the picture is balanced for; more is warmer.
    :param motion_blur: how long the shutter is open, as a share of the time from frame to frame.
    :param noise: standard deviation of the sensor's noise at middle grey, relative to it.
    :param jpeg_quality: of a JPEG that the picture goes through; None for none.
    """

    exposure_stops: float = 0.0
    white_balance_kelvin: float = NEUTRAL_KELVIN
    motion_blur: float = 0.0
    noise: float = 0.0
    jpeg_quality: int | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)

    @property
    def is_plain(self) -> bool:
        """Whether a picture is just the light's sRGB values."""
        return self == Development(motion_blur=self.motion_blur)

    def develop(self, light: Array32, seed: int) -> NDArray[np.uint8]:
        """The picture of linear light (H, W, 3) float32, 1 is white: (H, W, 3) uint8 sRGB.

        Noise is the sensor's, before the white balance: shot noise, of a variance that grows with the light, and read
        noise.

        :param seed: of this picture's noise.
        """
        exposed = light * np.float32(2.0**self.exposure_stops)
        if self.noise > 0:
            relative = np.maximum(exposed, 0) / np.float32(_MIDDLE_GREY)
            deviation = np.sqrt((1 - _READ_SHARE) * relative + np.float32(_READ_SHARE))
            grain = np.random.default_rng(seed).standard_normal(exposed.shape, dtype=np.float32)
            exposed = exposed + np.float32(self.noise * _MIDDLE_GREY) * deviation * grain
        picture = linear_to_srgb(exposed * self._gains())
        if self.jpeg_quality is not None:
            picture = decode_image(encode_jpeg(picture, self.jpeg_quality), "image")
        return picture

    def _gains(self) -> Array32:
        """(3,) factors of red, green and blue; grey keeps its luminance."""
        gains = blackbody(NEUTRAL_KELVIN) / blackbody(self.white_balance_kelvin)
        return np.asarray(gains / luminance(gains), dtype=np.float32)
