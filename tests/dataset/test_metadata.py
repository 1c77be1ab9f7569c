"""Metadata, manifest and reading, on a small dataset of random arrays."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_dataset import write_manifest

from ffngen.atomic import write_atomic
from ffngen.dataset.arrays import SequenceVertices, encode_mask, encode_vertices, read_mask, read_vertices
from ffngen.dataset.layout import DATASET_FILE, MANIFEST_FILE, ImageFormat, Output, Record, SequenceKey
from ffngen.dataset.manifest import read_manifest
from ffngen.dataset.metadata import SequenceMetadata, encode_metadata, read_metadata, read_sequence
from ffngen.dataset.read import FlowDataset
from ffngen.errors import DatasetError, InputFileError
from ffngen.flow.exr import write_depth_exr
from ffngen.flow.files import FlowFormat, write_flow
from ffngen.geometry.camera import Camera
from ffngen.images import encode_png

WIDTH, HEIGHT = 8, 6


def content(key: SequenceKey, *, n: int = 3, neutral: bool = False) -> dict[str, Any]:
    K = np.array([[10.0, 0, 3.5], [0, 10, 2.5], [0, 0, 1]])
    return {
        "format_version": 1,
        "sequence": key.sequence,
        "split": key.split,
        "emotion": key.emotion,
        "identity": key.sequence,
        "n_frames": n,
        "include_neutral": neutral,
        "motion_scale": 1 / n,
        "job_digest": "ab" * 32,
        "seeds": {"job": 0, "sequence": 7},
        "parameters": {"betas": [0.5, 1], "expression": [], "pose": [0.1] * 15, "family": "open", "source": "sampler"},
        "model": {"family": "open", "version": "1", "digest": "cd" * 32},
        "camera": Camera(K, np.eye(4), WIDTH, HEIGHT).to_json(),
        "background_depth": 2.0,
        "flow_format": "flo",
        "image_format": "png",
        "scene": {"preset": "portrait", "lights": [1, 2.5, None]},
        "versions": {"ffngen": "0.1.0", "blender": "5.0.1"},
        "files": {},
    }


def make_dataset(root: Path, keys: list[SequenceKey]) -> None:
    (root / DATASET_FILE).write_text("{}")
    for number, key in enumerate(keys):
        metadata = SequenceMetadata.model_validate_json(json.dumps(content(key, n=3 + number)))
        layout = metadata.layout
        for path in layout.files():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
        for output in Output:
            for t in layout.frames(output):
                # Every file holds its own number, so that a wrong file is noticed.
                value = 10 * number + t + 0.5 * (output in (Output.HEAD_IMAGE, Output.HEAD_FLOW))
                path = root / layout.file(output, t)
                if path.suffix == ".png":
                    write_atomic(path, encode_png(np.full((HEIGHT, WIDTH, 3), int(2 * value), np.uint8)))
                elif path.suffix == ".flo":
                    write_flow(path, np.full((HEIGHT, WIDTH, 2), value))
                elif path.suffix == ".npy":
                    write_atomic(path, encode_mask(np.full((HEIGHT, WIDTH), t % 2, np.uint8)))
                else:
                    write_depth_exr(path, np.full((HEIGHT, WIDTH), value))
        write_atomic(root / layout.record(Record.METADATA), encode_metadata(metadata))


A, B = SequenceKey("train", "happy", "open-000001_e0_n3"), SequenceKey("val", "fear", "open-000002_e0_n4")


def test_metadata_round_trip(tmp_path: Path) -> None:
    metadata = SequenceMetadata.model_validate_json(json.dumps(content(A)))
    path = tmp_path / "metadata.json"
    path.write_bytes(encode_metadata(metadata))
    back = read_metadata(path)
    assert back == metadata
    assert encode_metadata(back) == path.read_bytes()
    assert back.key == A
    assert back.flow_format is FlowFormat.FLO
    assert back.image_format is ImageFormat.PNG
    assert back.get_camera(1).to_json() == content(A)["camera"]
    assert back.layout.n_frames == 3


def poses(count: int) -> list[Any]:
    return [[[1, 0, 0, 0.1 * i], [0, 1, 0, 0.0], [0, 0, 1, 1 / 3], [0, 0, 0, 1]] for i in range(count)]


def test_a_camera_for_each_frame(tmp_path: Path) -> None:
    """Exact; frame numbers begin at 0 with the neutral frame; a head-only frame's number is a facial frame's."""
    path = tmp_path / "metadata.json"
    path.write_bytes(encode_metadata(SequenceMetadata.model_validate_json(json.dumps(
        {**content(A), "include_neutral": True, "camera_poses": poses(4)}
    ))))  # fmt: skip
    back = read_metadata(path)
    for frame in range(4):
        np.testing.assert_array_equal(back.get_camera(frame).T_world_cam, poses(4)[frame])
        np.testing.assert_array_equal(back.get_camera(frame).K, content(A)["camera"]["K"])
    with pytest.raises(ValueError, match="4"):
        back.get_camera(4)
    assert back.background.view.to_json() == content(A)["camera"]
    assert back.background.depth == content(A)["background_depth"]
    assert back.size == (content(A)["camera"]["width"], content(A)["camera"]["height"])


def change(*place: str, value: Any) -> Any:
    def apply(data: dict[str, Any]) -> None:
        for name in place[:-1]:
            data = data[name]
        data[place[-1]] = value

    return apply


MALFORMED = {
    "unknown key": change("extra", value=1),
    "unknown parameter": change("parameters", "gamma", value=1),
    "version": change("format_version", value=2),
    "no frames": change("n_frames", value=1),
    "many frames": change("n_frames", value=10**9),
    "frames as text": change("n_frames", value="3"),
    "motion scale": change("motion_scale", value=0.25),
    "split": change("split", value="training"),
    "traversal": change("sequence", value="../../etc"),
    "emotion": change("emotion", value="a/b"),
    "pose": change("parameters", "pose", value=[0.0] * 6),
    "camera": change("camera", value={}),
    "camera matrix": change("camera", "K", value=[[1, 2], [3, 4]]),
    "camera size": change("camera", "width", value=10**6),
    "large camera": change("camera", value={**content(A)["camera"], "width": 10**5, "height": 10**5}),
    "few poses": change("camera_poses", value=poses(2)),
    "no rigid pose": change("camera_poses", value=[*poses(2), [[1, 0, 0, 0]] * 4]),
    "background": change("background_depth", value=-1),
    "format": change("flow_format", value="png"),
    "digest": change("files", value={"a": {"bytes": 1, "sha256": "xyz"}}),
    "size": change("files", value={"a": {"bytes": -1, "sha256": "0" * 64}}),
    "not a number": change("background_depth", value=float("nan")),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_metadata(tmp_path: Path, name: str) -> None:
    data = content(A)
    MALFORMED[name](data)
    if name == "camera size":
        data["camera"]["height"] = 10**6
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError) as caught:
        read_metadata(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"format_version": 1}'])
def test_no_metadata(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "metadata.json").write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        read_metadata(tmp_path / "metadata.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError):
        read_metadata(tmp_path / "none.json")


def test_metadata_in_the_wrong_folder(tmp_path: Path) -> None:
    make_dataset(tmp_path, [A])
    (tmp_path / "metadata/train/happy/open-000001_e0_n3").rename(tmp_path / "metadata/train/happy/other")
    with pytest.raises(DatasetError, match="belongs to"):
        read_sequence(tmp_path, SequenceKey("train", "happy", "other"))


def test_manifest(tmp_path: Path) -> None:
    make_dataset(tmp_path, [B, A])
    rows = write_manifest(tmp_path)
    assert [row.key for row in rows] == [A, B]
    assert [row.pairs for row in rows] == [3, 2]
    assert read_manifest(tmp_path) == rows
    first = (tmp_path / MANIFEST_FILE).read_bytes()
    write_manifest(tmp_path)
    assert (tmp_path / MANIFEST_FILE).read_bytes() == first
    table = pq.read_table(tmp_path / MANIFEST_FILE).to_pylist()
    assert [row["identity"] for row in table] == [A.sequence, B.sequence]
    assert (tmp_path / table[0]["metadata"]).is_file()
    assert (table[0]["width"], table[0]["height"]) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("how", ["missing", "empty", "text", "truncated", "columns"])
def test_malformed_manifest(tmp_path: Path, how: str) -> None:
    make_dataset(tmp_path, [A])
    write_manifest(tmp_path)
    path = tmp_path / MANIFEST_FILE
    if how == "missing":
        path.unlink()
    elif how == "columns":
        pq.write_table(pq.read_table(path).drop_columns(["pairs"]), path)
    else:
        path.write_bytes({"empty": b"", "text": b"PAR1 no", "truncated": path.read_bytes()[:-40]}[how])
    with pytest.raises(DatasetError) as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("with_manifest", [False, True])
def test_reading(tmp_path: Path, with_manifest: bool) -> None:
    make_dataset(tmp_path, [A, B])
    if with_manifest:
        write_manifest(tmp_path)
    data = FlowDataset(tmp_path)
    assert len(data) == 2 + 3
    assert data.sequences == [A, B]
    assert [(pair.metadata.sequence, pair.frame) for pair in map(data.__getitem__, range(5))] == [
        (A.sequence, 1),
        (A.sequence, 2),
        (B.sequence, 1),
        (B.sequence, 2),
        (B.sequence, 3),
    ]
    pair = data[-2]  # t = 2 of B, whose numbers begin with 10
    assert pair.image1[0, 0, 0] == 24
    assert pair.image2[0, 0, 0] == 26
    assert pair.head_image2[0, 0, 0] == 27
    assert pair.facial_flow[0, 0, 0] == 12
    assert pair.head_flow[0, 0, 1] == 12.5
    assert pair.expression_flow[1, 1].tolist() == [-0.5, -0.5]
    assert (pair.mask == 0).all()
    assert pair.depth[0, 0] == 12
    assert [p.frame for p in data.pairs(B)] == [1, 2, 3]
    assert data.metadata(A).key == A
    assert len(FlowDataset(tmp_path, splits=("val",))) == 3
    assert FlowDataset(tmp_path, keep=lambda key: key.emotion == "happy").sequences == [A]
    assert len(list(data)) == 5
    for index in (5, -6):
        with pytest.raises(IndexError):
            data[index]


def test_reading_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        FlowDataset(tmp_path)
    make_dataset(tmp_path, [])
    assert len(FlowDataset(tmp_path)) == 0


def vertices() -> SequenceVertices:
    rng = np.random.default_rng(0)
    return SequenceVertices(
        facial=rng.normal(size=(3, 5, 3)).astype(np.float32),
        head=rng.normal(size=(2, 5, 3)).astype(np.float32),
        faces=np.array([[0, 1, 2], [2, 3, 4]], dtype=np.int32),
        frames=np.array([1, 2, 3], dtype=np.int32),
    )


def test_vertices_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "vertices.npz"
    path.write_bytes(encode_vertices(vertices()))
    back = read_vertices(path)
    for name in ("facial", "head", "faces", "frames"):
        np.testing.assert_array_equal(getattr(back, name), getattr(vertices(), name))
    assert encode_vertices(vertices()) == path.read_bytes()
    with zipfile.ZipFile(path) as archive:  # no clock in the bytes
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_malformed_arrays(tmp_path: Path) -> None:
    good = vars(vertices())
    nan = good["facial"].copy()
    nan[0, 0, 0] = np.nan
    cases: dict[str, dict[str, Any]] = {
        "missing": {"head": None},
        "float64": {"facial": good["facial"].astype(np.float64)},
        "counts": {"head": good["facial"]},
        "index": {"faces": good["faces"] + 3},
        "negative": {"faces": good["faces"] - 1},
        "no faces": {"faces": good["faces"][:0]},
        "nan": {"facial": nan},
        "scalar": {"facial": np.float32(1)},
        "objects": {"frames": np.array([1, "x", None], dtype=object)},
        "one frame": {"facial": good["facial"][:1], "head": good["head"][:0], "frames": good["frames"][:1]},
    }
    path = tmp_path / "vertices.npz"
    for name, changed in cases.items():
        np.savez(path, **{key: value for key, value in {**good, **changed}.items() if value is not None})
        with pytest.raises(InputFileError) as caught:
            read_vertices(path)
        assert "\n" not in str(caught.value), name
    for data in (b"", b"PK\x03\x04", encode_vertices(vertices())[:200]):
        path.write_bytes(data)
        with pytest.raises(InputFileError):
            read_vertices(path)


def test_masks(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (5, 7), dtype=np.uint8)
    path = tmp_path / "0001.npy"
    path.write_bytes(encode_mask(mask))
    np.testing.assert_array_equal(read_mask(path), mask)
    np.testing.assert_array_equal(np.load(path), mask)
    bad = [mask.astype(np.int32), mask[0], mask * 2, mask[:0], np.array([[None]], dtype=object)]
    for array in bad:
        np.save(path, array)
        with pytest.raises(InputFileError):
            read_mask(path)
    for data in (b"", b"\x93NUMPY", encode_mask(mask)[:-3]):
        path.write_bytes(data)
        with pytest.raises(InputFileError):
            read_mask(path)
