"""A rendered set of micro-expressions in CASME II's own layout, with the true flow from onset to apex beside it.

::

    CASME2-coding-20140508.xlsx            Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units, Estimated Emotion
    Cropped/sub01/EP01_01f/reg_img1.jpg    onset; reg_img2 apex, reg_img3 offset
    flow/facial/sub01/EP01_01f.flo         from onset to apex; head and expression likewise
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ffngen.atomic import link_or_copy, write_atomic
from ffngen.dataset.layout import Output
from ffngen.dataset.read import Pair
from ffngen.extras import require
from ffngen.flow.files import write_flow
from ffngen.simulation.samples import SimulatedClip

TABLE = "CASME2-coding-20140508.xlsx"
_COLUMNS = (
    "Subject",
    "Filename",
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    "Action Units",
    "Estimated Emotion",
)
_ONSET, _APEX, _OFFSET = 1, 2, 3
_MAX_FILE_BYTES = 1 << 30


def write_clip(out: Path, clip: SimulatedClip, pairs: Sequence[Pair]) -> tuple[float, float]:
    """Put a clip's images and flows in their places; what is there stays.

    :param pairs: onset to apex, and apex to offset.
    :returns: the mean length of the head's and of the expression's flow on the head's pixels, pixels.
    """
    first, second = pairs
    subject = f"sub{clip.subject:02d}"
    frames = out / "Cropped" / subject / clip.name
    for number, pair, frame in (
        (_ONSET, first, first.frame),
        (_APEX, first, first.frame + 1),
        (_OFFSET, second, second.frame + 1),
    ):
        source = pair.root / pair.metadata.layout.file(Output.FACIAL_IMAGE, frame)
        _place(source, frames / f"reg_img{number}{source.suffix}")
    for output, kind in ((Output.FACIAL_FLOW, "facial"), (Output.HEAD_FLOW, "head")):
        source = first.root / first.metadata.layout.file(output, first.frame)
        _place(source, _flow(out, kind, subject, clip, source.suffix))
    expression = first.expression_flow
    target = _flow(out, "expression", subject, clip, ".flo")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_flow(target, expression)
    inside = first.mask != 0
    head, moved = (float(np.hypot(*flow[inside].T).mean()) for flow in (first.head_flow, expression))
    return head, moved


def write_table(out: Path, clips: Sequence[SimulatedClip]) -> None:
    """Write the annotations as CASME II has them; action units are left open, as several mix.

    :raises MissingPackageError: openpyxl is not installed.
    """
    require("mer", "openpyxl")
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    sheet.append(list(_COLUMNS))
    for clip in clips:
        sheet.append([clip.subject, clip.name, _ONSET, _APEX, _OFFSET, None, clip.label])
    write_atomic(out / TABLE, book.save)


def _flow(out: Path, kind: str, subject: str, clip: SimulatedClip, suffix: str) -> Path:
    return out / "flow" / kind / subject / f"{clip.name}{suffix}"


def _place(source: Path, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    link_or_copy(source, target, _MAX_FILE_BYTES)
