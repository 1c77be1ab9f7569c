"""SMIC-HS (Li et al. 2013): labels by folder, and no table.

``HS/s01/micro/negative/s01_ne_01/reg_image1234.bmp``. Clips go from onset to offset, and nobody noted their apexes:
they are all found by the apex rule, of which one remark tells.
"""

from __future__ import annotations

from pathlib import Path

from ffngen.errors import InputFileError, JobError
from ffngen.recognition.annotated import ReadOptions, numbered
from ffngen.recognition.frames import ApexRule, choose_apex, frames_of
from ffngen.recognition.sample import Remark, Sample, SampleSet

NAME = "smic"

EMOTIONS = ("negative", "positive", "surprise")

_PLACES = (".", "HS", "SMIC_all_cropped/HS", "SMIC_all_raw/HS")
_subject = numbered(2, "s")


def read_smic(path: Path, options: ReadOptions) -> SampleSet:
    """Read the set in a folder.

    :raises InputFileError: there is no such folder of clips, an emotion that SMIC does not have, or a clip without
        frames.
    """
    if options.annotations is not None:
        raise JobError("SMIC has no annotation table", where="--annotations", mend="leave it out")
    if options.apex is ApexRule.DROP:
        raise JobError("SMIC has no apexes, so that nothing would be left", where="--apex", mend="use middle")
    root = options.frames or _root(path)
    samples, remarks = [], []
    for folder in _clips(root):
        emotion = folder.parent.name.lower()
        if emotion not in EMOTIONS:
            raise InputFileError(f"not one of {', '.join(EMOTIONS)}", where=folder.parent, mend="move it elsewhere")
        subject = _subject(folder.parents[2].name)
        frames = frames_of(folder)
        onset, offset = min(frames), max(frames)
        apex = choose_apex(frames, onset, offset, options.apex)
        if apex is None:
            remarks.append(Remark(root, 0, f"{subject}/{folder.name}", "it has one frame", "left out"))
            continue
        samples.append(Sample(NAME, subject, folder.name, emotion, frames[onset], frames[apex], folder))
    what = f"all {len(samples)} clips: SMIC notes no apex"
    remarks.append(Remark(root, 0, "*", what, f"taken by the rule {options.apex}"))
    return SampleSet(NAME, tuple(samples), tuple(remarks), len(samples) + len(remarks) - 1)


def _root(path: Path) -> Path:
    return next((path / place for place in _PLACES if _clips_in(path / place)), path)


def _clips(root: Path) -> list[Path]:
    clips = _clips_in(root)
    if not clips:
        what = "holds no clips such as s01/micro/negative/s01_ne_01"
        raise InputFileError(what, where=root, mend="name the folder HS of SMIC")
    return clips


def _clips_in(root: Path) -> list[Path]:
    return sorted(folder for folder in root.glob("*/micro/*/*") if folder.is_dir() and folder.name[0] != ".")
