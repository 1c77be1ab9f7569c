"""MMEW (Ben et al. 2021).

``MMEW_Micro_Exp.xlsx`` with Subject, Filename (S01-01-001), OnsetFrame, ApexFrame, OffsetFrame and Estimated Emotion;
frames ``Micro_Expression/happiness/S01-01-001/12.jpg``: the folder above a clip's is its emotion.
"""

from __future__ import annotations

from pathlib import Path

from ffngen.recognition.annotated import Layout, ReadOptions, numbered, read_annotated
from ffngen.recognition.sample import SampleSet

NAME = "mmew"


def _clip_folder(root: Path, subject: str, clip: str, emotion: str) -> Path:
    """Below the folder of its emotion; where the table words that otherwise, below the one that has the clip."""
    folder = root / emotion / clip
    if folder.is_dir() or not root.is_dir():
        return folder
    others = sorted(child / clip for child in root.iterdir() if (child / clip).is_dir())
    return others[0] if len(others) == 1 else folder


_LAYOUT = Layout(NAME, numbered(2, "s"), _clip_folder, ("Micro_Expression", "."))


def read_mmew(path: Path, options: ReadOptions) -> SampleSet:
    """Read the set in a folder; raises :class:`ffngen.errors.InputFileError`."""
    return read_annotated(_LAYOUT, path, options)
