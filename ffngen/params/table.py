"""ffngen's own form of parameter sets: a Parquet table, one row per set, in the order of the sets.

| column | content |
| --- | --- |
| ``family``, ``identity``, ``emotion``, ``source`` | text |
| ``betas``, ``expression`` | lists of float64 |
| ``pose``, ``translation``, ``eyelids`` | lists of 15, 3 and 2 float64 |
| ``texture`` | list of float64, empty where there is none; tables of before may lack the column |
| ``track``, ``frame``, ``fps``, ``image`` | of a video's frame and its picture; null where there is none |
| ``camera`` | lists K (9) and T_world_cam (16), row by row, width, height; null where there is none |
| ``static_offset``, ``dynamic_offset`` | ``FILE.npz#INDEX`` in the folder beside the table, or null |

Offsets of vertices lie in ``NAME.offsets/``, one compressed .npz per person or video: ``offsets`` (K, V, 3) float32,
metres, each array once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ffngen.atomic import file_size, write_atomic
from ffngen.errors import FfngenError, InputFileError
from ffngen.geometry.camera import Camera
from ffngen.head.npz import read_npz
from ffngen.params.parameter_set import ParameterSet

SUFFIX = ".parquet"

_NUMBERS = pa.list_(pa.float64())
_CAMERA = pa.struct([("K", _NUMBERS), ("T_world_cam", _NUMBERS), ("width", pa.int32()), ("height", pa.int32())])
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("family", "identity", "emotion", "source")),
        *((name, _NUMBERS) for name in ("betas", "expression", "pose", "translation", "eyelids", "texture")),
        ("track", pa.string()),
        ("frame", pa.int64()),
        ("fps", pa.float64()),
        ("image", pa.string()),
        ("camera", _CAMERA),
        ("static_offset", pa.string()),
        ("dynamic_offset", pa.string()),
    ]
)
#: The column that tables of before do not have.
_NEWER = "texture"
_BATCH = 1024
#: More sets than anybody tracks, and what they would take; a small file may claim more.
_MAX_ROWS = 5_000_000
_MAX_BYTES = 32 << 30
_MAX_GROUP_BYTES = 1 << 30
_MAX_OFFSETS_BYTES = 4 << 30
#: Characters of a name or path.
_MAX_TEXT = 4096
#: Coefficients of one kind; FLAME has 300.
_MAX_WIDTH = 1000
_KEY = "offsets"
_OFFSETS_NAME = re.compile(r"[0-9a-f]{16}\.npz")
_MEND = "write it again with ffngen params import"


def write_parameter_sets(path: Path, sets: Sequence[ParameterSet]) -> None:
    """Write a table, and the folder of its offsets where there are any; both replace what is there.

    :raises FfngenError: it cannot be written.
    """
    offsets = _Offsets(path)
    references = offsets.write(sets)

    def write(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, _SCHEMA, compression="zstd") as writer:
            for start in range(0, len(sets), _BATCH):
                part = slice(start, start + _BATCH)
                writer.write_table(_encode(sets[part], references[part]), row_group_size=_BATCH)

    write_atomic(path, write)
    offsets.keep_only(references)


def _encode(sets: Sequence[ParameterSet], references: Sequence[tuple[str | None, str | None]]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA.names}
    for one, (static, dynamic) in zip(sets, references, strict=True):
        for name in ("family", "identity", "emotion", "source", "track", "frame", "fps", "image"):
            columns[name].append(getattr(one, name))
        for name in ("betas", "expression", "pose", "translation", "eyelids"):
            columns[name].append(getattr(one, name))
        columns["texture"].append(() if one.texture is None else one.texture)
        camera = one.camera
        columns["camera"].append(
            None
            if camera is None
            else {
                "K": camera.K.ravel(),
                "T_world_cam": camera.T_world_cam.ravel(),
                "width": camera.width,
                "height": camera.height,
            }
        )
        columns["static_offset"].append(static)
        columns["dynamic_offset"].append(dynamic)
    return pa.table(columns, schema=_SCHEMA)


def read_table(path: Path) -> list[ParameterSet]:
    """The sets of a table; none where the path is no Parquet file.

    :raises InputFileError: a damaged table, or one of other columns, or one that claims more than anybody tracks.
    """
    if path.suffix.lower() != SUFFIX or not path.is_file():
        return []
    if file_size(path) > _MAX_BYTES:
        raise InputFileError("is larger than any table of parameters", where=path)
    try:
        with pq.ParquetFile(path) as file:
            _check(file, path)
            offsets = _Offsets(path)
            return [
                _decode(row, path, number, offsets)
                for number, row in enumerate(
                    row
                    for batch in file.iter_batches(_BATCH, columns=_present(file), use_threads=False)
                    for row in _rows(batch)
                )
            ]
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputFileError("a damaged table of parameters", where=path, mend=_MEND) from error


def _present(file: pq.ParquetFile) -> list[str]:
    return [name for name in _SCHEMA.names if name in file.schema_arrow.names]


def _check(file: pq.ParquetFile, path: Path) -> None:
    there = file.schema_arrow
    missing = [name for name in _SCHEMA.names if name not in there.names and name != _NEWER]
    if missing:
        raise InputFileError(f"a Parquet file without the column {missing[0]}", where=path, mend=_MEND)
    for name in _present(file):
        if there.field(name).type != _SCHEMA.field(name).type:
            raise InputFileError(f"its column {name} is of type {there.field(name).type}", where=path, mend=_MEND)
    metadata = file.metadata
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if metadata.num_rows > _MAX_ROWS or any(group.total_byte_size > _MAX_GROUP_BYTES for group in groups):
        raise InputFileError(f"claims {metadata.num_rows} sets, more than are read", where=path)


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """The rows of a batch; lists of numbers as arrays, which share the batch's memory until they are kept."""
    columns: dict[str, Any] = {}
    for name in batch.schema.names:
        column = batch.column(name)
        if column.type != _NUMBERS:
            if pa.types.is_string(column.type):
                lengths = pa.compute.max(pa.compute.binary_length(column)).as_py()
                if (lengths or 0) > _MAX_TEXT:
                    raise ValueError(f"{name} holds a long text")
            columns[name] = column.to_pylist()
            continue
        if column.null_count or column.flatten().null_count:
            raise ValueError(f"{name} has nulls")
        bounds, values = column.offsets.to_numpy(), column.values.to_numpy()
        if len(bounds) > 1 and np.diff(bounds).max() > _MAX_WIDTH:
            raise ValueError(f"{name} is too wide")
        columns[name] = [values[start:end] for start, end in pairwise(bounds)]
    for i in range(batch.num_rows):
        yield {name: column[i] for name, column in columns.items()}


def _decode(row: dict[str, Any], path: Path, number: int, offsets: _Offsets) -> ParameterSet:
    camera = row["camera"]
    try:
        if any(row[name] is None for name in ("family", "identity", "emotion", "source")):
            raise InputFileError("a text is missing")
        return ParameterSet(
            **{name: row[name] for name in ("betas", "expression", "pose", "family", "identity", "emotion", "source")},
            translation=row["translation"],
            eyelids=row["eyelids"],
            texture=row[_NEWER] if len(row.get(_NEWER, ())) else None,
            static_offset=offsets.read(row["static_offset"]),
            dynamic_offset=offsets.read(row["dynamic_offset"]),
            camera=None if camera is None else _camera(camera),
            **{name: row[name] for name in ("track", "frame", "fps", "image")},
        )
    except FfngenError as error:
        where = path if error.where is None or isinstance(error.where, str) else error.where
        raise InputFileError(f"row {number + 1}: {error.what}", where=where, mend=error.mend or _MEND) from error


def _camera(data: dict[str, Any]) -> Camera:
    K, T = np.array(data["K"], dtype=np.float64), np.array(data["T_world_cam"], dtype=np.float64)
    return Camera(K.reshape(3, 3), T.reshape(4, 4), int(data["width"]), int(data["height"]))


@dataclass
class _Offsets:
    """The folder beside a table; the last file's arrays are kept, as neighbouring sets share them."""

    table: Path
    _name: str = ""
    _kept: NDArray[np.float32] | None = None
    _given: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.table.with_name(f"{self.table.stem}.offsets")

    def write(self, sets: Sequence[ParameterSet]) -> list[tuple[str | None, str | None]]:
        """Put all offsets into files named by their content, and return each set's references to its own."""
        videos: dict[str, list[NDArray[np.float32]]] = {}
        places: dict[int, tuple[str, int]] = {}
        for one in sets:
            for array in (one.static_offset, one.dynamic_offset):
                # Frames share one array object for what they share.
                if array is not None and id(array) not in places:
                    video = f"{one.identity}/{one.track}/{len(array)}"
                    places[id(array)] = video, len(videos.setdefault(video, []))
                    videos[video].append(array)
        if not videos:
            return [(None, None)] * len(sets)
        if self.folder.is_dir() and any(not _OFFSETS_NAME.fullmatch(entry.name) for entry in self.folder.iterdir()):
            raise InputFileError("holds other files than offsets", where=self.folder, mend="name the table otherwise")
        self.folder.mkdir(exist_ok=True)
        names = {}
        for video, arrays in videos.items():
            content = BytesIO()
            np.savez_compressed(content, **{_KEY: np.stack(arrays)})
            names[video] = f"{hashlib.sha256(content.getvalue()).hexdigest()[:16]}.npz"
            if not (self.folder / names[video]).exists():
                write_atomic(self.folder / names[video], content.getvalue())

        def reference(array: NDArray[np.float32] | None) -> str | None:
            if array is None:
                return None
            video, index = places[id(array)]
            return f"{names[video]}#{index}"

        return [(reference(one.static_offset), reference(one.dynamic_offset)) for one in sets]

    def keep_only(self, references: Sequence[tuple[str | None, str | None]]) -> None:
        """Delete the files of offsets that a table which is in place now does not name, and the folder when empty."""
        if not self.folder.is_dir():
            return
        named = {one.partition("#")[0] for pair in references for one in pair if one is not None}
        for entry in self.folder.iterdir():
            if _OFFSETS_NAME.fullmatch(entry.name) and entry.name not in named:
                entry.unlink(missing_ok=True)
        with suppress(OSError):  # it holds what the table names, or something of the user's
            self.folder.rmdir()

    def read(self, reference: str | None) -> NDArray[np.float32] | None:
        """The array of a reference; raises :class:`InputFileError` where there is none."""
        if reference is None:
            return None
        name, _, index = reference.partition("#")
        path = self.folder / name
        if Path(name).name != name or path.is_symlink() or not re.fullmatch(r"[0-9]{1,6}", index):
            raise InputFileError(f"no offsets can lie at {reference[:80]!r}", where=path, mend=_MEND)
        if self._name != name or self._kept is None:
            arrays = read_npz(path, (_KEY,), max_bytes=_MAX_OFFSETS_BYTES)
            array = arrays.get(_KEY)
            if array is None or array.dtype != np.float32 or array.ndim != 3:
                raise InputFileError("holds no offsets", where=path, mend=_MEND)
            self._name, self._kept, self._given = name, array, {}
        if int(index) >= len(self._kept):
            raise InputFileError(f"has no offsets {index}", where=path, mend=_MEND)
        # One object for all that share it, so that writing keeps sharing it.
        return self._given.setdefault(int(index), self._kept[int(index)])
