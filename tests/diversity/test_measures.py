"""Skin tone, head pose, light and lengths of flow, against other computations and closed forms."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.appearance.colour import srgb_to_linear
from ffngen.dataset.raycast import cast_frame
from ffngen.diversity.flow_lengths import FlowLengths
from ffngen.diversity.head_pose import seen_angles
from ffngen.diversity.light import seen_light
from ffngen.diversity.measures import Lengths
from ffngen.diversity.skin_tone import class_of, lab, median_colour, typology_angle
from ffngen.geometry.camera import Camera
from ffngen.geometry.rigid import rotation_between


def test_lab_is_opencvs() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (200, 1, 3), dtype=np.uint8)
    theirs = cv2.cvtColor(np.float32(rgb) / 255, cv2.COLOR_RGB2LAB)
    # OpenCV reads it from a table; the primaries' values are published.
    np.testing.assert_allclose(lab(srgb_to_linear(rgb)), theirs, atol=0.3)
    published = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0]]
    np.testing.assert_allclose(lab([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]), published, atol=0.05)


def test_typology_angles_of_known_skin() -> None:
    # Skin of sRGB (230, 197, 180) has L* 82.0 and b* 13.0: arctan(32 / 13) = 68 degrees.
    light, dark = srgb_to_linear(np.array([[230, 197, 180], [72, 46, 34]], dtype=np.uint8))
    assert typology_angle(light) == pytest.approx(68, abs=2)
    assert typology_angle(dark) < -50
    assert [class_of(angle) for angle in (60, 55, 41.1, 30, 28, 10.5, 0, -29, -30, -70)] == [
        *("very light", "light", "light", "intermediate", "tan", "tan", "brown", "brown", "dark", "dark"),
    ]


def test_the_median_colour_ignores_a_few_hairs() -> None:
    skin = np.tile(np.float32([0.4, 0.25, 0.2]), (100, 1))
    skin[:20] = 0.01
    assert median_colour(skin) == pytest.approx((0.4, 0.25, 0.2))
    assert median_colour(skin[:0]) is None


def frontal(turn: Rotation | None = None) -> Camera:
    """A camera 0.7 m before the head, carried around it by ``turn``."""
    T = np.eye(4)
    T[:3, :3] = np.diag([1.0, -1.0, -1.0])
    T[:3, 3] = [0, 0, 0.7]
    if turn is not None:
        T[:3] = turn.as_matrix() @ T[:3]
    return Camera(np.array([[300.0, 0, 79.5], [0, 300, 59.5], [0, 0, 1]]), T, 160, 120)


def test_head_pose() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    turned = Rotation.from_euler("YXZ", [25, -10, 5], degrees=True)
    rotation = rotation_between(points, turned.apply(points) + np.array([1, 2, 3]))
    np.testing.assert_allclose(rotation, turned.as_matrix(), atol=1e-12)
    assert seen_angles(rotation, frontal()) == pytest.approx((25, -10, 5))
    # Looking to its left moves the face towards +x, looking down towards -y.
    left, down = (Rotation.from_euler("YXZ", a, degrees=True).apply([0, 0, 1]) for a in ([25, 0, 0], [0, 10, 0]))
    assert left[0] > 0 and down[1] < 0
    # A camera that has gone around with the head sees it from the front.
    assert seen_angles(rotation, frontal(turned)) == pytest.approx((0, 0, 0), abs=1e-9)


def test_a_mirrored_cloud_is_no_rotation() -> None:
    points = np.random.default_rng(1).normal(size=(20, 3))
    assert np.linalg.det(rotation_between(points, points * [-1, 1, 1])) == pytest.approx(1)


def ball() -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) metres and (F, 3), counter-clockwise from outside."""
    rings, sectors = 24, 48
    theta, phi = np.meshgrid(np.linspace(0.02, np.pi - 0.02, rings), np.arange(sectors) * 2 * np.pi / sectors)
    points = 0.1 * np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], axis=-1)
    corner = np.arange(sectors)[:, None] * rings + np.arange(rings - 1)
    beside = (corner + rings) % (sectors * rings)
    faces = np.concatenate([
        np.stack([corner, corner + 1, beside], -1).reshape(-1, 3),
        np.stack([corner + 1, beside + 1, beside], -1).reshape(-1, 3),
    ])  # fmt: skip
    return points.reshape(-1, 3), faces


@pytest.mark.parametrize("turn", [None, Rotation.from_euler("Y", 40, degrees=True)])
def test_light(turn: Rotation | None) -> None:
    """Skin that is brighter to the picture's left and upwards, from every camera."""
    camera = frontal(turn)
    vertices, faces = ball()
    frame = cast_frame(vertices, faces, camera)
    corners = camera.to_camera(vertices)
    triangle = corners[frame.faces[frame.triangle]]
    normal = np.cross(triangle[..., 1, :] - triangle[..., 0, :], triangle[..., 2, :] - triangle[..., 0, :])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    # Camera coordinates: x right, y down.
    bright = 0.3 - 0.10 * normal[..., 0] - 0.06 * normal[..., 1]
    skin = frame.hit & (normal[..., 2] < -0.3)
    light = seen_light(np.repeat(bright[..., None], 3, axis=-1), frame, corners, skin)
    assert light is not None
    assert light.brightness == pytest.approx(bright[skin].mean())
    assert light.from_right * light.brightness == pytest.approx(-0.10)
    assert light.from_above * light.brightness == pytest.approx(0.06)
    few = np.zeros_like(skin)
    few[60, 70:90] = True
    assert seen_light(np.zeros((120, 160, 3)), frame, corners, few) is None


def test_lengths_add_up_and_have_quantiles() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([np.exp(rng.normal(-1, 1.5, 20_000)), np.zeros(100), [5000.0]])
    one, other = FlowLengths(), FlowLengths()
    one.add(values[:7000])
    other.add(values[7000:])
    other.add(values[:0])
    one.merge(other)
    assert one.pixels == len(values)
    assert one.mean == pytest.approx(values.mean())
    assert one.longest == 5000
    for share in (0.05, 0.5, 0.9, 0.99):
        assert one.quantile(share) == pytest.approx(np.quantile(values, share), rel=0.03)
    assert one.quantile(1.0) == 5000
    assert FlowLengths().quantile(0.5) == FlowLengths().mean == 0
    again = Lengths.model_validate_json(Lengths.of(one).model_dump_json()).histogram()
    np.testing.assert_array_equal(again.counts, one.counts)
    assert (again.total, again.longest) == (one.total, one.longest)
