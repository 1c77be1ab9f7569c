"""Which class an emotion is: the maps of the published protocols, and the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ffngen.errors import InputFileError, JobError
from ffngen.recognition.sample import Sample
from ffngen.yamlfile import read_yaml, validate

#: Words of the sets that mean one emotion.
_SAME = {"other": "others"}


@dataclass(frozen=True)
class LabelMap:
    """Emotions and their classes.

    :param name: for reports.
    :param classes: class -> its emotions, in the order of class numbers.
    :param left_out: emotions whose samples are not used.
    """

    name: str
    classes: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...] = ()

    def label(self, sample: Sample) -> int | None:
        """A sample's class number, None where it is left out; raises :class:`InputFileError` for an unknown emotion."""
        emotion = _SAME.get(sample.emotion, sample.emotion)
        for number, emotions in enumerate(self.classes.values()):
            if emotion in emotions:
                return number
        if emotion in self.left_out:
            return None
        known = sorted({e for emotions in self.classes.values() for e in emotions} | set(self.left_out))
        mend = f"the label map {self.name} knows {', '.join(known)}; write another one, see --labels"
        raise InputFileError(f"unknown class {sample.emotion[:40]!r}", where=sample.place, mend=mend)


#: MMNet's three and five classes of CASME II (Li et al. 2022), and MEGC 2019's three of all sets (See et al. 2019).
LABEL_MAPS: Mapping[str, LabelMap] = {
    found.name: found
    for found in (
        LabelMap(
            "casme2-3",
            {
                "happiness": ("happiness",),
                "surprise": ("surprise",),
                "negative": ("repression", "disgust", "fear", "sadness"),
            },
            ("others",),
        ),
        LabelMap(
            "casme2-5",
            {name: (name,) for name in ("happiness", "repression", "disgust", "surprise", "others")},
            ("fear", "sadness"),
        ),
        LabelMap(
            "composite",
            {
                "negative": ("negative", "repression", "anger", "contempt", "disgust", "fear", "sadness"),
                "positive": ("positive", "happiness"),
                "surprise": ("surprise",),
            },
            ("others",),
        ),
    )
}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    classes: dict[str, list[str]] = Field(min_length=2, max_length=50)
    leave_out: list[str] = []

    @field_validator("classes")
    @classmethod
    def _each_emotion_once(cls, classes: dict[str, list[str]]) -> dict[str, list[str]]:
        if not all(classes.values()):
            raise ValueError("a class has no emotion")
        emotions = [_tidy(emotion) for names in classes.values() for emotion in names]
        if twice := sorted({emotion for emotion in emotions if emotions.count(emotion) > 1}):
            raise ValueError(f"{twice[0]!r} is in two classes")
        return classes

    @model_validator(mode="after")
    def _left_out_or_in_a_class(self) -> _File:
        left_out = {_tidy(emotion) for emotion in self.leave_out}
        if both := sorted(left_out & {_tidy(emotion) for names in self.classes.values() for emotion in names}):
            raise ValueError(f"{both[0]!r} is in a class and left out")
        return self


def open_label_map(which: str) -> LabelMap:
    """One of :data:`LABEL_MAPS` by its name, or the one in a YAML file with ``classes`` and ``leave_out``.

    :raises JobError: no such map.
    :raises InputFileError: the file cannot be read, or an emotion is in two classes.
    """
    if which in LABEL_MAPS:
        return LABEL_MAPS[which]
    path = Path(which)
    if path.suffix.lower() not in (".yaml", ".yml"):
        mend = f"use {', '.join(LABEL_MAPS)}, or name a YAML file"
        raise JobError(f"unknown label map {which[:60]!r}", where="--labels", mend=mend)
    content = validate(_File, read_yaml(path), path, InputFileError)
    classes = {name: tuple(_tidy(emotion) for emotion in names) for name, names in content.classes.items()}
    return LabelMap(path.name, classes, tuple(_tidy(emotion) for emotion in content.leave_out))


def apply_labels(samples: Iterable[Sample], labels: LabelMap) -> tuple[list[Sample], list[int], dict[str, int]]:
    """Samples that a map uses, their class numbers, and how many of each other emotion are left out.

    :raises InputFileError: an emotion that the map does not know; or a class, or a second subject, has no sample.
    """
    kept: list[Sample] = []
    numbers: list[int] = []
    left_out: dict[str, int] = {}
    for sample in samples:
        number = labels.label(sample)
        if number is None:
            left_out[sample.emotion] = left_out.get(sample.emotion, 0) + 1
        else:
            kept.append(sample)
            numbers.append(number)
    where: Any = kept[0].source if kept else None
    if len(set(numbers)) < 2:
        raise InputFileError(f"fewer than two classes of {labels.name} have samples", where=where, mend="use --labels")
    if len({sample.person for sample in kept}) < 2:
        mend = "leave-one-subject-out needs two"
        raise InputFileError("the samples are of one subject", where=where, mend=mend)
    return kept, numbers, left_out


def _tidy(emotion: str) -> str:
    return _SAME.get(emotion.strip().lower(), emotion.strip().lower())
