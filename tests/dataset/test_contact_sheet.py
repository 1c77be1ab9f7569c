"""The contact sheet holds what it says, in its place."""

from __future__ import annotations

import numpy as np
import pytest

from ffngen.dataset.contact_sheet import SheetPair, contact_sheet, shown_frames
from ffngen.flow.color import flow_to_rgb


def pair(frame: int, height: int = 60, width: int = 80) -> SheetPair:
    def plain(red: int) -> np.ndarray:
        return np.full((height, width, 3), (red, 10, 20), dtype=np.uint8)

    mask = np.zeros((height, width), dtype=np.uint8)
    mask[10:50, 20:60] = 1
    flow = np.zeros((height, width, 2), dtype=np.float32)
    flow[mask != 0] = [4, 0]
    head = flow / 2
    depth = np.where(mask, 1.0, 3.0).astype(np.float32)
    return SheetPair(frame, plain(100 + frame), plain(150), plain(200), flow, head, mask, depth)


def test_every_cell() -> None:
    sheet = contact_sheet([pair(1), pair(2)], "train/happy/x", cell=80)
    assert sheet.dtype == np.uint8
    height, width = sheet.shape[:2]
    step_x, step_y = 88, 68
    left, top = width - 8 * step_x, height - 2 * step_y
    for row in range(2):
        cells = [sheet[top + row * step_y :, left + column * step_x :][:60, :80] for column in range(8)]
        corners, middles = [cell[0, 0].tolist() for cell in cells], [cell[30, 40].tolist() for cell in cells]
        assert [corner[0] for corner in corners] == [101 + row, 150, 200, 255, 255, 255, 0, 0]
        full, half = (flow_to_rgb(np.array([[[u, 0.0]]]), 4.0)[0, 0].tolist() for u in (4.0, 2.0))
        # Facial and head flow share their scale; the expression flow is drawn on its own.
        assert middles[3:6] == [full, half, full]
        assert middles[6] == [255] * 3
        assert middles[7][0] > 200
    assert len(np.unique(sheet[: top - 4].reshape(-1, 3), axis=0)) > 50  # title, labels, legends


def test_still_and_empty_sequences() -> None:
    still = pair(1)
    zero = np.zeros_like(still.facial_flow)
    empty = SheetPair(1, still.image1, still.image2, still.head_image2, zero, zero, still.mask * 0, still.depth)
    assert contact_sheet([empty], "x").shape[2] == 3
    np.testing.assert_array_equal(contact_sheet([still], "x"), contact_sheet([still], "x"))


@pytest.mark.parametrize(
    ("frames", "expected"),
    [([1], [1]), ([1, 2], [1, 2]), ([0, 1, 2], [0, 1, 2]), (list(range(1, 10)), [1, 5, 9])],
)
def test_shown_frames(frames: list[int], expected: list[int]) -> None:
    assert shown_frames(frames) == expected
