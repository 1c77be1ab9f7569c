"""The picture behind the head: exact where the head is not, and where Cycles would show it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ffngen.render.raw import read_colour
from ffngen.render.request import Crop, RawPass, Settings

HERE = Path(__file__).parent


def test_off_the_head_the_picture_is_the_background(blender: Any, mesh: Any, kit: Any) -> None:
    """The same code values in every frame; on the head they are others."""
    turned = kit.turn(mesh.vertices, (0, 1, 0), 12)
    request = mesh.request(
        kit.camera(shift=(30.0, -20.0)), np.stack([mesh.vertices, kit.smile(mesh, turned, 1)]), turned[None]
    )
    rendered = blender.render(request)
    for kind, number, frame in ((RawPass.FACIAL_COLOUR, 0, 0), (RawPass.FACIAL_COLOUR, 1, 1)):
        image = rendered.colour(kind, number)
        hit = kit.expected(request, frame).hit
        # The colour filter reaches 1.5 pixels beyond the outline.
        off = ~cv2.dilate(hit.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        assert off.sum() > 5000
        np.testing.assert_array_equal(image[off], rendered.background[off])
        assert (image[hit] != rendered.background[hit]).any(axis=-1).mean() > 0.95


def test_a_head_out_of_the_picture_leaves_the_background(blender: Any, mesh: Any, kit: Any) -> None:
    away = mesh.vertices + np.array([0.0, 2.0, 0])
    request = mesh.request(kit.camera(32, 24, fx=60.0), np.stack([away, away]), away[None])
    rendered = blender.render(request)
    assert all(frame.crop.is_empty for frame in rendered.frames)
    np.testing.assert_array_equal(rendered.colour(RawPass.FACIAL_COLOUR, 1), rendered.background)


@pytest.mark.parametrize(
    "camera", [{"shift": (21.0, -13.0)}, {"width": 160, "height": 120, "fx": 300.0, "fy": 400.0, "shift": (-18.0, 9.0)}]
)
def test_compositing_agrees_with_cycles(
    blender: Any, mesh: Any, kit: Any, tmp_path: Path, camera: dict[str, Any]
) -> None:
    """Cycles renders the plane itself, with the same samples: it agrees away from the blocks' edges.

    There Cycles filters the picture's pixels together, which the composed picture does not.
    """
    request = mesh.request(kit.camera(**camera), np.stack([mesh.vertices] * 2), mesh.vertices[None])
    request = replace(request, settings=Settings(16, False, (7, 8, 9)))
    composed = blender.render(request)
    image = composed.colour(RawPass.FACIAL_COLOUR, 0).astype(int)
    traced_file = tmp_path / "traced.exr"
    subprocess.run(
        [sys.executable, str(HERE / "render_plane.py"), str(composed.folder), str(traced_file)],
        check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    height, width = image.shape[:2]
    traced = read_colour(traced_file, Crop(0, 0, width, height), np.zeros_like(composed.background)).astype(int)
    background = composed.background
    kernel = np.ones((5, 5), np.uint8)
    plain = (cv2.dilate(background, kernel) == cv2.erode(background, kernel)).all(axis=-1)
    hit = kit.expected(request, 0).hit
    # The plane ends with the frame; what Cycles filters in from beyond it is not the picture.
    frame = np.ones(hit.shape, dtype=bool)
    frame[2:-2, 2:-2] = False
    plain &= ~frame
    outline = cv2.dilate(hit.astype(np.uint8), kernel) != cv2.erode(hit.astype(np.uint8), kernel)
    assert plain.mean() > 0.4
    # Off the head: the colour values of every block, to the last bit but one.
    assert np.abs(image - traced)[plain & ~hit & ~outline].max() <= 1
    # On the head and over its outline, too: the paths are the same, and the picture lights nothing.
    assert (plain & outline).sum() > 100
    assert np.percentile(np.abs(image - traced)[plain & outline], 99) <= 3
    assert np.percentile(np.abs(image - traced)[hit & ~outline], 99) <= 1
    # A shift of the plane by one pixel would show at the edges of the blocks.
    shifted = np.roll(background.astype(int), 1, axis=1)
    edges = ~plain & ~frame & ~hit & ~outline
    assert np.abs(traced - background)[edges].mean() < 0.5 * np.abs(traced - shifted)[edges].mean()
