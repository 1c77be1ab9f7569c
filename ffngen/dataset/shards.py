"""WebDataset shards: pairs as members of plain tar files, and an index that finds each one by its place.

::

    webdataset.json      what was converted, and how many pairs each split has
    index.parquet        one row per pair: where its bytes lie
    train-000000.tar     the members of pair after pair, in a random order that is always the same
    train-000001.tar

The members of one pair lie next to each other, ``EMOTION/SEQUENCE/FRAME.`` and then:

| member | content |
| --- | --- |
| ``image1.jpg``, ``image2.jpg`` (or ``.png``) | frames t and t+1, the dataset's own files |
| ``facial.cflo``, ``head.cflo`` | the flows of t, :mod:`ffngen.flow.compact` |
| ``mask.png`` | grey, 255 on the head of frame t |
| ``json`` | split, emotion, sequence, identity, frame, n_frames, width, height |

The ``webdataset`` package streams such shards; ffngen reads any pair with one seek, so that a training run on them
draws at random and goes on exactly where it stopped.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ffngen.atomic import file_size, read_bounded
from ffngen.dataset.layout import SHARDS_FILE, SPLITS
from ffngen.errors import DatasetError, InputFileError
from ffngen.flow.compact import decode_compact
from ffngen.flow.values import MAX_PIXELS, Flow, check_size
from ffngen.images import decode_image
from ffngen.parquet import decode_table

INDEX_FILE = "index.parquet"

IMAGE1, IMAGE2, FACIAL, HEAD, MASK, PAIR = "image1", "image2", "facial.cflo", "head.cflo", "mask.png", "json"

_MAX_RECORD_BYTES = 1 << 20
_MAX_INDEX_BYTES = 4 << 30
_MAX_PAIR_BYTES = 1 << 30
_MAX_JSON_BYTES = 1 << 16
_ARROW_TYPES = {"str": pa.string(), "int": pa.int64()}
_MEND = "convert the dataset again"


class ShardsRecord(BaseModel):
    """``webdataset.json``."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format_version: Literal[1] = 1
    dataset: str
    digest: str
    pairs_per_shard: int = Field(ge=1)
    pairs: dict[str, int]

    def encode(self) -> bytes:
        """As it is written."""
        return (self.model_dump_json(indent=1) + "\n").encode()


def read_record(root: Path) -> ShardsRecord:
    """The record of a folder of shards; raises :class:`DatasetError` where it is missing or damaged."""
    path = root / SHARDS_FILE
    try:
        return ShardsRecord.model_validate_json(read_bounded(path, _MAX_RECORD_BYTES))
    except InputFileError as error:
        raise DatasetError(f"no folder of shards: {SHARDS_FILE} {error.what}", where=root) from error
    except ValidationError as error:
        raise DatasetError("is damaged", where=path, mend=_MEND) from error


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One pair: the tar members from ``offset`` on, ``bytes`` in all, of the file ``shard``."""

    split: str
    key: str
    shard: str
    offset: int
    bytes: int
    width: int
    height: int


SHARD_NAME = re.compile(rf"(?:{'|'.join(SPLITS)})-[0-9]{{6,}}\.tar")


def shard_name(split: str, number: int) -> str:
    """The file name of a split's shard; numbers count from 0."""
    return f"{split}-{number:06d}.tar"


def index_shard(path: Path) -> list[ShardRow]:
    """The rows of all pairs in a shard.

    :raises InputFileError: not a tar file of pairs, or a truncated one.
    """
    split = path.name.rpartition("-")[0]
    rows = []
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            groups = _groups(tar)
            for i, (key, start, pair) in enumerate(groups):
                end = groups[i + 1][1] if i + 1 < len(groups) else tar.offset
                if pair is None or pair.size > _MAX_JSON_BYTES:
                    raise ValueError(f"the pair {key} has no description")
                file.seek(pair.offset_data)
                record = json.loads(file.read(pair.size))
                rows.append(ShardRow(split, key, path.name, start, end - start, record["width"], record["height"]))
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputFileError(f"not a shard of pairs ({error})", where=path, mend=_MEND) from error
    return rows


def _groups(tar: tarfile.TarFile) -> list[tuple[str, int, tarfile.TarInfo | None]]:
    """Each pair's key, where its first header lies, and its member ``json``."""
    groups: list[tuple[str, int, tarfile.TarInfo | None]] = []
    for member in tar:
        key, name = split_member(member.name)
        if not groups or groups[-1][0] != key:
            groups.append((key, member.offset, None))
        if name == PAIR:
            groups[-1] = (key, groups[-1][1], member)
    return groups


def split_member(name: str) -> tuple[str, str]:
    """A member's name as its pair's key and what it is of the pair: the name of a file ends at its first dot."""
    folder, slash, file = name.rpartition("/")
    stem, _, suffix = file.partition(".")
    return f"{folder}{slash}{stem}", suffix


def encode_index(rows: Sequence[ShardRow]) -> bytes:
    """The bytes of ``index.parquet``."""
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(ShardRow)}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, schema=_schema()), buffer, compression="zstd")
    return buffer.getvalue()


def _schema() -> Any:
    return pa.schema([pa.field(field.name, _ARROW_TYPES[str(field.type)]) for field in fields(ShardRow)])


class ShardIndex:
    """Where the pairs of one split lie; columns rather than rows, as there may be millions.

    :raises DatasetError: the folder holds no shards, or none of this split, or its index is damaged.
    """

    def __init__(self, root: Path, split: str) -> None:
        self.root = root
        record = read_record(root)
        path = root / INDEX_FILE
        try:
            table = decode_table(read_bounded(path, _MAX_INDEX_BYTES), _schema())
            table = table.filter(pa.compute.equal(table["split"], split))
            self._keys = table["key"].combine_chunks()
            self._shards = table["shard"].combine_chunks().dictionary_encode()
            self._numbers = np.stack([table[name].to_numpy() for name in ("offset", "bytes", "width", "height")], 1)
        except InputFileError as error:
            raise DatasetError(error.what, where=path, mend=_MEND) from error
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
            raise DatasetError("not an index of shards", where=path, mend=_MEND) from error
        if not len(self):
            there = [name for name in SPLITS if record.pairs.get(name)]
            raise DatasetError(f"has no pair in {split}; it has {', '.join(there) or 'none at all'}", where=root)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> ShardRow:
        offset, size, width, height = (int(number) for number in self._numbers[index])
        key, shard = self._keys[index].as_py(), self._shards[index].as_py()
        split = str(shard).rpartition("-")[0]
        return ShardRow(split, key, shard, offset, size, width, height)


@dataclass(frozen=True)
class ShardPair:
    """One pair, its bytes read and nothing of it decoded yet."""

    members: dict[str, bytes]
    where: Path

    @classmethod
    def read(cls, root: Path, row: ShardRow) -> ShardPair:
        """Its bytes, in one reading.

        :raises InputFileError: the shard is missing or shorter than the index says, or other things lie there.
        """
        path = root / row.shard
        length = file_size(path)
        inside = row.offset >= 0 and 0 < row.bytes <= min(_MAX_PAIR_BYTES, length - row.offset)
        if not inside or Path(row.shard).name != row.shard:
            raise InputFileError(f"holds no pair {row.key} where the index has it", where=path, mend=_MEND)
        try:
            with path.open("rb") as file:
                file.seek(row.offset)
                data = file.read(row.bytes)
            members = dict(_members(data, row.key))
        except (tarfile.TarError, OSError, ValueError) as error:
            raise InputFileError(f"the pair {row.key} is damaged", where=path, mend=_MEND) from error
        return cls(members, path / row.key)

    def image(self, name: str) -> NDArray[np.uint8]:
        """:data:`IMAGE1` or :data:`IMAGE2`: (H, W, 3) uint8, RGB."""
        suffix = next((suffix for suffix in ("jpg", "png") if f"{name}.{suffix}" in self.members), "jpg")
        return decode_image(self._member(f"{name}.{suffix}"), self.where.with_name(f"{self.where.name}.{name}"))

    def flow(self, name: str, rows: slice, size: tuple[int, int]) -> Flow:
        """Some rows of :data:`FACIAL` or :data:`HEAD`, whose whole is of a size (height, width), pixels."""
        return decode_compact(self._member(name), self.where.with_name(f"{self.where.name}.{name}"), rows, size)

    def mask(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """(H, W) bool: the head."""
        where = self.where.with_name(f"{self.where.name}.{MASK}")
        mask = decode_image(self._member(MASK), where)
        check_size(where, mask.shape, size)
        return np.asarray(mask[..., 0] > 0)

    def _member(self, name: str) -> bytes:
        if name not in self.members:
            raise InputFileError(f"the pair has no member {name}", where=self.where, mend=_MEND)
        return self.members[name]


def _members(data: bytes, key: str) -> Iterator[tuple[str, bytes]]:
    view = memoryview(data)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            found, name = split_member(member.name)
            end = member.offset_data + member.size
            if found != key or not member.isreg() or member.sparse is not None or end > len(data):
                raise ValueError(name)
            yield name, bytes(view[member.offset_data : end])


def checked_row(row: ShardRow) -> ShardRow:
    """A row whose images are of a size that ffngen reads; raises :class:`DatasetError` for another."""
    if row.width < 1 or row.height < 1 or row.width * row.height > MAX_PIXELS:
        raise DatasetError(f"the pair {row.key} has {row.width} x {row.height} pixels", where=INDEX_FILE, mend=_MEND)
    return row
