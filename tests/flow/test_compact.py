"""The compact flow format: its bound on errors, its documented layout, rows, damage."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ffngen.errors import InputFileError
from ffngen.flow.compact import MAX_ERROR, decode_compact, encode_compact
from ffngen.flow.files import FlowFormat, read_flow, write_flow
from ffngen.flow.values import UNKNOWN_FLOW, known


def some_flow(height: int, width: int, scale: float = 8) -> np.ndarray:
    """Smooth, noisy and still parts."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    flow = np.stack([np.sin(x / 9) + y / 50, np.cos(y / 7) - x / 40], axis=-1) * scale
    flow[: height // 3] += rng.normal(scale=scale, size=(height // 3, width, 2))
    flow[2 * height // 3 :, width // 2 :] = 0
    return flow.astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (64, 3), (65, 7), (200, 90)])
@pytest.mark.parametrize("scale", [1e-3, 1, 30, 9000])
def test_errors_stay_within_the_bound(shape: tuple[int, int], scale: float) -> None:
    flow = some_flow(*shape, scale)
    back = decode_compact(encode_compact(flow), "a.cflo")
    assert back.dtype == np.float32 and back.shape == flow.shape
    assert np.all(np.abs(back.astype(float) - flow) <= MAX_ERROR + np.spacing(np.abs(flow)))
    np.testing.assert_array_equal(back[flow == 0], 0)
    assert encode_compact(back) == encode_compact(flow), "rounding twice is rounding once"


def test_the_longest_motion() -> None:
    flow = np.array([[[524288, -524288], [-524288, 524288]], [[0, 524288], [1, -1]]], np.float32)
    np.testing.assert_array_equal(decode_compact(encode_compact(flow), "a"), flow)
    with pytest.raises(ValueError, match="more than 524288 pixels"):
        encode_compact(flow * 1.01)


def test_unknown_pixels_and_rows(tmp_path: Path) -> None:
    flow = some_flow(150, 40)
    valid = np.random.default_rng(1).random((150, 40)) < 0.9
    flow[~valid] = np.nan
    path = tmp_path / "a.cflo"
    write_flow(path, flow, valid)
    whole = read_flow(path, size=(150, 40))
    np.testing.assert_array_equal(known(whole), valid)
    assert (whole[~valid] == UNKNOWN_FLOW).all()
    np.testing.assert_allclose(whole[valid], flow[valid], rtol=0, atol=MAX_ERROR)
    for start, stop in ((0, 1), (10, 64), (63, 65), (64, 128), (149, 150), (0, 150), (20, 20)):
        np.testing.assert_array_equal(read_flow(path, slice(start, stop)), whole[start:stop])
    with pytest.raises(InputFileError, match="40 x 150 pixels, where 41 x 150 belong"):
        read_flow(path, size=(150, 41))


def by_the_book(steps: list[list[tuple[int, int]]], bits: int, rows: int, invalid: set[tuple[int, int]]) -> bytes:
    """A file after the module's description, one number at a time; its prediction is written out."""
    height, width = len(steps), len(steps[0])
    bands = []
    for top in range(0, height, rows):
        lines = range(top, min(top + rows, height))
        band = bytearray([0])
        bits_of = "".join("0" if (y, x) in invalid else "1" for y in lines for x in range(width))
        bits_of += "0" * (-len(bits_of) % 8)
        band += bytes(int(bits_of[i : i + 8], 2) for i in range(0, len(bits_of), 8))
        for c in (0, 1):

            def at(y: int, x: int, c: int = c, top: int = top) -> int:
                return steps[y][x][c] if y >= top and x >= 0 else 0

            differences = [
                at(y, x) - at(y, x - 1) - at(y - 1, x) + at(y - 1, x - 1) for y in lines for x in range(width)
            ]
            folded = [2 * d if d >= 0 else -2 * d - 1 for d in differences]
            band += bytes([4]) + bytes((f >> 8 * k) & 255 for k in range(4) for f in folded)
        bands.append((pa.compress(bytes(band), codec="zstd", asbytes=True), len(band)))
    header = struct.pack("<4sBBHII", b"CFLO", 1, bits, rows, width, height)
    table = b"".join(struct.pack("<II", len(packed), length) for packed, length in bands)
    return header + table + b"".join(packed for packed, _ in bands)


def test_a_file_written_by_the_book() -> None:
    """Other steps and bands than ours are read too."""
    rng = np.random.default_rng(2)
    steps = rng.integers(-5000, 5000, (7, 5, 2))
    data = by_the_book([[(int(u), int(v)) for u, v in row] for row in steps], 4, 3, {(2, 4), (6, 0)})
    flow = decode_compact(data, "a")
    expected = (steps / 16).astype(np.float32)
    expected[2, 4] = expected[6, 0] = UNKNOWN_FLOW
    np.testing.assert_array_equal(flow, expected)
    np.testing.assert_array_equal(decode_compact(data, "a", slice(2, 4)), expected[2:4])


def test_small_on_smooth_flow() -> None:
    y, x = np.mgrid[:256, :256].astype(np.float32)
    flow = np.stack([x * 0.01 - y * 0.02, y * 0.013], axis=-1) + 3
    assert len(encode_compact(flow)) < 0.03 * flow.nbytes


def test_damaged_files_are_one_line() -> None:
    data = encode_compact(some_flow(70, 20))
    for cut in range(len(data)):
        with pytest.raises(InputFileError):
            decode_compact(data[:cut], "a.cflo")
    with pytest.raises(InputFileError, match="damaged"):
        decode_compact(data + b"x", "a.cflo")
    rng = np.random.default_rng(3)
    for _ in range(2000):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            # Most of what matters lies at the front.
            changed[int(len(data) * rng.random() ** 3)] = rng.integers(0, 256)
        try:
            decode_compact(bytes(changed), "a.cflo")
        except InputFileError as error:
            assert "\n" not in str(error)


def header(width: int, height: int, *, bits: int = 11, rows: int = 64, version: int = 1) -> bytes:
    return struct.pack("<4sBBHII", b"CFLO", version, bits, rows, width, height)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged"),
        (b"PIEH" + bytes(40), "does not begin with CFLO"),
        (header(4, 4, version=2) + bytes(99), "version 2"),
        (header(0, 4) + bytes(99), "damaged"),
        (header(2**31, 2**31) + bytes(99), "damaged"),
        (header(8192, 8192, rows=1) + bytes(99), "damaged"),
        (header(8192, 8192, rows=8192) + struct.pack("<II", 9, 600_000_000) + b"\x28\xb5\x2f\xfd12345", "damaged"),
        (header(4, 4, rows=0) + bytes(99), "damaged"),
        (header(4, 4, bits=200) + bytes(99), "damaged"),
        (header(4, 4) + struct.pack("<II", 0, 0), "damaged"),
        (header(4, 4) + struct.pack("<II", 2**32 - 1, 40), "damaged"),
    ],
)
def test_hostile_headers(data: bytes, words: str) -> None:
    with pytest.raises(InputFileError, match=words):
        decode_compact(data, "a.cflo")


def test_rounding_of_each_format(tmp_path: Path) -> None:
    """What the formats say of their own errors holds, and is not far above them."""
    flow = some_flow(120, 80)
    for flow_format in FlowFormat:
        path = tmp_path / f"{flow_format.value}{flow_format.suffix}"
        write_flow(path, flow, flow_format=flow_format)
        back = read_flow(path)
        error = np.hypot(*np.moveaxis(back.astype(float) - flow, -1, 0))
        bound = flow_format.rounding(flow)
        assert np.all(error <= bound + 1e-6)
        assert error.max() >= 0.6 * bound.max()
    with pytest.raises(ValueError, match="half"):
        write_flow(path, flow * 1e5, flow_format=FlowFormat.EXR_HALF)
