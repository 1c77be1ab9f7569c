"""The flow of each sample, from its onset to its apex: estimated once and kept, or read from files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ffngen.atomic import read_bounded, sha256_file, write_atomic
from ffngen.errors import FfngenError, InputFileError
from ffngen.estimators.estimator import Estimator
from ffngen.estimators.open import weights_file
from ffngen.flow.files import FlowFormat, find_flow, read_flow, write_flow
from ffngen.flow.values import Flow
from ffngen.images import Rgb, read_image
from ffngen.recognition.crop import BoxFinder, Crop, cut, make_box_finder
from ffngen.recognition.sample import Sample

#: The flows that an estimator may give.
KINDS = ("facial", "expression", "head")

_RECORD = "estimator.json"


class FlowSource(Protocol):
    """Where flows come from, for one line of the tables."""

    @property
    def name(self) -> str:
        """For tables."""

    @property
    def details(self) -> dict[str, str]:
        """What else to say of it."""

    def __call__(self, sample: Sample) -> Flow:
        """The flow (H, W, 2) of a sample, pixels, of the part of its picture that is kept."""


@dataclass(frozen=True)
class Pictures:
    """Samples' pictures, cut to the face.

    :param crop: how.
    :param margin: of :func:`ffngen.recognition.crop.make_box_finder`.
    """

    crop: Crop = Crop.NONE
    margin: float = 0.0
    _find: BoxFinder = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_find", make_box_finder(self.crop, self.margin))

    @property
    def record(self) -> str:
        """What decides the pictures, for keys."""
        return f"{self.crop}" if self.crop is Crop.NONE else f"{self.crop} {self.margin:g}"

    def onset(self, sample: Sample) -> Rgb:
        """The onset, (H, W, 3) uint8 RGB."""
        image = read_image(sample.onset)
        return cut(image, self._find(sample, image))

    def pair(self, sample: Sample) -> tuple[Rgb, Rgb]:
        """The onset and the apex, cut alike; raises :class:`InputFileError` where their sizes differ."""
        first, second = read_image(sample.onset), read_image(sample.apex)
        if first.shape != second.shape:
            what = f"{sample.onset.name} is {first.shape[1]} x {first.shape[0]}, {sample.apex.name} another size"
            raise InputFileError(what, where=sample.place)
        box = self._find(sample, first)
        return cut(first, box), cut(second, box)

    def flow(self, sample: Sample, flow: Flow, path: Path) -> Flow:
        """A given flow of a sample's whole picture, cut alike."""
        image = read_image(sample.onset)
        if flow.shape[:2] != image.shape[:2]:
            sizes = f"{flow.shape[1]} x {flow.shape[0]} pixels, where the onset has {image.shape[1]} x {image.shape[0]}"
            raise InputFileError(sizes, where=path, mend="give the flow of the whole picture")
        return cut(flow, self._find(sample, image))


@dataclass(frozen=True)
class GivenFlows:
    """Flows from files ``SUBJECT/CLIP.flo`` (or .exr, ...) below a folder, such as a synthetic set's true ones.

    :param name: for tables.
    """

    name: str
    folder: Path
    pictures: Pictures
    details: dict[str, str] = field(default_factory=dict)

    def __call__(self, sample: Sample) -> Flow:
        """Read a sample's flow; raises :class:`InputFileError` where there is none."""
        path = self.find(sample)
        return self.pictures.flow(sample, read_flow(path), path)

    def find(self, sample: Sample) -> Path:
        """The file of a sample's flow; raises :class:`InputFileError` where there is none."""
        stems = (f"{sample.subject}/{sample.clip}", sample.key)
        for stem in stems:
            path = find_flow(self.folder, stem)
            if path is not None:
                return path
        where = self.folder / f"{stems[0]}.flo"
        raise InputFileError(f"no flow of the sample of row {sample.row}", where=where, mend="check --flows")


@dataclass(frozen=True)
class _KeptFlows:
    """One kind of flow of an estimator, from where they are kept."""

    name: str
    kind: str
    details: dict[str, str]
    keep: FlowKeeper

    def __call__(self, sample: Sample) -> Flow:
        return self.keep.read(sample, self.kind)


@dataclass(frozen=True)
class FlowKeeper:
    """Estimates samples' flows and keeps them below a folder, by what decides them: estimator, weights, crop, images.

    They are kept as ``.cflo``, at most 0.00025 px off in u and v, and always read from there.

    :param weights: a digest of what the estimator's weights are (:func:`weights_digest`).
    """

    estimator: Estimator
    weights: str
    pictures: Pictures
    folder: Path

    @property
    def root(self) -> Path:
        """The folder of this estimator's flows."""
        estimator = self.estimator
        text = json.dumps([estimator.name, estimator.details, self.weights, self.pictures.record], sort_keys=True)
        name = re.sub(r"[^A-Za-z0-9.-]", "_", estimator.name)[:40]
        return self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def prepare(
        self, samples: Sequence[Sample], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        """Estimate what is not kept yet.

        :raises FfngenError: a sample's images are at fault, or the estimator's flow is not of their size.
        """
        for number, sample in enumerate(samples, 1):
            kinds = self.kinds()
            if not kinds or not all(self._is_kept(sample, kind) for kind in kinds):
                self._estimate(sample)
            progress(number, len(samples))

    def kinds(self) -> tuple[str, ...]:
        """The kinds of flow that the estimator gives, once it has given some."""
        try:
            record = json.loads(read_bounded(self.root / _RECORD, 1 << 16))
            return tuple(kind for kind in KINDS if kind in record["kinds"])
        except (FfngenError, ValueError, KeyError, TypeError):
            return ()

    def sources(self, kinds: Sequence[str]) -> list[FlowSource]:
        """A source for each of the kinds that the estimator gives."""
        found = [kind for kind in kinds if kind in self.kinds()]
        name, details = self.estimator.name, {**self.estimator.details, "weights": self.weights}
        return [_KeptFlows(f"{name} ({kind})", kind, {**details, "flow": kind}, self) for kind in found]

    def read(self, sample: Sample, kind: str) -> Flow:
        """A flow; estimated again where its file is damaged."""
        path = self._path(sample, kind)
        with suppress(FfngenError):
            return read_flow(path)
        self._estimate(sample)
        return read_flow(path)

    def _is_kept(self, sample: Sample, kind: str) -> bool:
        return self._path(sample, kind).is_file()

    def _path(self, sample: Sample, kind: str) -> Path:
        content = hashlib.sha256()
        for image in (sample.onset, sample.apex):
            content.update(f"{image.name} {sha256_file(image)}".encode())
        folder = self.root / sample.dataset / sample.subject
        return folder / f"{sample.clip}-{content.hexdigest()[:12]}.{kind}.cflo"

    def _estimate(self, sample: Sample) -> None:
        first, second = self.pictures.pair(sample)
        estimate = self.estimator(first, second)
        flows: dict[str, Any] = {kind: getattr(estimate, kind) for kind in KINDS}
        given = {kind: flow for kind, flow in flows.items() if flow is not None}
        for kind, flow in given.items():
            if flow.shape[:2] != first.shape[:2] or not np.isfinite(flow).all():
                what = f"gave a flow of {flow.shape[:2]} for {first.shape[:2]}, or one that is not finite"
                raise FfngenError(what, where=f"{self.estimator.name}, {sample.key}")
            path = self._path(sample, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flow(path, flow, flow_format=FlowFormat.COMPACT)
        if not (self.root / _RECORD).is_file():
            record = {
                "name": self.estimator.name,
                "details": self.estimator.details,
                "weights": self.weights,
                "crop": self.pictures.record,
                "kinds": list(given),
            }
            write_atomic(self.root / _RECORD, (json.dumps(record, indent=1) + "\n").encode())


def weights_digest(which: str) -> str:
    """A digest of the file that an estimator's name tells of, and the name alone where it tells of none."""
    path = weights_file(which)
    return which if path is None else sha256_file(path)
