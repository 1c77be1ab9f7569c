"""Small sets in the layouts of CK+ and of trackers, whose motion is one known affine map per sequence."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

WIDTH, HEIGHT = 150, 120


def motion(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(2, 2) and (2,): x maps to x + A x + b."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.03, 0.03, (2, 2)), rng.uniform(-2, 2, 2) + np.array([3.0, -2.0])


def moved(points: np.ndarray, seed: int) -> np.ndarray:
    A, b = motion(seed)
    result: np.ndarray = points + points @ A.T + b
    return result


def flow(seed: int) -> np.ndarray:
    """(H, W, 2) float32: the sequence's motion everywhere."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.stack([x, y], axis=-1).astype(np.float64)
    return (moved(pixels, seed) - pixels).astype(np.float32)


def pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two grey images (H, W) uint8 of a texture that moves so."""
    rng = np.random.default_rng(100 + seed)
    texture = gaussian_filter(rng.normal(size=(HEIGHT + 80, WIDTH + 80)), 1.6)
    texture = 127 + 45 * texture / texture.std()
    A, b = motion(seed)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float64)
    before = (pixels - b) @ np.linalg.inv(np.eye(2) + A).T
    images = []
    for places in (pixels, before):
        values = map_coordinates(texture, [places[:, 1] + 40, places[:, 0] + 40], order=1, mode="nearest")
        images.append(np.clip(np.rint(values), 0, 255).astype(np.uint8).reshape(HEIGHT, WIDTH))
    return images[0], images[1]


def landmarks(seed: int) -> np.ndarray:
    """(68, 2): places well within the picture."""
    rng = np.random.default_rng(200 + seed)
    return rng.uniform([25, 25], [WIDTH - 25, HEIGHT - 25], (68, 2))


def write_ck_landmarks(path: Path, points: np.ndarray) -> None:
    """As CK+ has them: two numbers in scientific notation on each line, right-aligned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points))


def write_ck_sequence(root: Path, subject: str, session: str, seed: int, frames: int = 4, origin: float = 0.0) -> None:
    """The first image moves to the last; those between are black, and their landmarks are far away."""
    images = root / "cohn-kanade-images" / subject / session
    images.mkdir(parents=True, exist_ok=True)
    (images / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    first, last = pictures(seed)
    for number in range(1, frames + 1):
        name = f"{subject}_{session}_{number:08d}"
        image = first if number == 1 else last if number == frames else np.zeros_like(first)
        Image.fromarray(image).save(images / f"{name}.png")
        points = landmarks(seed) if number == 1 else moved(landmarks(seed), seed)
        points = points + (500 if 1 < number < frames else 0) + origin
        write_ck_landmarks(root / "Landmarks" / subject / session / f"{name}_landmarks.txt", points)


def write_masks(path: Path, count: int) -> dict[str, np.ndarray]:
    """FLAME_masks.pkl of a made head: the face is the first half of its vertices, parts of which overlap."""
    part = count // 20
    masks = {
        "face": np.arange(count // 2),
        "lips": np.arange(part, 2 * part),
        "eye_region": np.arange(2 * part - 3, 3 * part),
        "nose": np.arange(3 * part, 4 * part),
        "forehead": np.arange(4 * part - 2, 5 * part),
        "scalp": np.arange(count // 2, count),
    }
    path.write_bytes(pickle.dumps(masks, protocol=2))
    return masks
