"""Finding the captured avatar that a dataset was rendered with, again."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ffngen.atomic import file_size, sha256_file
from ffngen.dataset.dataset_file import read_record
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import DATASET_FILE, Record
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.errors import DatasetError
from ffngen.splat.avatar import Avatar
from ffngen.splat.ply import find_avatar, read_avatar

_MEND = "name it with --avatar"


def locate_avatar(root: Path, given: Path | None) -> Path:
    """The file of a dataset's avatar.

    :param given: where it is, as for :func:`ffngen.splat.ply.find_avatar`; where it was rendered from when absent.
    :raises DatasetError: it is not there any more.
    :raises InputFileError: there is no avatar where it is said to be.
    """
    if given is not None:
        return find_avatar(given)
    path = read_record(FolderStore(root)).get("avatar_path")
    if not isinstance(path, str):
        raise DatasetError("does not say where its avatar is", where=root / DATASET_FILE, mend=_MEND)
    if not Path(path).is_file():
        raise DatasetError("the avatar is not there any more", where=path, mend=_MEND)
    return Path(path)


def open_avatar(path: Path, root: Path, metadata: SequenceMetadata) -> Avatar:
    """Read the avatar of a sequence; it is kept for the next one.

    :raises DatasetError: the file is another avatar than the one that the sequence was rendered with.
    :raises InputFileError: it cannot be read.
    """
    if metadata.avatar_digest is None:
        where = root / metadata.layout.record(Record.METADATA)
        raise DatasetError("does not say which avatar it shows", where=where, mend="render its sequence again")
    return _read(path, metadata.avatar_digest, str(metadata.splat["avatar"]))


@lru_cache(maxsize=1)
def _read(path: Path, digest: str, name: str) -> Avatar:
    file_size(path)  # refuses what is no file
    if sha256_file(path) != digest:
        what = f"is not, or no longer, the avatar that the dataset was rendered with ({name})"
        raise DatasetError(what, where=path, mend="name that one with --avatar")
    return read_avatar(path)
