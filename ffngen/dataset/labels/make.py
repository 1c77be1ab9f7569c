"""Adding labels to a dataset: what is missing is made, what is there stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from ffngen.dataset.labels.avatar import locate_avatar, open_avatar
from ffngen.dataset.labels.layout import MAX_GAPS, Gap, LabelKind, require_of_avatars
from ffngen.dataset.labels.record import LabelsRecord, read_labels
from ffngen.dataset.labels.sequence import SequenceLabels
from ffngen.dataset.layout import Record, SequenceKey, complete_sequences, require_dataset
from ffngen.dataset.metadata import SequenceMetadata, read_sequence
from ffngen.dataset.run_folder import run_folder
from ffngen.errors import DatasetError, FfngenError, HeadModelError, JobError, OutOfSpaceError
from ffngen.extras import require
from ffngen.head import flame_topology
from ffngen.head.load import OPEN, load_head
from ffngen.head.model import HeadModel
from ffngen.render.pool import available_cores
from ffngen.splat.avatar import Avatar


@dataclass
class LabelRun:
    """A run of :func:`label_dataset`, filled in while it goes on.

    :param sequences: complete sequences that the run has.
    :param missing: those that lacked labels when the run began.
    :param labelled: those that this run added labels to.
    :param files: the label files that were written.
    :param bytes: their size.
    :param failed: names of sequences that could not be labelled, with the reason.
    """

    sequences: int
    missing: int = 0
    labelled: int = 0
    files: int = 0
    bytes: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Work:
    """A sequence, and the labels that it is to get; of a captured avatar, where the avatar is."""

    root: Path
    metadata: SequenceMetadata
    kinds: tuple[LabelKind, ...]
    gaps: tuple[Gap, ...]
    head: str
    family: str | None
    cloud: Path | None

    def open_avatar(self) -> Avatar | None:
        """The captured avatar; None where there is none, or nothing to do."""
        return None if self.cloud is None or not self.kinds else open_avatar(self.cloud, self.root, self.metadata)

    @property
    def needs_head(self) -> bool:
        """Whether the head model is needed."""
        return any(kind.needs_surface for kind in self.kinds)


def label_dataset(
    root: str | Path,
    kinds: tuple[LabelKind, ...],
    gaps: tuple[Gap, ...] = (),
    *,
    head: str = OPEN,
    family: str | None = None,
    avatar: Path | None = None,
    workers: int = 1,
    select: Callable[[SequenceKey], bool] | None = None,
) -> Generator[LabelRun, None, None]:
    """Compute labels from the stored vertices and camera and write them beside the dataset's files.

    Of a captured avatar, they are its Gaussians', and only those that Gaussians have.

    Yields the run's state before the first sequence and after each one. What a sequence has already is kept; labels of
    other vertices than it has now are made anew. Several runs may label one dataset at once, and the same sequences.

    :param kinds: which labels.
    :param gaps: distant pairs; needed for, and only for, :attr:`LabelKind.PAIRS`.
    :param head: the head model that the dataset was rendered with: ``open``, or its path.
    :param family: the FLAME version, where the file's name does not tell.
    :param avatar: the captured avatar that the dataset was rendered with; where it was then when absent.
    :param workers: processes.
    :param select: which of the dataset's sequences; all when absent.
    :raises DatasetError: the folder is no dataset, or another head model's, or another avatar's.
    :raises HeadModelError: the head model has no texture coordinates, and they are asked for.
    :raises JobError: no labels, too many distances, or labels that captured avatars do not have.
    :raises MissingPackageError: numba is not installed, and there are Gaussians.
    """
    root = Path(root)
    require_dataset(root)
    if not kinds:
        raise JobError("no labels are asked for", where="labels", mend="name some, or all")
    if (LabelKind.PAIRS in kinds) != bool(gaps) or len(gaps) > MAX_GAPS:
        mend = f"give 1 to {MAX_GAPS} distances, such as 2,5 or first-last"
        raise JobError("distant pairs need their distances of frames", where="pairs", mend=mend)
    keys = [key for key in complete_sequences(root) if select is None or select(key)]
    run = LabelRun(sequences=len(keys))
    works, cloud = [], None
    for key in keys:
        metadata = read_sequence(root, key)
        if metadata.is_captured:
            require_of_avatars(kinds, root / metadata.layout.record(Record.METADATA))
        missing = _missing(metadata, read_labels(root, metadata), kinds, gaps)
        if metadata.is_captured and missing[0] and cloud is None:
            require("splat", "numba")
            cloud = locate_avatar(root, avatar)
        work = _Work(root, metadata, *missing, head, family, cloud if metadata.is_captured else None)
        work.open_avatar()
        if work.needs_head:  # another one is refused before any work is done
            model = open_head(head, family, metadata.model.digest)
            if LabelKind.UV in work.kinds and model.uv is None:
                mend = "give its head template (.obj) beside it, or leave uv away"
                raise HeadModelError("the head model has no texture coordinates", where=model.path, mend=mend)
        if work.kinds:
            works.append(work)
    run.missing = len(works)
    yield run
    if not works:
        return
    with run_folder(root) as scratch:
        for work, result in _all(works, scratch, min(workers, len(works))):
            if isinstance(result, str):
                run.failed[str(work.metadata.key)] = result
            else:
                run.labelled += 1
                run.files += result[0]
                run.bytes += result[1]
            yield run


def _missing(
    metadata: SequenceMetadata, there: LabelsRecord | None, kinds: tuple[LabelKind, ...], gaps: tuple[Gap, ...]
) -> tuple[tuple[LabelKind, ...], tuple[Gap, ...]]:
    """The kinds to make of a sequence, and the distances of its distant pairs, old ones included."""
    if there is None:
        return kinds, gaps
    together = tuple(dict.fromkeys((*there.gaps, *gaps)))
    if len(together) > MAX_GAPS:
        raise JobError(f"more than {MAX_GAPS} distances with those that are there", where="pairs")
    if not there.fits(metadata):
        return tuple(kind for kind in LabelKind if kind in kinds or kind in there.kinds), together
    has = {kind for kind in there.kinds if kind is not LabelKind.PAIRS or set(gaps) <= set(there.gaps)}
    return tuple(kind for kind in kinds if kind not in has), together


@lru_cache(maxsize=4)
def open_head(head: str, family: str | None, digest: str) -> HeadModel:
    """The head model of a dataset, FLAME's with or without teeth; kept for the next sequence.

    :raises DatasetError: it is another one.
    """
    model = load_head(head if head == OPEN else Path(head), family=family)
    if model.digest != digest and flame_topology.is_flame(model.faces):
        model = load_head(Path(head), family=family, teeth=True)
    if model.digest != digest:
        what = f"is not the head model that the dataset was rendered with ({model.family} {model.version})"
        raise DatasetError(what, where=model.path, mend="name that one with --head")
    return model


def _all(works: list[_Work], scratch: Path, workers: int) -> Iterator[tuple[_Work, tuple[int, int] | str]]:
    """Each sequence with its files and bytes, or with what is wrong with it, in the order in which they get done."""
    if workers <= 1:
        for work in works:
            yield work, _label(work, scratch)
        return
    # A new process knows nothing of this one's threads, such as a progress bar's.
    share = max(1, available_cores() // workers)
    with ProcessPoolExecutor(workers, get_context("spawn"), _share_cores, (share,)) as pool:
        futures: dict[Future[tuple[int, int] | str], _Work] = {
            pool.submit(_label, work, scratch): work for work in works
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _share_cores(threads: int) -> None:
    """Say to Numba, before it is imported, how many threads this process may use, unless the user has."""
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))


def _label(work: _Work, scratch: Path) -> tuple[int, int] | str:
    metadata = work.metadata
    try:
        model = open_head(work.head, work.family, metadata.model.digest) if work.needs_head else None
        labels = SequenceLabels(work.root, scratch / metadata.sequence, metadata, model, work.open_avatar())
        return labels.add(work.kinds, work.gaps)
    except OutOfSpaceError:
        raise
    except FfngenError as error:
        return str(error)
