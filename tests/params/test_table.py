"""The Parquet table: everything comes back to the bit; many sets stay small and quick; damage is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ffngen.errors import FfngenError, InputFileError
from ffngen.geometry.camera import Camera
from ffngen.params import table
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.read import read_parameter_sets
from ffngen.params.table import write_parameter_sets

NAMES = ("family", "identity", "emotion", "source", "track", "frame", "fps", "image", "camera")
ARRAYS = ("betas", "expression", "pose", "translation", "eyelids", "static_offset", "dynamic_offset", "texture")


def some_sets() -> list[ParameterSet]:
    rng = np.random.default_rng(0)
    static = rng.normal(size=(7, 3)).astype(np.float32)
    T = np.eye(4)
    T[:3, 3] = [0.1, 0.2, 1]
    camera = Camera(np.array([[500.5, 0, 100], [0, 501, 90.25], [0, 0, 1]]), T, 200, 180)
    video = [
        ParameterSet(
            rng.normal(size=300), rng.normal(size=100), rng.normal(size=15), "flame2023", "mia", "happy", "a/b.npz",
            translation=rng.normal(size=3), eyelids=rng.random(2), static_offset=static,
            dynamic_offset=rng.normal(size=(7, 3)).astype(np.float32), camera=camera,
            texture=rng.normal(size=50), track="clip", frame=i, fps=29.97, image=f"{i:05d}.png",
        )
        for i in range(3)
    ]  # fmt: skip
    photo = ParameterSet(np.zeros(0), rng.normal(size=52), np.zeros(15), "open", "ünï", "none", "photo")
    return [*video, photo]


def same(one: ParameterSet, other: ParameterSet) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in NAMES) and all(
        (a is None) == (b is None) and (a is None or (a.dtype == b.dtype and a.tobytes() == b.tobytes()))
        for a, b in ((getattr(one, name), getattr(other, name)) for name in ARRAYS)
    )


def test_everything_comes_back(tmp_path: Path) -> None:
    path, sets = tmp_path / "sets.parquet", some_sets()
    write_parameter_sets(path, sets)
    back = read_parameter_sets(path)
    assert len(back) == len(sets) and all(same(a, b) for a, b in zip(sets, back, strict=True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sets.offsets", "sets.parquet"]
    assert len(list((tmp_path / "sets.offsets").iterdir())) == 1
    first = path.read_bytes()
    write_parameter_sets(path, back)
    assert path.read_bytes() == first
    write_parameter_sets(path, sets[3:])
    assert not (tmp_path / "sets.offsets").exists() and len(read_parameter_sets(path)) == 1


def test_a_folder_of_the_users_is_left_alone(tmp_path: Path) -> None:
    path, sets = tmp_path / "sets.parquet", some_sets()
    (tmp_path / "sets.offsets").mkdir()
    (tmp_path / "sets.offsets" / "notes.txt").write_text("precious")
    write_parameter_sets(path, sets[3:])
    assert (tmp_path / "sets.offsets" / "notes.txt").exists()
    with pytest.raises(InputFileError, match="holds other files than offsets"):
        write_parameter_sets(path, sets)
    assert len(read_parameter_sets(path)) == 1


def test_an_interrupted_writing_keeps_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sets = tmp_path / "sets.parquet", some_sets()
    write_parameter_sets(path, sets)
    other = [replace(one, dynamic_offset=one.dynamic_offset + 1) for one in sets[:3]]
    monkeypatch.setattr(table.pq, "ParquetWriter", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_parameter_sets(path, other)
    monkeypatch.undo()
    assert all(same(a, b) for a, b in zip(sets, read_parameter_sets(path), strict=True))
    write_parameter_sets(path, other)
    assert len(list((tmp_path / "sets.offsets").iterdir())) == 1


def test_long_texts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sets.parquet"
    write_parameter_sets(path, some_sets())
    changed(path, image=["x" * 1_000_000] * 4)
    with pytest.raises(InputFileError, match="damaged"):
        read_parameter_sets(path)


def test_others_read_it_too(tmp_path: Path) -> None:
    path, sets = tmp_path / "sets.parquet", some_sets()
    write_parameter_sets(path, sets)
    rows = pq.read_table(path).to_pylist()
    assert rows[1]["pose"] == sets[1].pose.tolist() and rows[3]["camera"] is None
    assert rows[0]["camera"]["K"][2] == 100
    name, index = rows[2]["dynamic_offset"].split("#")
    offsets = np.load(tmp_path / "sets.offsets" / name)["offsets"]
    np.testing.assert_array_equal(offsets[int(index)], sets[2].dynamic_offset)


def test_tables_of_before_have_no_textures(tmp_path: Path) -> None:
    path, sets = tmp_path / "sets.parquet", some_sets()
    write_parameter_sets(path, sets)
    pq.write_table(pq.read_table(path).drop_columns("texture"), path)
    back = read_parameter_sets(path)
    assert all(same(replace(a, texture=None), b) for a, b in zip(sets, back, strict=True))


def changed(path: Path, **columns: list[object]) -> None:
    table = pq.read_table(path)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"pose": [[0.0] * 14] * 4}, "row 1: pose must hold 15 numbers"),
        ({"betas": [[1.0], [float("nan")], [1.0], [1.0]]}, "row 2: betas holds a value that is not finite"),
        ({"expression": [[0.0] * 2000] * 4}, "damaged"),
        ({"betas": [None] * 4}, "damaged"),
        ({"family": ["flame2021"] * 4}, "row 1: unknown model family"),
        ({"identity": [None] * 4}, "row 1: a text is missing"),
        ({"frame": [None] * 4}, "row 1: a frame has a number and a track"),
        ({"fps": [-1.0] * 4}, "row 1: -1 frames per second"),
        ({"static_offset": ["../../secret.npz#0"] * 4}, "no offsets can lie at"),
        ({"static_offset": ["none.npz#0"] * 4}, "there is no such file"),
        ({"static_offset": ["x#-1"] * 4}, "no offsets can lie at"),
        ({"camera": [{"K": [1.0], "T_world_cam": [1.0], "width": 1, "height": 1}] * 4}, "damaged"),
        ({"camera": [{"K": [1.0] * 9, "T_world_cam": [1.0] * 16, "width": 0, "height": 1}] * 4}, "row 1: a camera"),
    ],
)
def test_faulty_tables(columns: dict[str, list[object]], words: str, tmp_path: Path) -> None:
    path = tmp_path / "sets.parquet"
    write_parameter_sets(path, some_sets())
    changed(path, **columns)
    with pytest.raises(InputFileError, match=words) as caught:
        read_parameter_sets(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "sets.parquet"
    write_parameter_sets(path, some_sets())
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 8):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_parameter_sets(path)
        except FfngenError as error:
            assert len(str(error).splitlines()) == 1
    for content in (b"", b"PAR1PAR1", data[:100], data[:-4]):
        path.write_bytes(content)
        with pytest.raises(InputFileError):
            read_parameter_sets(path)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(InputFileError, match="without the column family"):
        read_parameter_sets(path)
    pq.write_table(pa.table({"x": pa.array([0] * 6_000_000)}), path)
    with pytest.raises(InputFileError):
        read_parameter_sets(path)
