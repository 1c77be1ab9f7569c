"""One picture that an avatar is fitted to: what it shows, where the head is in it, and what stands behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ffngen.geometry.camera import Camera
from ffngen.params.parameter_set import ParameterSet

Array32 = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FitView:
    """A picture with its truth.

    :param image: (H, W, 3) float32 sRGB, 0 to 1.
    :param inside: (H, W) bool: the head.
    :param counted: (H, W) bool: what the fit is judged by; false on what the person wears.
    :param background: (H, W, 3) float32 sRGB: what stands behind the head; beside it the image itself, and behind it
        the colour of the nearest pixel beside it.
    :param camera: of that size.
    :param vertices: (V, 3), metres, world: the head.
    """

    image: Array32
    inside: Bools
    counted: Bools
    background: Array32
    camera: Camera
    vertices: NDArray[Any]

    @property
    def outline(self) -> Bools:
        """(H, W) bool: pixels beside the mask's edge, which are in part the head's and in part the background's."""
        return np.asarray(ndimage.binary_dilation(self.inside) ^ ndimage.binary_erosion(self.inside, border_value=1))

    def before_background(self, colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
        """(H, W, 3): a rendered head, its colour times alpha and its alpha, before the background."""
        return np.asarray(colour + (1 - alpha[..., None]) * self.background)


@dataclass(frozen=True)
class ViewSource:
    """A view that is read when it is asked for.

    :param name: for people: which picture it is.
    :param load: reads it, with its longer side scaled to at most so many pixels.
    """

    name: str
    load: Callable[[int], FitView]


@dataclass(eq=False)
class Person:
    """A person's pictures.

    :param neutral: (V, 3) float32, metres: the face without expression.
    :param parameters: the first picture's, where a tracker made them.
    :param digest: of the pictures, as text.
    """

    neutral: Array32
    parameters: ParameterSet | None = None
    views: list[ViewSource] = field(default_factory=list)
    digest: str = ""


def make_view(
    image: NDArray[np.uint8],
    inside: Bools,
    camera: Camera,
    vertices: NDArray[Any],
    longest: int,
    *,
    left_out: Bools | None = None,
) -> FitView:
    """A view, scaled.

    :param image: (H, W, 3) uint8.
    :param inside: (H, W): the head.
    :param camera: of the image.
    :param longest: pixels of the longer side; smaller images stay as they are.
    :param left_out: (H, W): what is not the head's, though it may be before it.
    """
    height, width = inside.shape
    factor = min(1.0, longest / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))

    def share(mask: Bools) -> Array32:
        return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA), dtype=np.float32)

    small: Array32 = cv2.resize(image.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)
    worn = np.zeros_like(inside) if left_out is None else left_out
    head = share(inside & ~worn) >= 0.5
    # Pixels beside what is worn are in part of its colour, or in its shadow.
    near = ndimage.binary_dilation(share(worn) > 0, iterations=2)
    counted = ~near if worn.any() else np.ones_like(head)
    beside = ~ndimage.binary_dilation(share(inside | worn) > 0)
    background = small.copy()
    if beside.any():
        _, (row, column) = ndimage.distance_transform_edt(~beside, return_indices=True)
        background = small[row, column]
    return FitView(small, head, counted, background, camera.resized(*size), vertices)
