"""Where every file of a dataset lies.

The folders are those of the published FacialFlowNet: ``image/{facial,head}``, ``flow/{facial,head}`` and
``mask``, each with ``{split}/{emotion}/{sequence}``; ffngen adds ``depth`` and ``metadata`` beside them. A job with
more sequences of one emotion than a folder should hold can have ``{split}/{emotion}/{XX}/{sequence}`` (``folders:
spread``), where XX are two digits of a hash of the sequence's name.

A file is named by the number of the frame that it belongs to: the flow from t to t+1 is ``t``, the head-only
image that stands for frame t+1 is ``t+1``. Frame numbers begin at 1, or at 0 with ``include_neutral``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path, PurePosixPath

from ffngen.errors import DatasetError
from ffngen.flow.files import FlowFormat

SPLITS = ("train", "test", "val")

#: The file that marks a folder as a dataset: the job, its digest and the format's version.
DATASET_FILE = "dataset.json"
MANIFEST_FILE = "manifest.parquet"
#: The file that marks a folder of WebDataset shards.
SHARDS_FILE = "webdataset.json"
#: One text file per sequence that failed, in folders by hash.
LOGS_FOLDER = "logs"
#: Sequences that are being written, each with the dataset's own layout inside.
PARTIAL_FOLDER = ".partial"
#: What runs on a farm note of themselves.
FARM_FOLDER = ".farm"
RUNS_FOLDER = f"{FARM_FOLDER}/runs"

_BUCKET = re.compile(r"[0-9a-f]{2}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class ImageFormat(StrEnum):
    """The formats that colour images are written in; the value is the suffix without its dot."""

    JPG = "jpg"
    PNG = "png"


class Output(Enum):
    """What is written per frame; the value is its folder."""

    FACIAL_IMAGE = "image/facial"
    HEAD_IMAGE = "image/head"
    FACIAL_FLOW = "flow/facial"
    HEAD_FLOW = "flow/head"
    MASK = "mask"
    DEPTH = "depth"


class Record(Enum):
    """What is written per sequence, in its metadata folder; the value is the file's name."""

    METADATA = "metadata.json"
    VERTICES = "vertices.npz"
    CONTACT_SHEET = "contact_sheet.png"


METADATA_FOLDER = "metadata"


#: Entries of one folder from which on file systems and tools suffer.
MAX_ENTRIES = 10_000


def is_safe_name(name: str) -> bool:
    """Whether a name can be a folder of the dataset: letters, digits, ``.``, ``_`` and ``-``, no leading dot."""
    return _SAFE_NAME.fullmatch(name) is not None


@dataclass(frozen=True, order=True, slots=True)
class SequenceKey:
    """Which sequence: the folder names that every path of it holds.

    :param is_spread: its folders lie in one of 256 folders by hash, and not in the emotion's own.
    :raises DatasetError: a name that is no safe folder name, or an unknown split.
    """

    split: str
    emotion: str
    sequence: str
    is_spread: bool = False

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise DatasetError(f"unknown split {self.split!r}", mend=f"use one of {', '.join(SPLITS)}")
        for name in (self.emotion, self.sequence):
            if not is_safe_name(name):
                raise DatasetError(
                    f"{name!r} cannot be a folder's name", mend="use letters, digits, '.', '_' and '-', no leading dot"
                )

    def __str__(self) -> str:
        return f"{self.split}/{self.emotion}/{self.sequence}"

    @property
    def folder(self) -> str:
        """The sequence's folder, relative to that of an output."""
        # Strings, for there may be millions of them.
        bucket = f"{hash_folder(self.sequence)}/" if self.is_spread else ""
        return f"{self.split}/{self.emotion}/{bucket}{self.sequence}"


def hash_folder(name: str) -> str:
    """Two hexadecimal digits of a name's SHA-256: which of 256 folders it falls into."""
    return hashlib.sha256(name.encode()).hexdigest()[:2]


@dataclass(frozen=True, slots=True)
class SequenceLayout:
    """Every path of one sequence, relative to the dataset's root.

    :param key: which sequence.
    :param n_frames: the n of the motion scale 1/n; frames are numbered up to it.
    :param include_neutral: frame 0 is there too.
    :param image_format: of the colour images.
    :param flow_format: of the flow files.
    """

    key: SequenceKey
    n_frames: int
    include_neutral: bool
    image_format: ImageFormat
    flow_format: FlowFormat

    @property
    def facial_frames(self) -> range:
        """The numbers of the facial frames."""
        return range(0 if self.include_neutral else 1, self.n_frames + 1)

    @property
    def pair_frames(self) -> range:
        """The number t of each pair (t, t+1), which names its flows."""
        return self.facial_frames[:-1]

    def frames(self, output: Output) -> range:
        """The frame numbers that an output has a file for."""
        match output:
            case Output.HEAD_IMAGE:
                return self.facial_frames[1:]
            case Output.FACIAL_FLOW | Output.HEAD_FLOW:
                return self.pair_frames
            case Output.FACIAL_IMAGE | Output.MASK | Output.DEPTH:
                return self.facial_frames

    def suffix(self, output: Output) -> str:
        """The suffix, with its dot, of an output's files."""
        match output:
            case Output.FACIAL_IMAGE | Output.HEAD_IMAGE:
                return f".{self.image_format.value}"
            case Output.FACIAL_FLOW | Output.HEAD_FLOW:
                return self.flow_format.suffix
            case Output.MASK:
                return ".npy"
            case Output.DEPTH:
                return ".exr"

    def file(self, output: Output, frame: int) -> PurePosixPath:
        """The file of one output for one frame."""
        if frame not in self.frames(output):
            raise ValueError(f"{output.value} has no frame {frame}")
        return output_folder(output, self.key) / f"{frame:04d}{self.suffix(output)}"

    def record(self, record: Record) -> PurePosixPath:
        """One of the files per sequence."""
        return metadata_folder(self.key) / record.value

    def files(self) -> Iterator[PurePosixPath]:
        """Every file of the complete sequence but its metadata, which lists them."""
        for output in Output:
            for frame in self.frames(output):
                yield self.file(output, frame)
        yield self.record(Record.VERTICES)
        yield self.record(Record.CONTACT_SHEET)


def output_folder(output: Output, key: SequenceKey) -> PurePosixPath:
    """The folder of one output of one sequence, relative to the root."""
    return PurePosixPath(output.value, key.folder)


def metadata_folder(key: SequenceKey) -> PurePosixPath:
    """The folder of the files per sequence, relative to the root."""
    return PurePosixPath(METADATA_FOLDER, key.folder)


def metadata_path(key: SequenceKey) -> str:
    """The file that marks a sequence complete, relative to the root."""
    # Strings, for a job has millions of sequences and a Path costs as much as what is asked of it.
    return f"{METADATA_FOLDER}/{key.folder}/{Record.METADATA.value}"


def key_of_metadata(path: str) -> SequenceKey | None:
    """The sequence whose :func:`metadata_path` this is; None where ffngen would not have made it."""
    parts = path.split("/")
    if len(parts) not in (5, 6):
        return None
    try:
        key = SequenceKey(parts[1], parts[2], parts[-2], is_spread=len(parts) == 6)
    except DatasetError:
        return None
    return key if metadata_path(key) == path else None


def log_path(name: str) -> str:
    """Where the log of a sequence that was given up lies, relative to the root."""
    return f"{LOGS_FOLDER}/{hash_folder(name)}/{name}.log"


def old_log_path(name: str) -> str:
    """Where the first datasets have it."""
    return f"{LOGS_FOLDER}/{name}.log"


def sequence_folders(key: SequenceKey) -> list[PurePosixPath]:
    """Every folder of one sequence, relative to the root; the metadata folder, which completes it, is last."""
    return [*(output_folder(output, key) for output in Output), metadata_folder(key)]


def complete_sequences(root: Path) -> list[SequenceKey]:
    """The sequences whose metadata file is in place, sorted.

    Folders whose names ffngen would not have made are passed over; verifying reports them.
    """
    keys = []
    for split in SPLITS:
        for emotion in _folders(root / METADATA_FOLDER / split):
            for entry in _folders(emotion):
                if _is_complete(entry):
                    keys.append(SequenceKey(split, emotion.name, entry.name))
                elif _BUCKET.fullmatch(entry.name):
                    keys += [
                        SequenceKey(split, emotion.name, inner.name, is_spread=True)
                        for inner in _folders(entry)
                        if _is_complete(inner) and hash_folder(inner.name) == entry.name
                    ]
    return sorted(keys)


def _is_complete(folder: os.DirEntry[str]) -> bool:
    # Strings, for there may be millions of them.
    return os.path.isfile(f"{folder.path}/{Record.METADATA.value}")  # noqa: PTH113


def _folders(folder: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    """The folders in a folder whose names ffngen could have made."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if is_safe_name(entry.name) and entry.is_dir())
    except FileNotFoundError:
        return


def require_dataset(root: Path) -> None:
    """Refuse a folder that is no dataset.

    :raises DatasetError: it is missing, or lacks ``dataset.json``.
    """
    if not root.is_dir():
        is_url = str(root).startswith("s3:")
        mend = "bring it here first: ffngen farm merge s3://BUCKET/PREFIX --out FOLDER" if is_url else None
        raise DatasetError("no such folder", where=root, mend=mend)
    if not (root / DATASET_FILE).is_file():
        mend = "shards are for training: name the dataset that they were made from"
        shards = (root / SHARDS_FILE).is_file()
        raise DatasetError(
            f"not an ffngen dataset: it has no {DATASET_FILE}", where=root, mend=mend if shards else None
        )
