"""``manifest.parquet``: one row per complete sequence, for finding sequences without opening every folder."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ffngen.atomic import read_bounded, sha256_file
from ffngen.dataset.layout import MANIFEST_FILE, SequenceKey, metadata_path
from ffngen.dataset.metadata import MAX_METADATA_BYTES, SequenceMetadata, decode_sequence
from ffngen.dataset.store import Store
from ffngen.errors import DatasetError, FfngenError
from ffngen.parquet import decode_table

_MAX_BYTES = 1 << 30
_ARROW_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


@dataclass(frozen=True)
class SequenceRow:
    """One row.

    ``motion_scale`` is 1/n, or 0 for motion that a tracker saw; ``pairs`` counts image pairs, ``bytes`` the sequence's
    files; ``metadata`` is a path from the root, and ``metadata_sha256`` that file's SHA-256 (empty in manifests of
    datasets that were made before it was stated).
    """

    split: str
    emotion: str
    sequence: str
    identity: str
    n_frames: int
    include_neutral: bool
    motion_scale: float
    pairs: int
    width: int
    height: int
    model_family: str
    model_version: str
    model_digest: str
    image_format: str
    flow_format: str
    job_digest: str
    bytes: int
    metadata: str
    metadata_sha256: str

    @property
    def key(self) -> SequenceKey:
        """Which sequence this is; raises :class:`DatasetError` for names that no dataset holds."""
        is_spread = self.metadata.count("/") > 4
        return SequenceKey(self.split, self.emotion, self.sequence, is_spread)


def build_manifest(store: Store, scratch: Path) -> list[SequenceRow]:
    """Read the metadata of every complete sequence and write the manifest, sorted by split, emotion and sequence.

    :param scratch: a folder of :meth:`Store.run_folder`, where what a killed run leaves is cleared away.
    :raises DatasetError: a metadata file is damaged.
    """
    keys = store.complete()
    contents = store.read_each(map(metadata_path, keys), MAX_METADATA_BYTES)
    rows = [
        _row(decode_sequence(data, key, store.place / metadata_path(key)), hashlib.sha256(data).hexdigest())
        for key, data in zip(keys, contents, strict=True)
    ]
    store.write(MANIFEST_FILE, _encode(rows), scratch)
    return rows


def read_manifest(root: str | Path) -> list[SequenceRow]:
    """The rows of a dataset's manifest; raises :class:`DatasetError` when it is missing or damaged."""
    path = Path(root) / MANIFEST_FILE
    try:
        data = read_bounded(path, _MAX_BYTES)
        records = decode_table(data, _schema()).to_pylist()
        for record in records:
            record["metadata_sha256"] = record["metadata_sha256"] or ""
        if any(value is None for record in records for value in record.values()):
            raise ValueError("a value is missing")
        rows = [SequenceRow(**record) for record in records]
    except FfngenError as error:
        raise DatasetError(error.what, where=path) from error
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"not a manifest: {error}", where=path, mend="rebuild it") from error
    return rows


def manifest_row(root: Path, metadata: SequenceMetadata) -> SequenceRow:
    """The row of one sequence of a dataset; raises :class:`OSError` when its metadata file cannot be read."""
    return _row(metadata, sha256_file(root / metadata_path(metadata.key)))


def _row(metadata: SequenceMetadata, digest: str) -> SequenceRow:
    width, height = metadata.size
    return SequenceRow(
        split=metadata.split,
        emotion=metadata.emotion,
        sequence=metadata.sequence,
        identity=metadata.identity,
        n_frames=metadata.n_frames,
        include_neutral=metadata.include_neutral,
        motion_scale=metadata.motion_scale or 0.0,
        pairs=len(metadata.layout.pair_frames),
        width=width,
        height=height,
        model_family=metadata.model.family,
        model_version=metadata.model.version,
        model_digest=metadata.model.digest,
        image_format=metadata.image_format.value,
        flow_format=metadata.flow_format.value,
        job_digest=metadata.job_digest,
        bytes=sum(entry.bytes for entry in metadata.files.values()),
        metadata=metadata_path(metadata.key),
        metadata_sha256=digest,
    )


def _schema() -> Any:
    return pa.schema([pa.field(field.name, _ARROW_TYPES[str(field.type)]) for field in fields(SequenceRow)])


def _encode(rows: list[SequenceRow]) -> bytes:
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(SequenceRow)}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, schema=_schema()), buffer, compression="zstd")
    return buffer.getvalue()
