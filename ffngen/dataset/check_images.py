"""Do the images show the motion that the geometry has? A check on the pictures, by their content alone.

A right flow F leads each pixel of I1 to the same spot of skin in I2, so that I2(x + F(x)) is I1(x) but for noise and
for light that does not move with the skin. The luma is band-passed against both. Three questions follow:

- **Is it this surface at all?** Of I1(x), I2(x + F(x)) and H2(x + H(x)), the head-only image, any two differ by much
  the same. Where two differ far more than the other two, and more than noise would, an image is another's. Where
  the head turns far in one step, I1 is seen in another light than the others; there it must also be unlike in pattern.
- **Has it moved by F?** With P(x) = I2(x + 1.5 F) - I2(x + 0.5 F), the difference I1(x) - I2(x + F) is about a P(x)
  when the image has moved by (1 + a) F. So a is 0 in a right pair, -1 where nothing moved, -2 where time runs backwards
  and 1 where a frame was skipped.
- **Which one is head-only?** By the same means: I2(x + H) - H2(x + H) is about c (I2(x + H) - I2(x + F)), with c = 1,
  and -1 where facial and head-only images are exchanged.

a and c are least-squares slopes, judged by their standard errors: of each pair, and of the sequence as a whole, so that
small motion tells as well. Shading that an expression changes adds to what c is measured on; on a skin without texture
it is all there is, and c is then anything about 0. So only a c that is nearer to -1 counts. Beside the head, all images
of a sequence are the same stationary picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.report import Failure, Fault, SequenceImages
from ffngen.flow.warp import backward_warp
from ffngen.metrics.ssim import ssim_map

#: The band of the luma, as standard deviations in pixels, and how far from the outline its edge is felt.
_FINE, _COARSE, _MARGIN = 1.0, 3.0, 4
#: The largest change of the flow from a pixel to the next, in pixels, at which detail can be compared.
_STRETCH = 0.2
#: Pixels that depend on each other by the band and by the denoiser count as one.
_CORRELATED = 20
#: Two of the three images differ too much: by so many times the least difference, and this share of the contrast more.
_TIMES_LEAST, _SHARE = 4.0, 0.5
#: Where the head moves by this share of its own width, the first image is another's only where its correlation with
#: both others is below this.
_FAR, _LIKENESS = 0.06, 0.4
#: a is wrong beyond this bound, where it is so many standard errors from 0.
_MOTION_BOUND, _MOTION_ERRORS = 0.6, 6.0
#: c is wrong below this bound, where it is so many standard errors from 1.
_EXCHANGE_BOUND, _EXCHANGE_ERRORS = -0.4, 5.0
#: Fewer pixels than these are not judged.
_PIXELS = 200
#: How far from the head JPEG's blocks and the smoothed outline are felt, pixels, and the code values that the mean over
#: the rest may differ by.
_SURROUNDINGS, _STILL_BOUND = 8, 1.0
#: Pixels: the side of squares over which the sensor's noise is averaged away; no wider than the surroundings' margin.
_UNNOISED = 9

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
Luma = NDArray[np.float32]


@dataclass(frozen=True)
class PairImages:
    """The images of one pair and the true flows, which lead from the first image to the others.

    :param image1: (H, W, 3) uint8: I^f_t.
    :param image2: I^f_{t+1}.
    :param head_image2: I^h_{t+1}.
    :param facial: (H, W, 2), pixels.
    :param head: (H, W, 2), pixels.
    :param inside: (H, W) bool: on the head, without its outlines, and seen in all three images.
    :param beside: (H, W) bool: on the head in none of the three, nor on its outline in frame t.
    """

    image1: NDArray[np.uint8]
    image2: NDArray[np.uint8]
    head_image2: NDArray[np.uint8]
    facial: NDArray[np.float64]
    head: NDArray[np.float64]
    inside: NDArray[np.bool_]
    beside: NDArray[np.bool_]


@dataclass
class _Regression:
    """A line through 0, by least squares, from the sums over pixels of its two quantities."""

    pixels: int = 0
    across: float = 0.0
    expected: float = 0.0
    measured: float = 0.0

    def add(self, measured: Luma, expected: Luma) -> None:
        self.pixels += len(measured)
        self.across += _dot(measured, expected)
        self.expected += _dot(expected, expected)
        self.measured += _dot(measured, measured)

    def pool(self, other: _Regression) -> None:
        """Add the pixels of another line."""
        self.pixels += other.pixels
        self.across += other.across
        self.expected += other.expected
        self.measured += other.measured

    def slope(self) -> tuple[float, float]:
        """The slope, and one over its standard error; 0 and 0 where nothing is expected to differ."""
        if self.expected <= 0:
            return 0.0, 0.0
        left = max(self.measured - self.across**2 / self.expected, 1e-9 * self.expected)
        return self.across / self.expected, float(np.sqrt(self.pixels / _CORRELATED * self.expected / left))


class ImageCheck:
    """Gathers what the pairs of one sequence show.

    :param sequence: its name, for failures.
    """

    def __init__(self, sequence: str) -> None:
        self._sequence = sequence
        self._similarities: list[tuple[float, float, float]] = []
        self._exchange = _Regression()
        self._motion = _Regression()
        self._failures: list[Failure] = []

    def add(self, pair: PairImages, frame: int) -> None:
        """Judge one pair, whose first image is that of a frame."""
        self._compare_surroundings(pair, frame)
        window = _window(pair)
        facial, head, inside = pair.facial[window], pair.head[window], pair.inside[window]
        plain = [_luma(image[window]) for image in (pair.image1, pair.image2, pair.head_image2)]
        first, second, head_only = (_band(luma) for luma in plain)
        warps = [
            backward_warp(*of) for of in ((second, facial), (head_only, head), (second, head), (head_only, facial))
        ]
        near = inside & _is_rigid(facial) & _is_rigid(head)
        where = cv2.erode(near.astype(np.uint8), _square(_MARGIN)) != 0
        where &= np.logical_and.reduce([valid for _, valid in warps])
        if where.sum() < _PIXELS:
            return
        warped, head_warped, crossed, head_crossed = (image[where] for image, _ in warps)
        is_far = float(np.hypot(*facial[where].T).mean()) > _FAR * np.sqrt(inside.sum())
        self._compare_surface(first[where], warped, head_warped, frame, is_far=is_far)
        self._compare_motion(first, second, facial, where, f"facial image {frame} to {frame + 1}")
        self._compare_motion(first, head_only, head, where, f"facial image {frame} to head-only {frame + 1}")
        self._exchange.add(crossed - head_warped, (crossed - warped + head_warped - head_crossed) / 2)
        pictures = (backward_warp(plain[1], facial)[0], backward_warp(plain[2], head)[0], plain[1])
        facial_ssim, head_ssim, still_ssim = (float(ssim_map(plain[0], other)[where].mean()) for other in pictures)
        self._similarities.append((facial_ssim, head_ssim, still_ssim))

    def result(self) -> tuple[SequenceImages, list[Failure]]:
        """The mean similarities over the pairs, and what is wrong."""
        slope, precision = self._exchange.slope()
        if not self._has_moved_wrong():
            self._judge_motion(self._motion, "from facial images to the next ones")
        if slope < _EXCHANGE_BOUND and (1 - slope) * precision > _EXCHANGE_ERRORS and not self._has_moved_wrong():
            what = f"they differ by {slope:.2f} of what the expression moves"
            self._fail(Fault.IMAGE_EXCHANGE, f"facial and head-only images are exchanged: {what}")
        if not self._similarities:
            return SequenceImages(None, None, None), self._failures
        facial, head, still = np.mean(self._similarities, axis=0).tolist()
        return SequenceImages(facial, head, still), self._failures

    def _compare_surroundings(self, pair: PairImages, frame: int) -> None:
        # Of all that moves, edges included.
        flows = (pair.facial[~pair.beside], pair.head[~pair.beside])
        longest = max(float(np.abs(np.nan_to_num(flow)).max(initial=0)) for flow in flows)
        reach = _SURROUNDINGS + int(np.ceil(1.5 * min(longest, max(pair.beside.shape))))
        still = cv2.erode(pair.beside.astype(np.uint8), _square(reach)) != 0
        if still.sum() < _PIXELS:
            return
        for image, name in ((pair.image2, "facial"), (pair.head_image2, "head-only")):
            changed = cv2.blur(image.astype(np.float32) - pair.image1, (_UNNOISED, _UNNOISED))
            difference = float(np.abs(changed[still]).mean())
            if difference > _STILL_BOUND:
                what = f"{name} image {frame + 1} and facial image {frame} differ by {difference:.1f} in the mean"
                self._fail(Fault.IMAGE_BACKGROUND, f"{what} beside the head, where all stands still")

    def _compare_surface(self, first: Luma, second: Luma, head_only: Luma, frame: int, *, is_far: bool) -> None:
        contrast = _dot(first, first)
        differences = [_dot(a - b, a - b) for a, b in ((first, second), (first, head_only), (second, head_only))]
        if max(differences) > _TIMES_LEAST * min(differences) + _SHARE * contrast:
            is_first = differences[2] == min(differences)
            if is_far and is_first and max(_likeness(first, second), _likeness(first, head_only)) > _LIKENESS:
                return
            shares = ", ".join(f"{difference / max(contrast, 1e-9):.0%}" for difference in differences)
            images = f"facial images {frame} and {frame + 1} and head-only {frame + 1}, moved by their flows,"
            self._fail(Fault.IMAGE_MOTION, f"{images} show no one surface: they differ by {shares} of their contrast")

    def _compare_motion(
        self, first: Luma, second: Luma, flow: NDArray[Any], where: NDArray[np.bool_], name: str
    ) -> None:
        (far, a), (near, b), (warped, _) = (backward_warp(second, scale * flow) for scale in (1.5, 0.5, 1.0))
        where = where & a & b
        line = _Regression()
        line.add((first - warped)[where], (far - near)[where])
        self._judge_motion(line, f"from {name}")
        self._motion.pool(line)

    def _judge_motion(self, line: _Regression, name: str) -> None:
        slope, precision = line.slope()
        if abs(slope) > _MOTION_BOUND and abs(slope) * precision > _MOTION_ERRORS:
            self._fail(Fault.IMAGE_MOTION, f"{name} the picture moves by {1 + slope:.2f} of the flow")

    def _has_moved_wrong(self) -> bool:
        return any(failure.fault is Fault.IMAGE_MOTION for failure in self._failures)

    def _fail(self, fault: Fault, message: str) -> None:
        self._failures.append(Failure(fault, self._sequence, message))


def _luma(image: NDArray[np.uint8]) -> Luma:
    return np.asarray(image @ _LUMA)


def _band(luma: Luma) -> Luma:
    fine = cv2.GaussianBlur(luma, (0, 0), _FINE)
    return np.asarray(fine - cv2.GaussianBlur(fine, (0, 0), _COARSE))


def _dot(one: Luma, other: Luma) -> float:
    return float(np.dot(one.astype(np.float64), other.astype(np.float64)))


def _likeness(one: Luma, other: Luma) -> float:
    """The correlation of two bands, whose means are 0."""
    return _dot(one, other) / max(float(np.sqrt(_dot(one, one) * _dot(other, other))), 1e-9)


def _is_rigid(flow: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(H, W) bool: where a flow stretches, shears and turns so little that a picture's detail stays what it was."""
    changes = [gradient for axis in (0, 1) for gradient in np.moveaxis(np.gradient(flow, axis=axis), -1, 0)]
    return np.asarray(np.max(np.abs(changes), axis=0) < _STRETCH)


def _square(reach: int) -> NDArray[np.uint8]:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)


def _window(pair: PairImages) -> tuple[slice, slice]:
    """The rows and columns that hold the head and all places that its flows lead to, and the filters' reach."""
    rows, columns = (np.flatnonzero(pair.inside.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    longest = max(float(np.abs(flow[pair.inside]).max()) for flow in (pair.facial, pair.head))
    reach = int(min(1.5 * longest, max(pair.inside.shape))) + 4 * int(_COARSE) + 1
    first, second = (slice(max(found[0] - reach, 0), found[-1] + 1 + reach) for found in (rows, columns))
    return first, second
