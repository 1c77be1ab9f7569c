"""Scene presets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import FfngenError
from ffngen.resources import resource
from ffngen.scene.preset import draw, load_preset


@pytest.mark.parametrize("path", sorted(resource("blender_scenes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_that_ships_is_in_order(path: Path) -> None:
    assert load_preset(path.stem) == load_preset(str(path))


def test_the_default_is_there() -> None:
    assert load_preset("portrait").camera.focal_length_mm is not None


def test_a_single_number_is_a_range(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("camera: {distance: 2, fill: 0.5}")
    preset = load_preset(str(path))
    assert preset.camera.distance == (2.0, 2.0)
    assert preset.camera.fill == (0.5, 0.5)
    assert preset.camera.focal_length_mm is None


@pytest.mark.parametrize("name", ["", ".", "..", "../blender_scenes/portrait", "/etc/passwd", "portrait.yml", "a\0b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(FfngenError):
        load_preset(name)


def test_draw() -> None:
    rng = np.random.default_rng(0)
    values = [draw(rng, (2.0, 3.0)) for _ in range(1000)]
    assert 2 <= min(values) < 2.02
    assert 2.98 < max(values) <= 3


def test_a_range_of_no_width_takes_a_draw_too() -> None:
    """So that narrowing one range leaves what is drawn after it."""
    a, b = np.random.default_rng(0), np.random.default_rng(0)
    assert draw(a, (2.0, 2.0)) == 2
    draw(b, (0.0, 1.0))
    assert a.random() == b.random()
