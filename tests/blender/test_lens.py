"""Motion blur, depth of field and the shadow: seen in the colour, absent from the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from ffngen.appearance.colour import srgb_to_linear
from ffngen.geometry.lens import defocus_radius
from ffngen.render.raw import read_colour
from ffngen.render.request import RawPass, SequenceRequest, Settings


def alpha(rendered: Any, kind: RawPass, number: int) -> np.ndarray:
    """(H, W): how much of each pixel the head covers, from the picture over black and over white."""
    frame = next(f for f in rendered.frames if (f.kind, f.frame) == (kind, number))
    path = frame.kind.path(rendered.folder, number)
    black, white = (
        srgb_to_linear(read_colour(path, frame.crop, np.full_like(rendered.background, v))) for v in (0, 255)
    )
    return 1 - (white - black).mean(axis=-1)


def settings(**changes: Any) -> Settings:
    return Settings(**{"samples": 32, "denoise": False, "colour_seeds": tuple(range(5)), **changes})


def edge_width(row: np.ndarray) -> float:
    """Pixels over which coverage rises from 0 to 1, of a box-shaped blur: its variance is width^2 / 12."""
    rise = np.diff(row[: int(np.argmax(row))])
    place = np.arange(len(rise))
    mean = (place * rise).sum() / rise.sum()
    return float(np.sqrt(12 * ((place - mean) ** 2 * rise).sum() / rise.sum()))


def sliding(mesh: Any, kit: Any, shift: float) -> SequenceRequest:
    """A head that moves to the right by ``shift`` metres from frame to frame; the head-only frames, too."""
    facial = np.stack([mesh.vertices + np.array([shift * i, 0, 0]) for i in range(3)])
    request: SequenceRequest = mesh.request(kit.camera(), facial, facial[1:])
    return request


def test_motion_blur_is_as_wide_as_the_motion(blender: Any, mesh: Any, kit: Any) -> None:
    """At the outline's widest row the head moves by f shift / z pixels a frame: 400 * 0.02 / 0.7."""
    request = sliding(mesh, kit, 0.02)
    sharp = blender.render(replace(request, settings=settings()))
    blurred = blender.render(replace(request, settings=settings(shutter=0.5)))
    row = 80
    for kind, number in ((RawPass.FACIAL_COLOUR, 0), (RawPass.FACIAL_COLOUR, 1), (RawPass.HEAD_COLOUR, 2)):
        one, two = (alpha(rendered, kind, number)[row] for rendered in (sharp, blurred))
        assert edge_width(one) < 3
        assert abs(edge_width(two) - 0.5 * 400 * 0.02 / 0.7) < 1.5
        # The exposure is centred on the frame's moment: the middle of the edge stays.
        assert (
            abs(one[: int(np.argmax(one))].sum() - two[: int(np.argmax(two))].sum() - np.argmax(one) + np.argmax(two))
            < 1.5
        )
    assert sharp.truth(0).facial_flow.tobytes() == blurred.truth(0).facial_flow.tobytes()
    assert sharp.truth(1).depth.tobytes() == blurred.truth(1).depth.tobytes()


def test_a_sequence_after_a_blurred_one_is_sharp(blender: Any, mesh: Any, kit: Any) -> None:
    request = replace(sliding(mesh, kit, 0.02), settings=settings(samples=2))
    before = blender.render(request).colour(RawPass.FACIAL_COLOUR, 0)
    blender.render(replace(request, settings=settings(samples=2, shutter=0.5, aperture=0.02, focus=0.4, shadow=True)))
    np.testing.assert_array_equal(blender.render(request).colour(RawPass.FACIAL_COLOUR, 0), before)


def test_depth_of_field(blender: Any, mesh: Any, kit: Any) -> None:
    """The outline of the head, 0.7 m away, is spread over the thin lens's disc when the lens is focused elsewhere."""
    request = sliding(mesh, kit, 0.0)
    widths = {}
    for focus in (0.7, 0.45):
        lens = settings(samples=256, aperture=0.03, focus=focus)
        rendered = blender.render(replace(request, settings=lens))
        widths[focus] = edge_width(alpha(rendered, RawPass.FACIAL_COLOUR, 0)[80])
        assert rendered.truth(0).facial_flow.any() is np.False_
    radius = defocus_radius(request.camera, 0.03, 0.45, 0.7)
    assert radius > 4
    assert widths[0.7] < 4
    # A disc's variance in one direction is radius^2 / 4, a box's width^2 / 12.
    assert abs(widths[0.45] - np.sqrt(3) * radius) < 0.2 * radius


def test_the_shadow_on_the_plane(blender: Any, mesh: Any, kit: Any) -> None:
    """A lamp from the upper right throws it to the lower left; elsewhere the picture stays."""
    lamp = {
        "position": [0.7, 0.7, 0.9],
        "target": [0, 0, 0],
        "size": 0.1,
        "power": 30.0,
        "color": [1, 1, 1],
        "height": None,
    }
    light = {"hdri": "studio", "rotation": 0.0, "strength": 0.02, "area_lights": [lamp]}
    request = sliding(mesh, kit, 0.0)
    request = replace(
        request,
        background_depth=0.95,
        appearance={**request.appearance, "lighting": light},
        settings=settings(shadow=True, samples=64),
    )
    rendered = blender.render(request)
    image, background = rendered.colour(RawPass.FACIAL_COLOUR, 0).astype(int), rendered.background.astype(int)
    plain = blender.render(replace(request, settings=settings())).truth(0)
    off = cv2.dilate(plain.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    darker = ((background - image) > 0.3 * background).all(axis=-1) & off
    assert darker.sum() > 200
    rows, columns = np.nonzero(darker)
    assert rows.mean() > 85 and columns.mean() < 75
    lit = off & (np.arange(160)[None, :] > 90) & (np.arange(160)[:, None] < 70)
    assert np.abs(image - background)[lit].max() <= 6
    truth = rendered.truth(0)
    assert truth.depth.tobytes() == plain.depth.tobytes() and truth.mask.tobytes() == plain.mask.tobytes()
