"""Spring's .flo5 and NumPy's .npz: round trips, other writers, damage and hostile files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ffngen.errors import FfngenError, InputFileError
from ffngen.flow.files import read_flow, write_flow
from ffngen.flow.values import known


def some_flow(height: int = 150, width: int = 23) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=8, size=(height, width, 2)).astype(np.float32)


def test_what_other_writers_write(tmp_path: Path) -> None:
    """Spring's own way (gzip, NaN where unknown), uncompressed, double; and plain .npz files."""
    flow = some_flow()
    hole = flow.copy()
    hole[5, 5] = np.nan
    for name, options in (("gzip", {"compression": "gzip", "compression_opts": 5}), ("plain", {})):
        with h5py.File(tmp_path / f"{name}.flo5", "w") as file:
            file.create_dataset("flow", data=hole.astype(float) if name == "plain" else hole, **options)
        back = read_flow(tmp_path / f"{name}.flo5")
        np.testing.assert_array_equal(known(back), ~np.isnan(hole[..., 0]))
        np.testing.assert_array_equal(back[known(back)], flow[known(back)])
    np.savez(tmp_path / "a.npz", flow=flow.astype(np.float64), other=np.zeros(3))
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npz"), flow)


def linked(path: Path) -> None:
    with h5py.File(path.with_name("secret.h5"), "w") as file:
        file["x"] = some_flow()
    with h5py.File(path, "w") as file:
        file["flow"] = h5py.ExternalLink("secret.h5", "x")


def stored_elsewhere(path: Path) -> None:
    path.with_name("raw").write_bytes(some_flow().tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("flow", (150, 23, 2), "f4", external=[(str(path.with_name("raw")), 0, h5py.h5f.UNLIMITED)])


def virtual(path: Path) -> None:
    layout = h5py.VirtualLayout((150, 23, 2), "f4")
    layout[:] = h5py.VirtualSource(str(path.with_name("secret.h5")), "x", (150, 23, 2))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("flow", layout)


def other_filter(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("flow", data=some_flow(), compression="lzf")


def array(**options: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("flow", **options)

    return make


HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("flow"),
    "another file's": linked,
    "raw data elsewhere": stored_elsewhere,
    "virtual": virtual,
    "a filter that may be a plug-in": other_filter,
    "no flow": lambda path: h5py.File(path, "w").close(),
    "a group": lambda path: h5py.File(path, "w").create_group("flow").file.close(),
    "text inside": array(data="PIEH"),
    "integers": array(data=np.zeros((4, 4, 2), np.int32)),
    "one channel": array(data=np.zeros((4, 4), np.float32)),
    "promises terabytes": array(shape=(1 << 20, 1 << 20, 2), dtype="f4", chunks=(64, 64, 2)),
    "one huge chunk": array(shape=(4, 4, 2), maxshape=(None, None, 2), dtype="f4", chunks=(1 << 14, 1 << 14, 2)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_flo5(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.flo5"
    HOSTILE[name](path)
    with pytest.raises(InputFileError) as caught:
        read_flow(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_random_damage_to_flo5_never_escapes(tmp_path: Path) -> None:
    path = tmp_path / "a.flo5"
    write_flow(path, some_flow())
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(0, 3000 if rng.random() < 0.8 else len(data))] = rng.integers(256)
        path.write_bytes(data[: rng.integers(len(data))] if rng.random() < 0.2 else data)
        try:
            read_flow(path)
        except FfngenError:
            refused += 1
    assert refused > 60


def test_malformed_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    flow = some_flow(4, 5)
    for arrays in (
        {"other": flow},
        {"flow": flow[..., 0]},
        {"flow": flow.astype(int)},
        {"flow": flow, "valid": np.ones((5, 4), bool)},
        {"flow": flow, "valid": np.ones((4, 5))},
        {"flow": np.array([None])},
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputFileError):
            read_flow(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flow.npy", b"\x93NUMPY" + bytes(1 << 20))
    with pytest.raises(InputFileError):
        read_flow(path)
