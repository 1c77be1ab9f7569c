"""Which labels there are, and where their files lie: beside the other outputs, in folders built in the same way.

A file is named by the number of the frame whose pixels it describes, so that backward labels of the pair (t, t+1) are
named t+1; files between distant frames a and b are named ``a_b``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Literal

from ffngen.dataset.layout import SequenceKey, SequenceLayout, metadata_folder
from ffngen.errors import JobError

LABELS_FILE = "labels.json"
SURFACE_FILE = "surface.npz"
SHEET_FILE = "label_sheet.png"

#: So many frames lie between the frames of a pair; or the first and the last frame.
Gap = int | Literal["first-last"]

#: So many of them a sequence may have.
MAX_GAPS = 64


class LabelKind(StrEnum):
    """The labels that can be asked for."""

    BACKWARD = "backward"
    OCCLUSION = "occlusion"
    SCENE_FLOW = "scene-flow"
    NORMALS = "normals"
    SEGMENTATION = "segmentation"
    UV = "uv"
    LANDMARKS = "landmarks"
    COVERAGE = "coverage"
    PAIRS = "pairs"

    @property
    def needs_surface(self) -> bool:
        """Whether the head model is needed, beside the sequence's vertices."""
        return self in (LabelKind.SEGMENTATION, LabelKind.UV, LabelKind.LANDMARKS)


#: What a captured avatar's Gaussians say; the others are the head's mesh's, which its hair and clothes are not on.
OF_AVATARS = (LabelKind.BACKWARD, LabelKind.OCCLUSION, LabelKind.SCENE_FLOW, LabelKind.PAIRS)


class LabelOutput(Enum):
    """What is written per frame; the value is its folder."""

    FACIAL_BACKWARD = "flow_backward/facial"
    HEAD_BACKWARD = "flow_backward/head"
    FACIAL_OCCLUSION = "occlusion/facial"
    HEAD_OCCLUSION = "occlusion/head"
    FACIAL_OCCLUSION_BACKWARD = "occlusion_backward/facial"
    HEAD_OCCLUSION_BACKWARD = "occlusion_backward/head"
    FACIAL_DEPTH_NEXT = "depth_next/facial"
    HEAD_DEPTH_NEXT = "depth_next/head"
    NORMALS = "normals"
    FACIAL_SEGMENTATION = "segmentation/facial"
    HEAD_SEGMENTATION = "segmentation/head"
    UV = "uv"
    FACIAL_LANDMARKS = "landmarks/facial"
    HEAD_LANDMARKS = "landmarks/head"
    COVERAGE = "coverage"
    PAIR_FLOW = "flow_pairs"
    PAIR_OCCLUSION = "occlusion_pairs"


_L, _K = LabelOutput, LabelKind
#: The outputs of each kind.
OUTPUTS: dict[LabelKind, tuple[LabelOutput, ...]] = {
    _K.BACKWARD: (_L.FACIAL_BACKWARD, _L.HEAD_BACKWARD),
    _K.OCCLUSION: (
        *(_L.FACIAL_OCCLUSION, _L.HEAD_OCCLUSION),
        *(_L.FACIAL_OCCLUSION_BACKWARD, _L.HEAD_OCCLUSION_BACKWARD),
    ),
    _K.SCENE_FLOW: (_L.FACIAL_DEPTH_NEXT, _L.HEAD_DEPTH_NEXT),
    _K.NORMALS: (_L.NORMALS,),
    _K.SEGMENTATION: (_L.FACIAL_SEGMENTATION, _L.HEAD_SEGMENTATION),
    _K.UV: (_L.UV,),
    _K.LANDMARKS: (_L.FACIAL_LANDMARKS, _L.HEAD_LANDMARKS),
    _K.COVERAGE: (_L.COVERAGE,),
    _K.PAIRS: (_L.PAIR_FLOW, _L.PAIR_OCCLUSION),
}
KIND_OF = {output: kind for kind, outputs in OUTPUTS.items() for output in outputs}

_FLOWS = (_L.FACIAL_BACKWARD, _L.HEAD_BACKWARD, _L.PAIR_FLOW)
_SUFFIXES = {
    **dict.fromkeys((_L.FACIAL_DEPTH_NEXT, _L.HEAD_DEPTH_NEXT, _L.NORMALS, _L.UV), ".exr"),
    **dict.fromkeys((_L.FACIAL_LANDMARKS, _L.HEAD_LANDMARKS), ".npz"),
}
#: Outputs on the pixels of the second frame of each pair, facial or head-only.
_SECOND = (
    *(_L.FACIAL_BACKWARD, _L.HEAD_BACKWARD, _L.FACIAL_OCCLUSION_BACKWARD, _L.HEAD_OCCLUSION_BACKWARD),
    *(_L.HEAD_SEGMENTATION, _L.HEAD_LANDMARKS),
)
_FIRST = (_L.FACIAL_OCCLUSION, _L.HEAD_OCCLUSION, _L.FACIAL_DEPTH_NEXT, _L.HEAD_DEPTH_NEXT)


@dataclass(frozen=True)
class LabelLayout:
    """Every path of one sequence's labels, relative to the dataset's root.

    :param sequence: the sequence's own layout.
    :param gaps: which distant pairs :attr:`LabelKind.PAIRS` holds.
    """

    sequence: SequenceLayout
    gaps: tuple[Gap, ...] = ()

    @property
    def distant_pairs(self) -> list[tuple[int, int]]:
        """The frame numbers (a, b), a < b - 1, sorted; neighbouring frames have the sequence's own flow."""
        frames = self.sequence.facial_frames
        pairs = {(frames[0], frames[-1])} if "first-last" in self.gaps else set()
        for gap in self.gaps:
            if gap != "first-last":
                pairs |= {(a, a + gap) for a in frames if a + gap in frames}
        return sorted((a, b) for a, b in pairs if b - a > 1)

    def names(self, output: LabelOutput) -> list[str]:
        """The names, without suffix, of an output's files."""
        if output in OUTPUTS[LabelKind.PAIRS]:
            return [f"{a:04d}_{b:04d}" for a, b in self.distant_pairs]
        frames = self.sequence.facial_frames
        if output in _SECOND:
            frames = frames[1:]
        elif output in _FIRST:
            frames = frames[:-1]
        return [f"{frame:04d}" for frame in frames]

    def file(self, output: LabelOutput, frame: int, later: int | None = None) -> PurePosixPath:
        """The file of one output for one frame; of distant pairs, for both."""
        name = f"{frame:04d}" if later is None else f"{frame:04d}_{later:04d}"
        return label_folder(output, self.sequence.key) / f"{name}{self.suffix(output)}"

    def suffix(self, output: LabelOutput) -> str:
        """The suffix, with its dot, of an output's files."""
        return self.sequence.flow_format.suffix if output in _FLOWS else _SUFFIXES.get(output, ".png")

    def record(self, name: str) -> PurePosixPath:
        """One of the files per sequence."""
        return metadata_folder(self.sequence.key) / name

    def files(self, kinds: tuple[LabelKind, ...]) -> Iterator[PurePosixPath]:
        """Every file that these kinds have, but ``labels.json``, which lists them."""
        for kind in kinds:
            for output in OUTPUTS[kind]:
                folder = label_folder(output, self.sequence.key)
                yield from (folder / f"{name}{self.suffix(output)}" for name in self.names(output))
        if any(kind.needs_surface for kind in kinds):
            yield self.record(SURFACE_FILE)
        if kinds:
            yield self.record(SHEET_FILE)


def label_folder(output: LabelOutput, key: SequenceKey) -> PurePosixPath:
    """The folder of one output of one sequence, relative to the root."""
    return PurePosixPath(output.value, key.folder)


def label_folders(key: SequenceKey) -> list[PurePosixPath]:
    """Every folder that labels of one sequence may have, relative to the root."""
    return [label_folder(output, key) for output in LabelOutput]


def parse_kinds(words: tuple[str, ...]) -> tuple[LabelKind, ...]:
    """The kinds of some words, in their order; ``all`` is every kind but distant pairs.

    :raises JobError: a word that is no label.
    """
    known = [kind.value for kind in LabelKind]
    for word in words:
        if word not in (*known, "all"):
            raise JobError(f"no label is called {word!r}", where="labels", mend=f"use all, {', '.join(known)}")
    return tuple(k for k in LabelKind if k.value in words or ("all" in words and k is not LabelKind.PAIRS))


def require_of_avatars(kinds: tuple[LabelKind, ...], where: str | Path) -> None:
    """Refuse labels that only the mesh of a head has.

    :param where: what asks for them of a captured avatar, or shows one.
    :raises JobError: for the first that captured avatars do not have.
    """
    others = [kind.value for kind in kinds if kind not in OF_AVATARS]
    if others:
        what = f"a captured avatar's hair and clothes are not on the head's mesh, which {', '.join(others)} would be of"
        raise JobError(what, where=where, mend=f"ask for {', '.join(kind.value for kind in OF_AVATARS)} alone")


def parse_gap(word: str) -> Gap:
    """``2`` or ``first-last``; raises :class:`JobError` for anything else."""
    if word == "first-last":
        return word  # type: ignore[return-value]
    if word.isdecimal() and 1 <= int(word) <= 9998 and len(word) < 5:
        return int(word)
    mend = "use a number such as 2, or first-last"
    raise JobError(f"no distance of frames: {word[:40]!r}", where="command line", mend=mend)
