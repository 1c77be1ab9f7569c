from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ffngen.appearance import hdri
from ffngen.errors import InputFileError, JobError, MissingPackageError

needs_bpy = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="the surroundings come with bpy")

#: Irradiance over pi of a surface that faces the world's +z, rendered: Cycles, 256 samples, a white diffuse plane,
#: a Mapping node turned by the rotation before the Environment Texture.
CYCLES = [
    ("city", 0.0, (1.150, 1.144, 1.093)),
    ("city", 1.0, (1.612, 1.585, 1.470)),
    ("city", 2.5, (0.603, 0.623, 0.659)),
    ("city", -2.0, (0.386, 0.393, 0.400)),
    ("studio", 1.0, (1.000, 1.196, 1.331)),
    ("sunset", 0.0, (0.785, 0.628, 0.681)),
    ("sunset", -2.0, (0.216, 0.273, 0.426)),
    ("courtyard", 2.5, (1.833, 1.418, 1.178)),
]


@needs_bpy
@pytest.mark.parametrize("name", hdri.HDRIS)
def test_all_surroundings_load(name: str) -> None:
    picture = hdri.load_hdri(name)
    assert picture.shape == (512, 1024, 3) and picture.dtype == np.float32
    assert np.isfinite(picture).all() and picture.mean() > 0.05
    assert not picture.flags.writeable


@needs_bpy
@pytest.mark.parametrize(("name", "rotation", "expected"), CYCLES)
def test_irradiance_is_what_cycles_renders(name: str, rotation: float, expected: tuple[float, float, float]) -> None:
    received = hdri.irradiance(name, rotation, np.array([[0.0, 0.0, 1.0]]))[0] / np.pi
    assert received == pytest.approx(expected, rel=0.025)


@needs_bpy
def test_light_cells_keep_all_light() -> None:
    directions, power = hdri.light_cells("forest")
    picture = hdri.load_hdri("forest").astype(np.float64)
    elevation = (0.5 - (np.arange(512) + 0.5) / 512) * np.pi
    total = (picture * np.cos(elevation)[:, None, None]).sum(axis=(0, 1)) * (np.pi / 512) * (2 * np.pi / 1024)
    assert power.sum(axis=0) == pytest.approx(total, rel=1e-9)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1)


def test_directions_of_blenders_mapping() -> None:
    # World axes, which are Blender's (x, -z, y): left, up, forward, and back, where the background lies.
    directions = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1], [-1, 0, 0]])
    u, v = hdri.equirectangular(directions, 0.0)
    assert u[[0, 2, 3]] == pytest.approx([0.5, 0.75, 0.25])
    assert u[4] % 1 == pytest.approx(0, abs=1e-12)
    assert v == pytest.approx([0.5, 1, 0.5, 0.5, 0.5])
    # Turned by a quarter, what is behind is what the picture shows another quarter to the left.
    turned, _ = hdri.equirectangular(directions, np.pi / 2)
    assert turned[3] % 1 == pytest.approx(0, abs=1e-12)
    assert turned[2] == pytest.approx(0.5)


def test_refuses_other_names() -> None:
    for name in ("", "beach", "../city", "city.exr", "x" * 5000):
        with pytest.raises(JobError, match="no surroundings are named") as caught:
            hdri.hdri_path(name)
        assert len(str(caught.value)) < 250


def test_says_what_to_install_without_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r'pip install "ffngen\[render\]"'):
        hdri.hdri_path("city")


def _fake_bpy(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes | None) -> None:
    world = folder / "5.0" / "datafiles" / "studiolights" / "world"
    world.mkdir(parents=True)
    if content is not None:
        (world / "city.exr").write_bytes(content)
    spec = importlib.machinery.ModuleSpec("bpy", None, origin=str(folder / "__init__.so"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    hdri.load_hdri.cache_clear()


def test_says_so_when_bpy_lacks_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _fake_bpy(monkeypatch, tmp_path, None)
    with pytest.raises(MissingPackageError, match="lacks the surroundings 'city'"):
        hdri.hdri_path("city")


def test_says_so_when_the_file_is_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _fake_bpy(monkeypatch, tmp_path, b"\x76\x2f\x31\x01 cut off")
    with pytest.raises(InputFileError, match="not an EXR picture"):
        hdri.load_hdri("city")
    hdri.load_hdri.cache_clear()


@needs_bpy
def test_bpy_is_not_imported() -> None:
    code = "import sys; from ffngen.appearance.hdri import load_hdri; load_hdri('city'); print('bpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
