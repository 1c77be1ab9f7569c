"""Micro-expression sets in the published ones' layouts, with small made-up pictures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ffngen.flow.files import write_flow

CASME2_HEADER = (
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
)
SIZE = 64


def write_table(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    """Rows as .xlsx or .csv, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(["" if cell is None else cell for cell in row] for row in rows)
        return path
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    book.save(path)
    return path


def write_frames(folder: Path, names: Sequence[str], shape: tuple[int, int] = (8, 8)) -> None:
    """Grey pictures of these names; each is a little lighter than the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.full((*shape, 3), number, np.uint8)).save(folder / name)


def texture(rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """(size, size, 3) uint8: smooth blots, in which motion can be seen."""
    coarse = rng.integers(40, 216, (size // 4, size // 4, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def motion_of(emotion: str, rng: np.random.Generator, size: int = SIZE, shake: float = 0.0) -> np.ndarray:
    """(size, size, 2) float32, pixels: a bump of motion where the emotion has it, and a common shift."""
    y, x = np.mgrid[:size, :size] / size
    places = {
        "happiness": ((0.72, 0.3, -0.7, -1.0), (0.72, 0.7, 0.7, -1.0)),
        "surprise": ((0.25, 0.3, 0.0, -1.2), (0.25, 0.7, 0.0, -1.2)),
        "disgust": ((0.28, 0.4, 0.4, 1.0), (0.28, 0.6, -0.4, 1.0)),
    }[emotion]
    flow = np.zeros((size, size, 2))
    for row, column, u, v in places:
        bump = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 0.09**2))
        flow += bump[..., None] * np.array([u, v]) * rng.uniform(0.7, 1.3)
    flow += rng.normal(0, shake, 2)
    return flow.astype(np.float32)


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The picture after its pixels have moved: drawn backwards, which is right where motion is smooth."""
    import cv2

    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return cv2.remap(image, x - flow[..., 0], y - flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def make_micro_set(
    root: Path, *, subjects: int = 6, clips: int = 2, shake: float = 0.0, seed: int = 0, suffix: str = ".xlsx"
) -> Path:
    """A set in CASME II's layout whose classes move differently, with true flow in ``flow/``."""
    rng = np.random.default_rng(seed)
    rows: list[Sequence[Any]] = [CASME2_HEADER]
    for subject in range(1, subjects + 1):
        face = texture(rng)
        for number, emotion in enumerate(("happiness", "surprise", "disgust") * clips, 1):
            clip = f"EP{number:02d}_01"
            flow = motion_of(emotion, rng, shake=shake)
            folder = root / "Cropped" / f"sub{subject:02d}" / clip
            folder.mkdir(parents=True)
            for frame, share in ((10, 0.0), (15, 0.5), (20, 1.0), (30, 0.0)):
                Image.fromarray(warp(face, share * flow)).save(folder / f"reg_img{frame}.png")
            true = root / "flow" / f"sub{subject:02d}"
            true.mkdir(parents=True, exist_ok=True)
            write_flow(true / f"{clip}.flo", flow)
            rows.append((subject, clip, None, 10, 20, 30, None, "12", emotion))
    write_table(root / f"CASME2-coding-20140508{suffix}", rows)
    return root
