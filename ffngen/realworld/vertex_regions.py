"""Which vertices of a head are counted: those of lips, cheeks and eyes, as in FacialFlowNet, section 5.4.

Of the face's 1,787 vertices the paper counts 1,435, and leaves nose and forehead away, which hardly move. Its 1,787 are
the region ``face`` of FLAME's own masks (``FLAME_masks.pkl``), which are not ours to give; without them the regions are
those of the head model, which have other outlines and so other counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.head.pickles import read_pickle

Bools = NDArray[np.bool_]

COUNTED = ("lips", "eyes", "cheeks")
#: The paper's counts: of the face, and of lips, cheeks and eyes.
PAPER_FACE, PAPER_COUNTED = 1787, 1435

#: Our name -> FLAME's. Cheeks have none there: they are what is left of the face.
_MASKS = {"lips": "lips", "eyes": "eye_region", "nose": "nose", "forehead": "forehead"}
_FACE = "face"


@dataclass(frozen=True, eq=False)
class VertexRegions:
    """Regions of the vertices of a head.

    :param regions: name -> (V,) bool; they do not overlap.
    :param face: how many vertices the face has, or None where nothing tells.
    :param source: where they come from, for a reader.
    """

    regions: Mapping[str, Bools]
    face: int | None
    source: str

    @property
    def counted(self) -> Bools:
        """(V,) bool: lips, eyes and cheeks."""
        result: Bools = np.logical_or.reduce([self.regions[name] for name in COUNTED])
        return result

    @property
    def sentence(self) -> str:
        """What is counted, beside the paper's count."""
        of = "" if self.face is None else f" of {self.face:,} on the face"
        found = int(self.counted.sum())
        same = (found, self.face) == (PAPER_COUNTED, PAPER_FACE)
        paper = "as in the paper" if same else f"the paper: {PAPER_COUNTED:,} of {PAPER_FACE:,}"
        return f"{found:,} vertices of lips, cheeks and eyes{of}, by {self.source} ({paper})"


def from_masks(path: Path, vertex_count: int) -> VertexRegions:
    """The regions of FLAME's ``FLAME_masks.pkl``, read without running it.

    Where masks overlap, lips come before eyes, nose and forehead, in this order.

    :param vertex_count: V, of the vertices that they are for; those after FLAME's own belong to no region.
    :raises InputFileError: damaged, hostile, without a mask that is needed, or of another head.
    """
    arrays = read_pickle(path, (_FACE, *_MASKS.values()))
    masks = {}
    for name in (_FACE, *_MASKS.values()):
        if name not in arrays:
            raise InputFileError(f"has no mask {name!r}", where=path, mend="give FLAME_masks.pkl of FLAME's site")
        indices = np.asarray(arrays[name])
        if indices.ndim != 1 or indices.dtype.kind not in "iu" or not len(indices):
            raise InputFileError(f"its mask {name!r} is no list of vertices", where=path)
        if indices.min() < 0 or indices.max() >= vertex_count:
            what = f"its mask {name!r} names vertex {int(indices.max())}, and the head has {vertex_count}"
            raise InputFileError(what, where=path, mend="these masks are for FLAME's 5,023 vertices")
        masks[name] = np.zeros(vertex_count, dtype=bool)
        masks[name][indices] = True
    face = masks[_FACE]
    return _partition({ours: masks[theirs] & face for ours, theirs in _MASKS.items()}, face, path.name)


def from_model(model: HeadModel, vertex_count: int) -> VertexRegions | None:
    """The regions of a head model, or None where it has none of them.

    A vertex between regions belongs to the first of lips, eyes, nose, brows, forehead; cheeks are the rest of the
    face, chin and jaw included, so that the regions make up the face as in the paper.

    :param vertex_count: V; vertices after the model's own (props) belong to no region.
    """
    if not {"face", "lips", "eyes", "cheeks"} <= set(model.regions):
        return None
    on = {}
    for name in ("face", "lips", "eyes", "nose", "brows", "forehead"):
        on[name] = np.zeros(vertex_count, dtype=bool)
        if name in model.regions:
            on[name][np.unique(model.faces[model.regions[name]])] = True
    face = on.pop("face")
    return _partition({name: members & face for name, members in on.items()}, face, f"the regions of {model.family}")


def from_arrays(names: NDArray[np.str_], members: Bools) -> VertexRegions | None:
    """The regions that a file of vertices states: R names and (R, V) bool; None where one that is counted lacks."""
    regions: dict[str, Bools] = dict(zip((str(name) for name in names), members, strict=True))
    if not set(COUNTED) <= set(regions):
        return None
    return _partition(regions, np.logical_or.reduce(list(regions.values())), "the file's own regions")


def _partition(regions: Mapping[str, Bools], face: Bools, source: str) -> VertexRegions:
    """Regions without overlap, the earlier ones first; cheeks, where they are not given, are the rest of the face."""
    left = face.copy()
    result = {}
    for name, members in regions.items():
        result[name] = members & left
        left &= ~members
    result.setdefault("cheeks", left)
    return VertexRegions(result, int(face.sum()), source)
