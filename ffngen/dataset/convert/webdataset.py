"""A dataset as WebDataset shards (:mod:`ffngen.dataset.shards`)."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from ffngen.atomic import read_bounded, write_atomic
from ffngen.dataset import shards
from ffngen.dataset.arrays import read_mask
from ffngen.dataset.layout import SHARDS_FILE, SPLITS, Output
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.dataset.shards import ShardRow, ShardsRecord
from ffngen.errors import DatasetError, FfngenError, InputFileError
from ffngen.flow.compact import LONGEST, encode_compact
from ffngen.flow.files import FlowFormat, read_flow
from ffngen.flow.values import known
from ffngen.seeds import derive_generator

PAIRS_PER_SHARD = 1000
_MAX_IMAGE_BYTES = 1 << 28


@dataclass(frozen=True)
class ShardsWritten:
    """What a folder of shards holds: pairs and shards, and how many of those this run wrote."""

    pairs: int
    shards: int
    written: int
    bytes: int


def convert_webdataset(
    dataset: Path,
    out: Path,
    *,
    pairs_per_shard: int = PAIRS_PER_SHARD,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ShardsWritten:
    """Write a dataset's pairs as shards. Shards that are there already, of the same dataset, are kept.

    :param out: a new or empty folder, or one that an earlier run of the same conversion left.
    :param pairs_per_shard: how many pairs a tar file holds; the last of a split may hold fewer.
    :param workers: processes that write shards.
    :param overwrite: delete shards of another dataset that are there.
    :param progress: called with the pairs done and their total.
    :raises FfngenError: the dataset cannot be read, or ``out`` cannot be written to.
    """
    parts = {split: FlowDataset(dataset, splits=(split,)) for split in SPLITS}
    record = ShardsRecord(
        dataset=dataset.resolve().name,
        digest=FlowDataset(dataset).digest(),
        pairs_per_shard=pairs_per_shard,
        pairs={split: len(part) for split, part in parts.items() if len(part)},
    )
    total = sum(record.pairs.values())
    if not total:
        raise DatasetError("has no complete sequence", where=dataset, mend="render it first")
    _claim(out, record, overwrite=overwrite)
    jobs = [
        _Shard(dataset, out, split, number, pairs_per_shard)
        for split, count in record.pairs.items()
        for number in range(-(-count // pairs_per_shard))
    ]
    rows: dict[str, list[ShardRow]] = {}
    written = done = 0
    for shard, found, new in _all(jobs, min(workers, len(jobs))):
        rows[shard.path.name] = found
        written += new
        done += len(found)
        progress(done, total)
    write_atomic(out / shards.INDEX_FILE, shards.encode_index([row for job in jobs for row in rows[job.path.name]]))
    size = sum(job.path.stat().st_size for job in jobs)
    return ShardsWritten(total, len(jobs), written, size)


@dataclass(frozen=True)
class _Shard:
    dataset: Path
    out: Path
    split: str
    number: int
    pairs: int

    @property
    def path(self) -> Path:
        return self.out / shards.shard_name(self.split, self.number)


def _claim(out: Path, record: ShardsRecord, *, overwrite: bool) -> None:
    """Make ``out`` this conversion's folder; raises :class:`DatasetError` where it holds anything else."""
    if out.exists() and not out.is_dir():
        raise DatasetError("is a file, not a folder", where=out, mend="name another folder")
    there = sorted(entry.name for entry in out.iterdir()) if out.exists() else []
    if SHARDS_FILE in there:
        if not overwrite and shards.read_record(out) == record:
            return
        if not overwrite:
            mend = "name another folder, or --overwrite"
            raise DatasetError("holds the shards of another dataset, or of other sizes", where=out, mend=mend)
        (out / shards.INDEX_FILE).unlink(missing_ok=True)
        for path in out.iterdir():
            if shards.SHARD_NAME.fullmatch(path.name):
                path.unlink()
    elif there:
        what = f"holds files and no shards (such as {there[0]!r})"
        raise DatasetError(what, where=out, mend="name an empty or new folder")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / SHARDS_FILE, record.encode())


def _all(jobs: list[_Shard], workers: int) -> Iterator[tuple[_Shard, list[ShardRow], bool]]:
    """Each shard, its rows, and whether it was written just now, in the order in which they get done."""
    if workers <= 1:
        for job in jobs:
            yield (job, *_write_shard(job))
        return
    # A new process knows nothing of this one's threads, such as a progress bar's.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures: dict[Future[tuple[list[ShardRow], bool]], _Shard] = {
            pool.submit(_write_shard, job): job for job in jobs
        }
        try:
            for future in as_completed(futures):
                yield (futures[future], *future.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_shard(shard: _Shard) -> tuple[list[ShardRow], bool]:
    part = FlowDataset(shard.dataset, splits=(shard.split,))
    order = derive_generator(0, "shards", shard.split).permutation(len(part))
    chosen = order[shard.number * shard.pairs :][: shard.pairs]
    if shard.path.is_file():
        # One that is not ours, or has been damaged or cut since, is written anew.
        with suppress(FfngenError):
            rows = shards.index_shard(shard.path)
            if [row.key for row in rows] == [_key(part[int(index)]) for index in chosen]:
                return rows, False

    def write(path: Path) -> None:
        with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
            for index in chosen:
                for name, content in _members(part[int(index)]):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))

    write_atomic(shard.path, write)
    return shards.index_shard(shard.path), True


def _key(pair: Pair) -> str:
    return f"{pair.metadata.emotion}/{pair.metadata.sequence}/{pair.frame:04d}"


def _members(pair: Pair) -> Iterator[tuple[str, bytes]]:
    """The members of one pair, by name."""
    metadata, root, frame = pair.metadata, pair.root, pair.frame
    layout = metadata.layout
    stem = _key(pair)
    for name, number in ((shards.IMAGE1, frame), (shards.IMAGE2, frame + 1)):
        path = root / layout.file(Output.FACIAL_IMAGE, number)
        yield f"{stem}.{name}{path.suffix}", read_bounded(path, _MAX_IMAGE_BYTES)
    for name, output in ((shards.FACIAL, Output.FACIAL_FLOW), (shards.HEAD, Output.HEAD_FLOW)):
        path = root / layout.file(output, frame)
        yield f"{stem}.{name}", _compact(path, layout.flow_format)
    yield f"{stem}.{shards.MASK}", _encode_mask(root / layout.file(Output.MASK, frame))
    width, height = metadata.size
    about = {
        "split": metadata.split,
        "emotion": metadata.emotion,
        "sequence": metadata.sequence,
        "identity": metadata.identity,
        "frame": frame,
        "n_frames": metadata.n_frames,
        "width": width,
        "height": height,
    }
    yield f"{stem}.{shards.PAIR}", json.dumps(about).encode()


def _compact(path: Path, flow_format: FlowFormat) -> bytes:
    flow = read_flow(path)
    if np.abs(np.where(known(flow)[..., None], flow, 0)).max() > LONGEST:
        raise InputFileError(f"holds a motion of more than {LONGEST:.0f} pixels", where=path)
    if flow_format is FlowFormat.COMPACT:
        return path.read_bytes()  # checked by the reading; encoding it again would give the same
    return encode_compact(flow, known(flow))


def _encode_mask(path: Path) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(read_mask(path) * 255, mode="L").save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
