"""What pictures are judged by, on pictures made for it."""

from __future__ import annotations

import cv2
import numpy as np

from ffngen.dataset.check_images import ImageCheck, PairImages
from ffngen.dataset.report import Fault

SIZE = 160
INSIDE = np.zeros((SIZE, SIZE), bool)
INSIDE[30:130, 30:130] = True


def pattern(seed: int, sigma: float = 2.0) -> np.ndarray:
    """(H, W) smooth noise, its standard deviation 1."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(SIZE, SIZE)), (0, 0), sigma)
    return noise / noise.std()


def moved(image: np.ndarray, u: float) -> np.ndarray:
    """The same, ``u`` pixels further right."""
    return cv2.warpAffine(image, np.float32([[1, 0, u], [0, 1, 0]]), (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT)


def picture(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(128 + 20 * values, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def judge(first: np.ndarray, second: np.ndarray, head_only: np.ndarray, facial: float, head: float) -> set[Fault]:
    flows = [np.stack([np.full((SIZE, SIZE), u), np.zeros((SIZE, SIZE))], -1) for u in (facial, head)]
    check = ImageCheck("made")
    check.add(PairImages(*map(picture, (first, second, head_only)), *flows, INSIDE, np.zeros_like(INSIDE)), 1)
    return {failure.fault for failure in check.result()[1]}


def test_a_head_that_turns_far_is_seen_in_another_light() -> None:
    """Half of the pattern is light, which the second and the head-only picture share, and the first has not."""
    skin, light = pattern(0), pattern(1)
    later = moved(0.6 * skin + 0.9 * light, 12)
    assert judge(skin, later, later, 12, 12) == set()
    # Another's picture has no part of the skin; and where nothing moves far, light does not change so much.
    other = moved(pattern(2), 12)
    assert Fault.IMAGE_MOTION in judge(skin, other, other, 12, 12)
    still = moved(0.6 * skin + 0.9 * light, 2)
    assert Fault.IMAGE_MOTION in judge(skin, still, still, 2, 2)


def test_shading_that_an_expression_changes_is_no_exchange() -> None:
    skin = pattern(3, 3.0)
    second, head_only = moved(skin, 3), moved(skin, 2)
    assert judge(skin, second, head_only, 3, 2) == set()
    assert judge(skin, head_only, second, 3, 2) == {Fault.IMAGE_EXCHANGE}
    # Shading that undoes the motion and a little more: what is left of c is just below 0.
    shaded = second - 1.2 * (second - head_only)
    assert Fault.IMAGE_EXCHANGE not in judge(skin, shaded, head_only, 3, 2)
