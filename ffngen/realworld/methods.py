"""What is measured: estimators, and folders of flow files that anything else estimated."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ffngen.dataset.layout import is_safe_name
from ffngen.errors import InputFileError, JobError
from ffngen.estimators.estimator import Estimate, Estimator, Rgb
from ffngen.flow.files import find_flow, read_flow
from ffngen.flow.values import Flow
from ffngen.realworld.points import PairEntry

_KINDS = ("facial", "head", "expression")

#: The estimator of no motion, whose error is the motion's own length.
ZERO = "zero"


class Method(Protocol):
    """Flow of a pair."""

    @property
    def name(self) -> str:
        """For tables."""

    @property
    def details(self) -> dict[str, str]:
        """What else to say of it."""

    @property
    def is_kept(self) -> bool:
        """Whether a run that goes on takes over what was measured of it."""

    def estimate(self, pair: PairEntry, image1: Rgb, image2: Rgb) -> Estimate:
        """The flows between two images (H, W, 3) uint8 RGB of one size."""


class EstimatorMethod:
    """An estimator, which sees the images alone."""

    is_kept = True

    def __init__(self, estimator: Estimator) -> None:
        self.name, self.details = estimator.name, estimator.details
        self._estimator = estimator

    def estimate(self, pair: PairEntry, image1: Rgb, image2: Rgb) -> Estimate:
        """The estimator's flows."""
        return self._estimator(image1, image2)


class FlowFiles:
    """Files of flow: ``DIR/NAME.flo`` of the pair NAME, or of any other format.

    Where the folder has a folder ``facial``, flows of each kind lie in ``facial``, ``head`` and ``expression``, as in a
    dataset's ``flow``; expression flow that is not there is the difference of the two others.

    :raises InputFileError: no such folder.
    :raises JobError: the name cannot name a folder of pictures.
    """

    #: Files may have changed, and are read quickly.
    is_kept = False

    def __init__(self, name: str, folder: Path) -> None:
        if not is_safe_name(name):
            mend = "use letters, digits, '.', '_' and '-', such as --flows true=dataset/flow"
            raise JobError(f"{name[:60]!r} cannot name a folder", where="flows", mend=mend)
        if not folder.is_dir():
            raise InputFileError("no such folder of flow files", where=folder)
        self.name = name
        self.details = {"files": str(folder)}
        inside = {kind: folder / kind for kind in _KINDS if (folder / kind).is_dir()}
        self._folders = inside if "facial" in inside else {"facial": folder}

    def estimate(self, pair: PairEntry, image1: Rgb, image2: Rgb) -> Estimate:
        """The flows of the pair's files.

        :raises InputFileError: facial flow is missing, or a file is damaged or not of the images' size.
        """
        size = (image1.shape[0], image1.shape[1])
        facial = self._read("facial", pair, size)
        head = self._read("head", pair, size) if "head" in self._folders else None
        if "expression" in self._folders:
            expression: Flow | None = self._read("expression", pair, size)
        else:
            expression = None if head is None else facial - head
        return Estimate(facial, head, expression)

    def _read(self, kind: str, pair: PairEntry, size: tuple[int, int]) -> Flow:
        folder = self._folders[kind]
        path = find_flow(folder, pair.name)
        if path is not None:
            return read_flow(path, size=size)
        raise InputFileError(f"has no flow of the pair {pair.name}", where=folder, mend=f"name it {pair.name}.flo")
