"""The user's own surroundings: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from ffngen.appearance.hdri import OWN_SHAPE, hdri_name, irradiance, load_hdri
from ffngen.appearance.own_hdris import hdris_digest, own_hdris
from ffngen.errors import InputFileError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def sky() -> np.ndarray:
    """(64, 128, 3): red grows to the right, blue downwards; a bright spot."""
    rows, columns = np.mgrid[:64, :128].astype(np.float32)
    picture = np.stack([0.1 + columns / 128, np.full_like(rows, 0.4), 0.1 + rows / 64], axis=-1)
    picture[20:24, 30:34] = 50.0
    return picture


def write_exr(path: Path, picture: np.ndarray, **header: object) -> None:
    OpenEXR.File(
        {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage, **header}, {"RGB": picture}
    ).write(str(path))


def test_hdr_and_exr_show_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "skies"
    folder.mkdir()
    write_exr(folder / "b.EXR", sky())
    cv2.imwrite(str(folder / "a.hdr"), np.ascontiguousarray(sky()[..., ::-1]))
    (folder / "readme.txt").write_text("no picture")
    told: list[str] = []
    paths = own_hdris(folder, told.append)
    assert [hdri_name(path) for path in paths] == ["a.hdr", "b.EXR"] and len(told) == 2
    one, two = (load_hdri(path) for path in paths)
    assert one.shape == (*OWN_SHAPE, 3)
    np.testing.assert_allclose(one, two, rtol=0.02, atol=0.01)
    # The top row is the zenith, and columns run from left to right.
    assert one[600, 100, 0] < one[600, 1900, 0] and one[100, 1000, 2] < one[900, 1000, 2]
    assert one[350, 512].mean() > 20
    # Its light has a sum.
    facing = irradiance(paths[0], 0.0, np.array([[0.0, 1.0, 0.0]]))
    assert facing.shape == (1, 3) and (facing > 0.5).all()
    again = own_hdris(folder, told.append)
    assert again == paths and len(told) == 2
    assert hdris_digest(paths) == hdris_digest(again) != hdris_digest(paths[:1])


def test_what_is_no_number_is_no_light(tmp_path: Path) -> None:
    picture = sky()
    picture[0, 0], picture[1, 1], picture[2, 2] = np.nan, -3.0, np.inf
    write_exr(tmp_path / "odd.exr", picture)
    loaded = load_hdri(own_hdris(tmp_path)[0])
    assert np.isfinite(loaded).all() and loaded.min() >= 0


def hostile(folder: Path, name: str) -> None:
    if name == "text.hdr":
        (folder / name).write_text("#?RADIANCE\nnothing")
    elif name == "empty.exr":
        (folder / name).write_bytes(b"")
    elif name == "truncated.exr":
        write_exr(folder / name, sky())
        (folder / name).write_bytes((folder / name).read_bytes()[:700])
    elif name == "flipped.exr":
        write_exr(folder / name, sky())
        data = bytearray((folder / name).read_bytes())
        data[300:] = np.random.default_rng(0).integers(0, 256, len(data) - 300, dtype=np.uint8).tobytes()
        (folder / name).write_bytes(data)
    elif name == "square.exr":
        write_exr(folder / name, sky()[:, :64])
    elif name == "black.exr":
        write_exr(folder / name, np.zeros((16, 32, 3), np.float32))
    elif name == "huge.hdr":
        (folder / name).write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 500000 +X 1000000\n" + b"\2\2")
    elif name == "grey.exr":
        OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Y": np.ones((16, 32), np.float32)}).write(str(folder / name))


NAMES = ["text.hdr", "empty.exr", "truncated.exr", "flipped.exr", "square.exr", "black.exr", "huge.hdr", "grey.exr"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, cache: Path, name: str) -> None:
    folder = tmp_path / "skies"
    folder.mkdir()
    hostile(folder, name)
    with pytest.raises(InputFileError) as raised:
        own_hdris(folder)
    message = str(raised.value)
    assert name in message and "\n" not in message and "Traceback" not in message
    assert not list(cache.rglob("*.exr"))


def test_a_folder_without_surroundings(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"holds no file; put \.exr or \.hdr files"):
        own_hdris(tmp_path)
    with pytest.raises(InputFileError, match="no such folder of surroundings"):
        own_hdris(tmp_path / "none")
