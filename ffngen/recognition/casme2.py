"""CASME II (Yan et al. 2014), and every set in its layout.

``CASME2-coding-*.xlsx`` with Subject (1), Filename (EP02_01f), OnsetFrame, ApexFrame, OffsetFrame, Action Units and
Estimated Emotion; frames ``sub01/EP02_01f/reg_img46.jpg`` (``img46.jpg`` where they are not cropped). Of the published
table's rows 21 have ``/`` for an apex, and one an offset before its onset.
"""

from __future__ import annotations

from pathlib import Path

from ffngen.recognition.annotated import Layout, ReadOptions, numbered, read_annotated
from ffngen.recognition.sample import SampleSet

NAME = "casme2"

_LAYOUT = Layout(
    NAME,
    numbered(2, "sub"),
    lambda root, subject, clip, emotion: root / subject / clip,
    ("Cropped", ".", "Cropped/Cropped", "CASME2_RAW_selected"),
)


def read_casme2(path: Path, options: ReadOptions) -> SampleSet:
    """Read the set in a folder; raises :class:`ffngen.errors.InputFileError`."""
    return read_annotated(_LAYOUT, path, options)
