"""Scenes of the user's, built in Blender: where their parts are, what they lack, and that nothing in them runs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffngen.appearance.colour import linear_to_srgb
from ffngen.errors import InputFileError
from ffngen.render.process import RenderProcess
from ffngen.render.raw import read_backplate, read_colour
from ffngen.render.request import RawPass
from ffngen.render.template import read_template
from ffngen.scene.template import SceneTemplate, checked_template

HERE = Path(__file__).parent


def make(folder: Path, **options: Any) -> tuple[Path, np.ndarray, np.ndarray]:
    """A .blend, points round its head (ffngen's frame), and the pixels in which Blender says that it sees them."""
    blend, seen = folder / "mine.blend", folder / "seen.npz"
    subprocess.run(
        [sys.executable, str(HERE / "make_blend.py"), str(blend), str(seen), json.dumps(options)],
        check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    with np.load(seen) as arrays:
        return blend, arrays["points"], arrays["pixels"]


def look(blender: Any, blend: Path) -> SceneTemplate:
    return checked_template(blend, "0" * 64, blender.process.inspect(blend))


VIEWS: dict[str, dict[str, Any]] = {
    "wide": {"size": (96, 64), "shift": (0.1, -0.05)},
    "tall": {"size": (50, 80), "shift": (-0.07, 0.2)},
    "horizontal": {"size": (50, 80), "fit": "HORIZONTAL", "shift": (0.1, 0.1)},
    "vertical": {"size": (96, 64), "fit": "VERTICAL", "shift": (0.1, 0.1)},
}


@pytest.mark.parametrize("name", VIEWS)
def test_the_camera_sees_what_blenders_own_projection_says(blender: Any, tmp_path: Path, name: str) -> None:
    blend, points, pixels = make(tmp_path, **VIEWS[name])
    template = look(blender, blend)
    camera = template.camera(*VIEWS[name]["size"])
    found, depth = camera.project(points)
    np.testing.assert_allclose(found, pixels, atol=1e-3)
    assert np.ptp(pixels, axis=0).min() > 5
    assert template.background_depth == pytest.approx(1.7, abs=1e-5)
    assert (depth > 0.7).all() and (depth < 1.1).all()


def test_all_that_is_missing_is_named_at_once(blender: Any, tmp_path: Path) -> None:
    blend, _, _ = make(tmp_path, leave_out=["head", "background", "key_light"])
    with pytest.raises(InputFileError) as raised:
        look(blender, blend)
    message = str(raised.value)
    assert all(f"no object '{name}'" in message for name in ("head", "background", "key_light"))
    assert "'camera'" not in message and "\n" not in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"orthographic": True}, "not a perspective camera"),
        ({"turn_background": 7.0}, "turned 7.0 degrees"),
        ({"head_scale": True}, "apply its scale"),
        ({"leave_out": ["camera"]}, "no object 'camera'"),
    ],
)
def test_what_cannot_be_used_is_told(blender: Any, tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputFileError, match=words):
        look(blender, make(tmp_path, **options)[0])


def test_a_picture_with_the_users_light_and_wall(blender: Any, mesh: Any, kit: Any, tmp_path: Path) -> None:
    """What would hide the head is not seen, code in the file does not run, and afterwards all is as before."""
    trap = tmp_path / "trap"
    blend, _, _ = make(tmp_path, blocker=True, trap=str(trap))
    trap.unlink(missing_ok=True)  # building it may have run it
    template = look(blender, blend)
    camera = template.camera(64, 64)
    still = np.stack([mesh.vertices] * 2)
    plain = mesh.request(kit.camera(48, 40, fx=110.0), still, still[1:])
    before = blender.render(plain)
    request = replace(
        mesh.request(camera, still, still[1:]), template=str(blend), background_depth=template.background_depth
    )
    rendered = blender.render(request)
    kinds = [frame.kind for frame in rendered.frames]
    assert kinds.count(RawPass.BACKPLATE) == 1 and kinds[0] is RawPass.BACKPLATE
    wall = read_backplate(RawPass.BACKPLATE.path(rendered.folder, 0), str(blend))
    assert wall.shape == (64, 64, 3)
    expected = linear_to_srgb(np.array([0.2, 0.5, 0.8], dtype=np.float32)).astype(int)
    assert np.abs(wall.astype(int) - expected).max() <= 2
    frame = next(frame for frame in rendered.frames if frame.kind is RawPass.FACIAL_COLOUR)
    image = read_colour(frame.kind.path(rendered.folder, 0), frame.crop, wall).astype(int)
    hit = kit.expected(request, 0).hit
    assert 0.1 < hit.mean() < 0.9
    # The blocker is a red square before the face.
    assert not ((image[..., 0] > 200) & (image[..., 1] < 40)).any()
    assert np.abs(image - wall)[hit].max(axis=-1).mean() > 30 and image[hit].max() > 60
    assert (rendered.truth(0).mask != hit).sum() <= 2
    assert not trap.exists()
    after = blender.render(plain)
    np.testing.assert_array_equal(before.colour(RawPass.FACIAL_COLOUR, 0), after.colour(RawPass.FACIAL_COLOUR, 0))


@pytest.mark.parametrize("name", ["text", "empty", "truncated", "scrambled"])
def test_a_file_that_is_no_blend(tmp_path: Path, name: str) -> None:
    blend = make(tmp_path)[0] if name in ("truncated", "scrambled") else tmp_path / "mine.blend"
    if name == "text":
        blend.write_text("BLENDER is what this is not")
    elif name == "empty":
        blend.write_bytes(b"")
    elif name == "truncated":
        blend.write_bytes(blend.read_bytes()[:3000])
    else:
        data = bytearray(blend.read_bytes())
        data[200:] = np.random.default_rng(0).integers(0, 256, len(data) - 200, dtype=np.uint8).tobytes()
        blend.write_bytes(data)
    with pytest.raises(InputFileError) as raised:
        read_template(blend)
    assert "mine.blend" in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_kills_blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blend = tmp_path / "mine.blend"
    blend.write_bytes(b"BLENDER")

    def kill(process: RenderProcess, request: dict[str, Any]) -> None:
        # It dies before it can answer.
        process.kill()

    monkeypatch.setattr(RenderProcess, "_send", kill)
    with pytest.raises(InputFileError, match="did not survive"):
        read_template(blend)
