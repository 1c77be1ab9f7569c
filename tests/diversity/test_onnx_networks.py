"""A user's networks see the face that they are meant to, in the form that they are meant to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_file import block_means

from ffngen.diversity.onnx_networks import ExpressionNetwork, IdentityNetwork, arcface_crop, face_crop
from ffngen.errors import InputFileError

#: ArcFace's places of both eyes, the nose and the corners of the mouth, in a picture of 112 pixels.
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def landmarks(five: np.ndarray) -> np.ndarray:
    """68 landmarks with these five among them; eyes as six equal points."""
    points = np.tile(five.mean(axis=0), (68, 1))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    return points


def coloured(height: int, width: int) -> np.ndarray:
    """Red grows to the right, green downwards; blue is 40."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 40)], axis=-1).astype(np.uint8)


def test_a_face_in_arcfaces_place_is_left_as_it_is() -> None:
    image = coloured(112, 112)
    assert np.abs(arcface_crop(image, landmarks(PLACES)).astype(int) - image).max() <= 1


def test_a_face_is_turned_scaled_and_moved_into_place() -> None:
    c, s = 1.4 * np.cos(0.3), 1.4 * np.sin(0.3)
    turn = np.array([[c, -s], [s, c]])
    image = coloured(256, 256)
    crop = arcface_crop(image, landmarks(PLACES @ turn.T + [60, 25]))
    # Where the crop's pixel comes from is written in its colours.
    for u, v in ((20, 30), (90, 40), (50, 100)):
        np.testing.assert_allclose(crop[v, u, :2], turn @ [u, v] + [60, 25], atol=1)


def test_the_expression_networks_view_is_centred_on_the_face() -> None:
    five = np.array([[90.0, 100], [150, 100], [120, 130], [100, 160], [140, 160]])
    crop = face_crop(coloured(256, 256), landmarks(five))
    # The bounds are 60 pixels, the view 84, its middle 6.72 above theirs.
    np.testing.assert_allclose(crop[112, 112, :2], [120, 130 - 6.72], atol=1.5)
    assert crop[112, 200, 0] - crop[112, 20, 0] == pytest.approx(180 * 84 / 224, abs=2)


def test_what_an_identity_network_is_given(tmp_path: Path) -> None:
    path = tmp_path / "means.onnx"
    path.write_bytes(block_means(112, 56))
    network = IdentityNetwork(path)
    assert network.size == 12 and network.name.startswith("means.onnx (sha256 ")
    image = coloured(112, 112)
    feature = network.embed(image, landmarks(PLACES)).reshape(3, 2, 2)
    blocks = image.reshape(2, 56, 2, 56, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    np.testing.assert_allclose(feature, (blocks - 127.5) / 127.5, atol=5e-3)


def test_what_an_expression_network_is_given(tmp_path: Path) -> None:
    path = tmp_path / "means.onnx"
    path.write_bytes(block_means(224, 224))
    image = np.full((200, 200, 3), (255, 128, 0), dtype=np.uint8)
    five = np.array([[70.0, 80], [130, 80], [100, 110], [80, 140], [120, 140]])
    feature = ExpressionNetwork(path).embed(image, landmarks(five))
    wanted = (np.array([1, 128 / 255, 0]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    # Float32 sums of 50,176 values.
    np.testing.assert_allclose(feature, wanted, atol=2e-3)


@pytest.mark.parametrize(
    "content", [b"", b"not a network", block_means(112, 56)[:60], block_means(112, 56) + b"\xff" * 20, b"\x3a\x7f" * 50]
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"bad\.onnx: .*\(1, 3, 112, 112\)"):
        IdentityNetwork(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"none\.onnx: cannot be read"):
        ExpressionNetwork(tmp_path / "none.onnx")
