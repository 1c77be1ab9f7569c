"""Tables and folders with the published sets' layouts and numbers of rows, and tiny frames.

Confirmed by their authors' papers or by public lists of names: rows and rows per emotion of each set; SMIC's clips of
each subject and emotion; the composite's samples of each subject; that CASME II's subject 18 has "others" alone and
subject 10 no emotion of the composite but fear or sadness, and SAMM's subject 25 "other" alone; that 21 of CASME II's
apexes are missing and one of its offsets is wrong, and three of SAMM's apexes are missing. How emotions fall on the
subjects of CASME II, SAMM and MMEW, clips' names, and which rows are wrong, are made up.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from made_micro import CASME2_HEADER, write_table
from PIL import Image

#: The composite's samples of each subject.
CASME2_COMPOSITE = dict(
    zip(
        (*range(1, 10), *range(11, 18), *range(19, 27)),
        (3, 9, 5, 2, 6, 4, 5, 1, 10, 4, 11, 2, 3, 3, 3, 31, 11, 2, 1, 2, 8, 3, 5, 11),
        strict=True,
    )
)
SAMM_COMPOSITE = dict(
    zip(
        (6, 7, *range(9, 25), 26, 28, *range(30, 38)),
        (11, 8, 4, 4, 20, 3, 6, 10, 3, 5, 4, 3, 1, 4, 2, 5, 1, 1, 9, 3, 3, 1, 4, 5, 3, 8, 1, 1),
        strict=True,
    )
)
#: Negative, positive and surprise clips.
SMIC = {
    1: (3, 2, 1), 2: (0, 1, 5), 3: (22, 11, 6), 4: (10, 4, 5), 5: (1, 0, 1), 6: (2, 0, 2), 8: (9, 4, 0), 9: (0, 1, 3),
    11: (3, 3, 1), 12: (0, 8, 1), 13: (0, 10, 0), 14: (3, 2, 5), 15: (1, 1, 2), 18: (2, 0, 5), 19: (0, 1, 1),
    20: (14, 3, 5),
}  # fmt: skip
_CASME2_EMOTIONS = {"disgust": 62, "repression": 26, "happiness": 32, "surprise": 25}
_SAMM_EMOTIONS = {
    "Anger": 57, "Contempt": 12, "Disgust": 9, "Fear": 8, "Sadness": 6, "Happiness": 26, "Surprise": 15,
}  # fmt: skip
MMEW_EMOTIONS = {
    "happiness": 36, "anger": 8, "surprise": 89, "disgust": 72, "fear": 16, "sadness": 13, "others": 66,
}  # fmt: skip
COMPOSITE_OF = {"happiness": 1, "surprise": 2}


def _picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


_JPEG, _BMP = _picture("JPEG"), _picture("BMP")


def _frames(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(_BMP if name.endswith("bmp") else _JPEG)


def _emotions(counts: dict[str, int]) -> Iterator[str]:
    return iter([emotion for emotion, count in counts.items() for _ in range(count)])


def casme2_rows() -> list[list[Any]]:
    """255 rows: 145 of the composite, two more negative ones, nine of fear or sadness, and 99 others."""
    emotions = _emotions(_CASME2_EMOTIONS)
    pairs = [(subject, next(emotions)) for subject, count in CASME2_COMPOSITE.items() for _ in range(count)]
    pairs += [(17, "disgust"), (26, "repression")]
    pairs += [(10, "sadness"), *((subject, "sadness") for subject in range(1, 7)), (10, "fear"), (2, "fear")]
    pairs += [(subject, "others") for subject, _ in zip(cycle(range(1, 27)), range(99), strict=False)]
    rows: list[list[Any]] = []
    for number, (subject, emotion) in enumerate(pairs):
        apex: Any = "/" if number % 12 == 5 else 30
        rows.append([subject, f"EP{number // 20 + 1:02d}_{number:02d}f", None, 10, apex, 40, None, "4+7", emotion])
    rows[29][5] = 9  # one of the 21 without an apex
    return rows


def make_casme2(root: Path, name: str = "CASME2-coding-20140508.xlsx") -> Path:
    """``Cropped/sub01/EP01_00f/reg_img10.jpg`` and the table."""
    rows = casme2_rows()
    for row in rows:
        folder = root / "Cropped" / f"sub{row[0]:02d}" / row[1]
        _frames(folder, [f"reg_img{frame}.jpg" for frame in (10, 25, 30, 40)])
    write_table(root / name, [CASME2_HEADER, *rows])
    return root


def make_samm(root: Path) -> Path:
    """``006/006_1_2/006_05562.jpg`` and the table, whose header comes after 13 rows of text."""
    emotions = _emotions(_SAMM_EMOTIONS)
    pairs = [(subject, next(emotions)) for subject, count in SAMM_COMPOSITE.items() for _ in range(count)]
    pairs += [(subject, "Other") for subject, _ in zip(cycle((25, *SAMM_COMPOSITE)), range(26), strict=False)]
    rows: list[list[Any]] = [[f"Information {i}"] if i % 2 else [] for i in range(13)]
    rows[0] = ["SAMM: Subject and Filename are explained below"]
    rows.append(
        ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
         "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]
    )  # fmt: skip
    for number, (subject, emotion) in enumerate(pairs):
        apex = -1 if number in (20, 70, 110) else 5593
        offset = 5580 if number == 56 else 5600
        clip = f"{subject:03d}_{number // 30 + 1}_{number % 30 + 1}"
        rows.append([f"{subject:03d}", clip, 3, 5562, apex, offset, "=F2-D2", "1/2", "4", emotion, 1, None])
        _frames(root / f"{subject:03d}" / clip, [f"{subject:03d}_{f:05d}.jpg" for f in (5562, 5581, 5593, 5600)])
    write_table(root / "SAMM_Micro_FACS_Codes_v2.xlsx", rows)
    return root


def smic_clips() -> list[tuple[int, str, str]]:
    """Subject, emotion and clip, 164 of them."""
    names = (("negative", "ne"), ("positive", "po"), ("surprise", "sur"))
    return [
        (subject, emotion, f"s{subject:02d}_{short}_{number:02d}")
        for subject, counts in SMIC.items()
        for (emotion, short), count in zip(names, counts, strict=True)
        for number in range(1, count + 1)
    ]


def make_smic(root: Path) -> Path:
    """``HS/s01/micro/negative/s01_ne_01/reg_image000005.bmp``."""
    for subject, emotion, clip in smic_clips():
        folder = root / "HS" / f"s{subject:02d}" / "micro" / emotion / clip
        _frames(folder, [f"reg_image{f:06d}.bmp" for f in (5, 6, 7, 8, 9)])
    return root


def make_mmew(root: Path) -> Path:
    """``Micro_Expression/happiness/S01-01-001/1.jpg`` and the table."""
    rows: list[list[Any]] = [
        [
            "Subject",
            "Filename",
            "OnsetFrame",
            "ApexFrame",
            "OffsetFrame",
            "Action Units",
            "Estimated Emotion",
            "remarks",
        ]
    ]
    for number, emotion in enumerate(_emotions(MMEW_EMOTIONS)):
        subject = number % 30 + 1
        clip = f"S{subject:02d}-01-{number:03d}"
        apex = None if number in range(33, 43) else 7
        rows.append([subject, clip, 1, apex, 12, "4", emotion, None])
        _frames(root / "Micro_Expression" / emotion / clip, [f"{frame}.jpg" for frame in (1, 6, 7, 12)])
    write_table(root / "MMEW_Micro_Exp.xlsx", rows)
    return root


def composite_rows() -> list[list[Any]]:
    """The 442 rows of ``combined_3class_gt.csv``: set, subject, clip, class."""
    rows: list[list[Any]] = []
    left = dict(CASME2_COMPOSITE)
    for subject, clip, *_, emotion in casme2_rows():
        if left.get(subject, 0) and emotion not in ("others", "fear", "sadness"):
            left[subject] -= 1
            rows.append(["casme2", f"sub{subject:02d}", clip, COMPOSITE_OF.get(emotion, 0)])
    order = ("negative", "positive", "surprise")
    rows += [["smic", f"s{subject:02d}", clip, order.index(emotion)] for subject, emotion, clip in smic_clips()]
    emotions = _emotions(_SAMM_EMOTIONS)
    number = 0
    for subject, count in SAMM_COMPOSITE.items():
        for _ in range(count):
            label = COMPOSITE_OF.get(next(emotions).lower(), 0)
            rows.append(["samm", f"{subject:03d}", f"{subject:03d}_{number // 30 + 1}_{number % 30 + 1}", label])
            number += 1
    return rows
