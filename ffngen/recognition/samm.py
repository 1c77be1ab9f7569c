"""SAMM (Davison et al. 2018).

``SAMM_Micro_FACS_Codes_v2.xlsx``, whose header comes after 13 rows of text: Subject (006), Filename (006_1_2), Onset
Frame, Apex Frame, Offset Frame, Estimated Emotion; frames ``006/006_1_2/006_05562.jpg``. Missing apexes are -1.
"""

from __future__ import annotations

from pathlib import Path

from ffngen.recognition.annotated import Layout, ReadOptions, numbered, read_annotated
from ffngen.recognition.sample import SampleSet

NAME = "samm"

_LAYOUT = Layout(
    NAME, numbered(3), lambda root, subject, clip, emotion: root / subject / clip, (".", "SAMM", "SAMM_CROP")
)


def read_samm(path: Path, options: ReadOptions) -> SampleSet:
    """Read the set in a folder; raises :class:`ffngen.errors.InputFileError`."""
    return read_annotated(_LAYOUT, path, options)
