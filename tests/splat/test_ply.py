"""Avatars as files: what another writer wrote, what ours writes, and what is none."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from made_gaussians import made_avatar

from ffngen.errors import InputFileError
from ffngen.splat.ply import read_avatar, write_avatar

#: In another order than ours, with doubles, an integer binding and properties that nobody asked for.
COLUMNS = [
    ("opacity", "double"), ("binding_0", "int"), ("rot_0", "float"), ("rot_1", "float"), ("rot_2", "float"),
    ("rot_3", "float"), ("confidence", "uchar"), ("z", "float"), ("y", "float"), ("x", "float"),
    ("scale_0", "float"), ("scale_1", "float"), ("scale_2", "float"),
    ("f_dc_0", "float"), ("f_dc_1", "float"), ("f_dc_2", "float"), *((f"f_rest_{i}", "float") for i in range(9)),
]  # fmt: skip
CODES = {"double": "d", "int": "i", "float": "f", "uchar": "B"}


def other_writer(path: Path, rows: list[dict[str, float]], columns: list[tuple[str, str]] = COLUMNS) -> None:
    """By struct, value by value."""
    header = ["ply", "format binary_little_endian 1.0", "comment made elsewhere", f"element vertex {len(rows)}"]
    header += [f"property {kind} {name}" for name, kind in columns]
    content = "\n".join([*header, "end_header", ""]).encode()
    for row in rows:
        for name, kind in columns:
            content += struct.pack("<" + CODES[kind], (int if kind in ("int", "uchar") else float)(row.get(name, 0)))
    path.write_bytes(content)


def row(number: int) -> dict[str, float]:
    values = {name: 0.01 * index + number for index, (name, _) in enumerate(COLUMNS)}
    return values | {"binding_0": 7 + number, "opacity": -0.4, "rot_0": 2.0, "rot_1": 0, "rot_2": 0, "rot_3": 0}


def test_what_another_writer_wrote(tmp_path: Path) -> None:
    other_writer(tmp_path / "point_cloud.ply", [row(0), row(1)])
    for path in (tmp_path, tmp_path / "point_cloud.ply"):
        avatar = read_avatar(path)
        assert len(avatar) == 2 and avatar.triangles.tolist() == [7, 8]
        wanted = row(1)
        np.testing.assert_allclose(avatar.means[1], [wanted["x"], wanted["y"], wanted["z"]], rtol=1e-6)
        np.testing.assert_allclose(avatar.scales[1], np.exp([wanted[f"scale_{i}"] for i in range(3)]), rtol=1e-6)
        np.testing.assert_allclose(avatar.opacities, 1 / (1 + np.exp(0.4)))
        np.testing.assert_allclose(avatar.rotations, [[1, 0, 0, 0]] * 2)
        np.testing.assert_allclose(avatar.harmonics[1, 0], [wanted[f"f_dc_{i}"] for i in range(3)], rtol=1e-6)
        # Three of red, then three of green, then three of blue.
        np.testing.assert_allclose(avatar.harmonics[1, 2], [wanted[f"f_rest_{i}"] for i in (1, 4, 7)], rtol=1e-6)


@pytest.mark.parametrize("harmonics", [1, 4, 9, 16])
def test_there_and_back(tmp_path: Path, harmonics: int) -> None:
    avatar = made_avatar(25, harmonics)
    write_avatar(tmp_path / "a.ply", avatar)
    back = read_avatar(tmp_path / "a.ply")
    for name in ("means", "rotations", "scales", "opacities", "harmonics", "triangles"):
        np.testing.assert_allclose(getattr(back, name), getattr(avatar, name), rtol=2e-6, atol=1e-6)


def test_the_last_iteration_of_a_training(tmp_path: Path) -> None:
    for iteration, count in ((7000, 1), (60000, 3), (30000, 2)):
        folder = tmp_path / "point_cloud" / f"iteration_{iteration}"
        folder.mkdir(parents=True)
        other_writer(folder / "point_cloud.ply", [row(0)] * count)
    assert len(read_avatar(tmp_path)) == 3


def _without(name: str) -> list[tuple[str, str]]:
    return [column for column in COLUMNS if column[0] != name]


HEADER = b"ply\nformat binary_little_endian 1.0\nelement vertex %d\nproperty float x\nend_header\n"


@pytest.mark.parametrize(
    ("words", "content"),
    [
        ("not a .ply file", b""),
        ("not a .ply file", b"PK\x03\x04" * 40),
        ("not a .ply file", b"ply\n" + b"comment x\n" * 20_000),
        ("binary little-endian", b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n"),
        ("element vertex", HEADER.replace(b"vertex %d", b"face 1")),
        ("element vertex", HEADER.replace(b"%d", b"-1")),
        ("at most", HEADER % 10**11),
        ("bytes of Gaussians", HEADER % 5 + b"\0" * 19),
        ("bytes of Gaussians", HEADER % 5 + b"\0" * 21),
        ("has no Gaussians", HEADER % 0),
        ("no properties", HEADER.replace(b"property float x\n", b"") % 5),
        ("another kind", HEADER.replace(b"property float x", b"property list uchar int x") % 1),
        ("property twice", HEADER.replace(b"property float x", b"property float x\nproperty float x") % 1 + b"\0" * 8),
        ("no triangle", HEADER % 1 + b"\0" * 4),
    ],
)
def test_files_that_are_no_avatars(tmp_path: Path, words: str, content: bytes) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(InputFileError, match=words) as fault:
        read_avatar(tmp_path / "a.ply")
    assert "\n" not in str(fault.value) and "a.ply" in str(fault.value)


@pytest.mark.parametrize(
    ("words", "columns", "values"),
    [
        ("no property y", _without("y"), {}),
        ("no property rot_3", _without("rot_3"), {}),
        ("8 properties f_rest", _without("f_rest_8"), {}),
        ("more than one binding", [*COLUMNS, ("binding_1", "int")], {}),
        ("no triangles", COLUMNS, {"binding_0": -1}),
        ("values of z that are no numbers", COLUMNS, {"z": np.nan}),
        ("values of scale_0 up to 400", COLUMNS, {"scale_1": 400.0}),
        ("values of opacity up to 1e", COLUMNS, {"opacity": 1e9}),
        ("rotation of length 0", COLUMNS, {"rot_0": 0}),
    ],
)
def test_values_that_no_avatar_has(
    tmp_path: Path, words: str, columns: list[tuple[str, str]], values: dict[str, float]
) -> None:
    other_writer(tmp_path / "a.ply", [row(0), row(1) | values], columns)
    with pytest.raises(InputFileError, match=words):
        read_avatar(tmp_path / "a.ply")


def test_folders_without_an_avatar(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no point_cloud"):
        read_avatar(tmp_path)
    with pytest.raises(InputFileError, match="No such file"):
        read_avatar(tmp_path / "none.ply")
    os.mkfifo(tmp_path / "pipe.ply")
    with pytest.raises(InputFileError, match="not a file"):
        read_avatar(tmp_path / "pipe.ply")
