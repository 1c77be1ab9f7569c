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

#: Plain skin is quick to render, and a small picture; the head's outline crosses this row at its widest.
MATTE = {
    "subsurface_weight": 0.0, "subsurface_radius": [1.0, 0.4, 0.2], "subsurface_scale": 0.01, "roughness": 0.9,
    "specular": 0.1,
}  # fmt: skip
ROW = 32


def alpha(rendered: Any, kind: RawPass, number: int) -> np.ndarray:
    """(H, W): how much of each pixel the head covers, from the picture over black and over white."""
    frame = next(f for f in rendered.frames if (f.kind, f.frame) == (kind, number))
    path = frame.kind.path(rendered.folder, number)
    black, white = (
        srgb_to_linear(read_colour(path, frame.crop, np.full_like(rendered.background, v))) for v in (0, 255)
    )
    return 1 - (white - black).mean(axis=-1)


def settings(**changes: Any) -> Settings:
    return Settings(**{"samples": 16, "denoise": False, "colour_seeds": tuple(range(5)), **changes})


def edge(row: np.ndarray) -> tuple[float, float]:
    """Where coverage rises from 0 to 1, and over how many pixels: the variance of a box is width^2 / 12."""
    rise = np.diff(row[: int(np.argmax(row)) + 1])
    place = np.arange(len(rise))
    mean = (place * rise).sum() / rise.sum()
    return float(mean), float(np.sqrt(12 * ((place - mean) ** 2 * rise).sum() / rise.sum()))


def sliding(mesh: Any, kit: Any, shift: float, count: int = 2) -> SequenceRequest:
    """A head that moves to the right by ``shift`` metres from frame to frame; the head-only frames, too."""
    facial = np.stack([mesh.vertices + np.array([shift * i, 0, 0]) for i in range(count)])
    request: SequenceRequest = mesh.request(kit.camera(64, 64, fx=160.0), facial, facial[1:])
    return replace(request, appearance={**request.appearance, "skin": MATTE}, settings=settings())


def test_motion_blur_is_as_wide_as_the_motion(blender: Any, mesh: Any, kit: Any) -> None:
    """The head moves by f shift / z pixels a frame: 160 * 0.05 / 0.7."""
    request = sliding(mesh, kit, 0.05, count=3)
    sharp = blender.render(request)
    blurred = blender.render(replace(request, settings=settings(shutter=0.5)))
    for kind, number in ((RawPass.FACIAL_COLOUR, 0), (RawPass.FACIAL_COLOUR, 1), (RawPass.HEAD_COLOUR, 2)):
        (one, narrow), (two, wide) = (edge(alpha(rendered, kind, number)[ROW]) for rendered in (sharp, blurred))
        assert narrow < 3
        assert abs(np.sqrt(wide**2 - narrow**2) - 0.5 * 160 * 0.05 / 0.7) < 0.8
        # The exposure is centred on the frame's moment.
        assert abs(one - two) < 0.5
    assert sharp.truth(0).facial_flow.tobytes() == blurred.truth(0).facial_flow.tobytes()
    assert sharp.truth(1).depth.tobytes() == blurred.truth(1).depth.tobytes()


def test_a_sequence_after_a_blurred_one_is_sharp(blender: Any, mesh: Any, kit: Any) -> None:
    request = sliding(mesh, kit, 0.02)
    before = blender.render(request).colour(RawPass.FACIAL_COLOUR, 0)
    blender.render(replace(request, settings=settings(shutter=0.5, aperture=0.02, focus=0.4, shadow=True, samples=1)))
    np.testing.assert_array_equal(blender.render(request).colour(RawPass.FACIAL_COLOUR, 0), before)


def test_depth_of_field(blender: Any, mesh: Any, kit: Any) -> None:
    """The outline of the head, 0.7 m away, is spread over the thin lens's disc when the lens is focused elsewhere."""
    request = sliding(mesh, kit, 0.0)
    widths = {}
    for focus in (0.7, 0.4):
        rendered = blender.render(replace(request, settings=settings(samples=40, aperture=0.06, focus=focus)))
        coverage = alpha(rendered, RawPass.FACIAL_COLOUR, 0)[ROW - 2 : ROW + 3].mean(axis=0)
        widths[focus] = edge(coverage)[1]
        assert not rendered.truth(0).facial_flow.any()
    radius = defocus_radius(request.camera, 0.06, 0.4, 0.7)
    assert radius > 4
    assert widths[0.7] < 3.5
    # A disc's variance in one direction is radius^2 / 4, a box's width^2 / 12.
    assert abs(widths[0.4] - np.sqrt(3) * radius) < 0.25 * radius


def test_the_shadow_on_the_plane(blender: Any, mesh: Any, kit: Any) -> None:
    """A lamp from the upper right throws it to the lower left; elsewhere the picture stays."""
    lamp = {
        "position": [0.7, 0.7, 0.9], "target": [0, 0, 0], "size": 0.1, "power": 30.0, "color": [1, 1, 1],
        "height": None,
    }  # fmt: skip
    light = {"hdri": "studio", "rotation": 0.0, "strength": 0.02, "area_lights": [lamp]}
    request = sliding(mesh, kit, 0.0)
    request = replace(request, background_depth=0.95, appearance={**request.appearance, "lighting": light})
    plain = blender.render(request).truth(0)
    rendered = blender.render(replace(request, settings=settings(shadow=True)))
    image, background = rendered.colour(RawPass.FACIAL_COLOUR, 0).astype(int), rendered.background.astype(int)
    off = cv2.dilate(plain.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    darker = ((background - image) > 0.3 * background).all(axis=-1) & off
    rows, columns = np.nonzero(darker)
    assert len(rows) > 40
    assert rows.mean() > 34 and columns.mean() < 30
    lit = off & (np.arange(64)[None, :] > 36) & (np.arange(64)[:, None] < 28)
    assert np.abs(image - background)[lit].mean() <= 4
    truth = rendered.truth(0)
    assert truth.depth.tobytes() == plain.depth.tobytes() and truth.mask.tobytes() == plain.mask.tobytes()
