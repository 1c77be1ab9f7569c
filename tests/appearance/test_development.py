"""Image effects, measured in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from ffngen.appearance.colour import linear_to_srgb, srgb_to_linear
from ffngen.appearance.development import Development

WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


def grey(level: float, size: int = 200) -> np.ndarray:
    return np.full((size, size, 3), level, dtype=np.float32)


def test_plain_is_the_lights_own_values() -> None:
    light = np.random.default_rng(0).uniform(0, 1.2, (20, 30, 3)).astype(np.float32)
    assert Development(motion_blur=0.5).is_plain
    assert not Development(noise=0.01).is_plain
    np.testing.assert_array_equal(Development().develop(light, 0), linear_to_srgb(light))


@pytest.mark.parametrize("stops", [-2.0, -0.5, 1.0])
def test_a_stop_is_a_factor_of_two(stops: float) -> None:
    picture = Development(exposure_stops=stops).develop(grey(0.2, 4), 0)
    assert srgb_to_linear(picture).mean() == pytest.approx(0.2 * 2**stops, rel=0.02)


def test_more_kelvin_are_warmer_and_grey_keeps_its_luminance() -> None:
    for kelvin, warmer in ((9000.0, True), (4000.0, False)):
        red, _, blue = srgb_to_linear(Development(white_balance_kelvin=kelvin).develop(grey(0.2, 4), 0))[0, 0]
        assert (red > 1.2 * blue) if warmer else (blue > 1.2 * red)
        light = srgb_to_linear(Development(white_balance_kelvin=kelvin).develop(grey(0.2, 4), 0))[0, 0]
        assert light @ WEIGHTS == pytest.approx(0.2, rel=0.02)
    neutral = Development(white_balance_kelvin=6500.0, exposure_stops=0.1).develop(grey(0.3, 4), 0)
    assert np.ptp(neutral) == 0


@pytest.mark.parametrize("level", [0.02, 0.18, 0.5])
def test_noise_grows_with_the_root_of_the_light(level: float) -> None:
    picture = srgb_to_linear(Development(noise=0.05).develop(grey(level), 1)).astype(np.float64)
    expected = 0.05 * 0.18 * np.sqrt(0.9 * level / 0.18 + 0.1)
    assert picture.std() == pytest.approx(expected, rel=0.05)
    assert picture.mean() == pytest.approx(level, rel=0.02)
    # Independent from pixel to pixel, from channel to channel, and from picture to picture.
    noise = picture - picture.mean()
    for other in (np.roll(noise, 1, 0), np.roll(noise, 1, 1), np.roll(noise, 1, 2)):
        assert abs((noise * other).mean()) < 0.02 * noise.var()
    assert not np.array_equal(
        Development(noise=0.05).develop(grey(level), 2), linear_to_srgb(picture.astype(np.float32))
    )


def test_same_seed_same_noise() -> None:
    one, two, other = (Development(noise=0.1).develop(grey(0.2, 9), seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_jpeg() -> None:
    light = np.random.default_rng(0).uniform(0, 1, (64, 64, 3)).astype(np.float32)
    plain = linear_to_srgb(light).astype(int)
    errors = [np.abs(Development(jpeg_quality=q).develop(light, 0) - plain).mean() for q in (95, 40, 5)]
    assert 0 < errors[0] < errors[1] < errors[2]
