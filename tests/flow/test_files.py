"""Flow and depth files: round trips, other libraries' readers, damage."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from ffngen.errors import FfngenError, InputFileError
from ffngen.flow.exr import read_depth_exr, read_flow_exr, write_depth_exr
from ffngen.flow.files import FlowFormat, read_flow, write_flow
from ffngen.flow.flo import encode_flo, read_flo
from ffngen.flow.values import known


def some_flow(height: int = 37, width: int = 23) -> np.ndarray:
    rng = np.random.default_rng(0)
    flow = rng.normal(scale=8, size=(height, width, 2)).astype(np.float32)
    flow[: height // 2] = 0  # so that ZIP has something to shrink
    return flow


@pytest.mark.parametrize("suffix", [".flo", ".exr", ".flo5", ".npz"])
@pytest.mark.parametrize("shape", [(37, 23), (1, 1), (16, 5), (33, 1), (150, 23)])
def test_round_trip(tmp_path: Path, suffix: str, shape: tuple[int, int]) -> None:
    path = tmp_path / f"a{suffix}"
    flow = some_flow(*shape)
    write_flow(path, flow)
    back = read_flow(path)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, flow)
    np.testing.assert_array_equal(read_flow(path, slice(0, 1)), flow[:1])
    np.testing.assert_array_equal(read_flow(path, slice(shape[0] // 2, shape[0])), flow[shape[0] // 2 :])
    first = path.read_bytes()
    write_flow(path, flow.copy())
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with pytest.raises(InputFileError, match="where 2 x 2 belong"):
        read_flow(path, None, (2, 2))


@pytest.mark.parametrize("suffix", [".flo", ".exr", ".flo5", ".npz"])
def test_invalid_pixels_come_back_unknown(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    flow = some_flow()
    valid = np.ones(flow.shape[:2], dtype=np.uint8)
    valid[3, 4] = valid[10, 0] = 0
    flow[3, 4] = np.nan
    write_flow(path, flow, valid)
    back = read_flow(path)
    np.testing.assert_array_equal(known(back), valid != 0)
    np.testing.assert_array_equal(back[valid != 0], flow[valid != 0])
    with pytest.raises(ValueError, match="finite"):
        write_flow(path, flow)


def test_flo_is_what_opencv_reads(tmp_path: Path) -> None:
    flow = some_flow()
    write_flow(tmp_path / "a.flo", flow)
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), flow)
    cv2.writeOpticalFlow(str(tmp_path / "b.flo"), flow)
    np.testing.assert_array_equal(read_flo(tmp_path / "b.flo"), flow)
    assert (tmp_path / "a.flo").read_bytes() == (tmp_path / "b.flo").read_bytes()


def test_exr_is_what_openexr_reads(tmp_path: Path) -> None:
    flow = some_flow()
    valid = np.ones(flow.shape[:2], dtype=np.uint8)
    write_flow(tmp_path / "a.exr", flow, valid)
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        channels = {name: channel.pixels for name, channel in file.channels().items()}
        assert file.header()["compression"] == OpenEXR.ZIP_COMPRESSION
    assert sorted(channels) == ["forward.u", "forward.v", "valid"]
    np.testing.assert_array_equal(channels["forward.u"], flow[..., 0])
    np.testing.assert_array_equal(channels["forward.v"], flow[..., 1])
    assert (channels["valid"] == 1).all()


@pytest.mark.parametrize("compression", ["NO_COMPRESSION", "ZIPS_COMPRESSION", "ZIP_COMPRESSION"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint32])
def test_depth_of_other_writers(tmp_path: Path, compression: str, dtype: type) -> None:
    depth = (np.random.default_rng(1).random((21, 45)) * 100).astype(dtype)
    header = {"compression": getattr(OpenEXR, compression), "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"Z": depth, "A": depth[::-1].copy()}).write(str(tmp_path / "d.exr"))
    np.testing.assert_array_equal(read_depth_exr(tmp_path / "d.exr"), depth.astype(np.float32))


def test_depth_round_trip(tmp_path: Path) -> None:
    depth = np.linspace(0.5, 3, 300, dtype=np.float32).reshape(20, 15)
    write_depth_exr(tmp_path / "d.exr", depth)
    np.testing.assert_array_equal(read_depth_exr(tmp_path / "d.exr"), depth)


def flo(width: int, height: int, data: int) -> bytes:
    return struct.pack("<4sii", b"PIEH", width, height) + bytes(data)


GOOD = encode_flo(some_flow())
MALFORMED_FLO = {
    "empty": b"",
    "short header": GOOD[:7],
    "magic": b"HEIP" + GOOD[4:],
    "truncated": GOOD[:-1],
    "too long": GOOD + b"\0",
    "negative": flo(-3, 4, 96),
    "zero": flo(0, 0, 0),
    "huge": flo(2**31 - 1, 2**31 - 1, 100),
    "large": flo(8193, 8192, 100),
}


@pytest.mark.parametrize("name", MALFORMED_FLO)
def test_malformed_flo(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.flo"
    path.write_bytes(MALFORMED_FLO[name])
    with pytest.raises(InputFileError) as caught:
        read_flow(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_pipe_and_unknown_suffix(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.flo")
    for name in ("none.flo", "none.exr", "pipe.flo", "a.png", "noext"):
        with pytest.raises(InputFileError):
            read_flow(tmp_path / name)
    with pytest.raises(InputFileError, match="\\.flo, \\.exr, \\.cflo"):
        FlowFormat.of("a.pfm")


def exr_bytes(tmp_path: Path, compression: str = "ZIP_COMPRESSION", kind: str = "scanlineimage") -> bytes:
    flow = some_flow(50, 40)
    header = {"compression": getattr(OpenEXR, compression), "type": getattr(OpenEXR, kind)}
    if kind == "tiledimage":
        header["tiles"] = OpenEXR.TileDescription()
    channels = {"forward.u": flow[..., 0].copy(), "forward.v": flow[..., 1].copy()}
    OpenEXR.File(header, channels).write(str(tmp_path / "made.exr"))
    return (tmp_path / "made.exr").read_bytes()


def window(data: bytes, x_max: int, y_max: int) -> bytes:
    at = data.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    return data[:at] + struct.pack("<4i", 0, 0, x_max, y_max) + data[at + 16 :]


def test_malformed_exr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good = exr_bytes(tmp_path)
    # Four blocks of 16 lines: the first follows the table of their four places, which begins with its own.
    block = next(at for at in range(200, 500) if struct.unpack_from("<Q", good, at - 32) == (at,)) + 8
    cases = {
        "empty": b"",
        "magic": b"\0" + good[1:],
        "header only": good[:60],
        "truncated": good[:-30],
        "half": good[: len(good) // 2],
        "deflated data": good[:block] + bytes(8) + good[block + 8 :],
        "line number": good[: block - 8] + b"\x07" + good[block - 7 :],
        "block size": good[: block - 4] + b"\xff\xff\xff\x7f" + good[block:],
        "huge window": window(good, 2**31 - 1, 2**31 - 1),
        "large window": window(good, 8192, 8192),
        "bomb": window(good, 7999, 7999),
        "negative window": window(good, -5, 10),
        "compression": exr_bytes(tmp_path, "PIZ_COMPRESSION"),
        "tiled": exr_bytes(tmp_path, kind="tiledimage"),
        "channel": good.replace(b"forward.u", b"forward.x"),
        "sampling": good.replace(
            b"forward.u\0" + struct.pack("<iiii", 2, 0, 1, 1), b"forward.u\0" + struct.pack("<iiii", 2, 0, 2, 1)
        ),
    }
    for name, data in cases.items():
        assert data != good, name
        (tmp_path / "a.exr").write_bytes(data)
        with pytest.raises(InputFileError) as caught:
            read_flow_exr(tmp_path / "a.exr")
        assert str(tmp_path / "a.exr") in str(caught.value), name
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_random_damage_to_exr_never_escapes(tmp_path: Path) -> None:
    good = exr_bytes(tmp_path)
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(600):
        data = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(0, 450 if rng.random() < 0.7 else len(data))] = rng.integers(256)
        (tmp_path / "a.exr").write_bytes(data[: rng.integers(len(data))] if rng.random() < 0.2 else data)
        try:
            read_flow_exr(tmp_path / "a.exr")
        except FfngenError:
            refused += 1
    assert refused > 300
