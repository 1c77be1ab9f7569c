"""Shards: what another package reads from them, what training draws from them, interruptions and damage."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import webdataset
from click.testing import CliRunner
from made_dataset import make_dataset

from ffngen.cli import main
from ffngen.dataset.convert.webdataset import convert_webdataset
from ffngen.dataset.layout import SequenceKey
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.shards import ShardIndex, ShardPair, ShardRow, encode_index, index_shard, read_record
from ffngen.errors import DatasetError, FfngenError, InputFileError
from ffngen.flow.compact import MAX_ERROR, decode_compact
from ffngen.flow.files import FlowFormat, write_flow
from ffngen.training.config import SourceConfig
from ffngen.training.sample import Rows
from ffngen.training.sources import open_source


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("made") / "dataset", {"train": 3, "val": 1})


@pytest.fixture(scope="module")
def shards(dataset: Path) -> Path:
    out = dataset.parent / "shards"
    convert_webdataset(dataset, out, pairs_per_shard=4)
    return out


def test_what_the_webdataset_package_reads(dataset: Path, shards: Path) -> None:
    """Same images, masks and descriptions, and flow within the compact format's error."""
    urls = sorted(str(path) for path in shards.glob("*.tar"))
    assert [Path(url).name for url in urls] == ["train-000000.tar", "train-000001.tar", "val-000000.tar"]
    stream = webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("rgb8")
    seen = {}
    for sample in stream:
        about = sample["json"]
        assert sample["__key__"] == f"{about['emotion']}/{about['sequence']}/{about['frame']:04d}"
        key = SequenceKey(about["split"], about["emotion"], about["sequence"])
        pair = next(p for p in FlowDataset(dataset).pairs(key) if p.frame == about["frame"])
        seen[key, pair.frame] = about
        np.testing.assert_array_equal(sample["image1.png"], pair.image1)
        np.testing.assert_array_equal(sample["image2.png"], pair.image2)
        np.testing.assert_array_equal(sample["mask.png"][..., 0], pair.mask * 255)
        for name, truth in (("facial.cflo", pair.facial_flow), ("head.cflo", pair.head_flow)):
            flow = decode_compact(sample[name], name)
            np.testing.assert_allclose(flow, truth, rtol=0, atol=MAX_ERROR * 1.001)
    assert len(seen) == len(FlowDataset(dataset))


def test_training_draws_the_same_samples(dataset: Path, shards: Path) -> None:
    for split in ("train", "val"):
        source = open_source(SourceConfig(path=str(shards), split=split))
        files = open_source(SourceConfig(path=str(dataset), split=split))
        assert len(source) == len(files) and source.has_heads
        index = ShardIndex(shards, split)
        place = {pair: i for i, pair in enumerate(_names(dataset, split))}
        for i in range(len(source)):
            sample = source[i].read(Rows(30, 90))
            truth = files[place[index[i].key]].read(Rows(30, 90))
            assert (source[i].height, source[i].width) == (120, 160)
            for name in ("image1", "image2", "valid", "mask"):
                np.testing.assert_array_equal(getattr(sample, name), getattr(truth, name))
            assert sample.head is not None
            np.testing.assert_allclose(sample.facial, truth.facial, rtol=0, atol=MAX_ERROR * 1.001)
            np.testing.assert_allclose(sample.head, truth.head, rtol=0, atol=MAX_ERROR * 1.001)


def _names(dataset: Path, split: str) -> list[str]:
    data = FlowDataset(dataset, splits=(split,))
    pairs = [data[i] for i in range(len(data))]
    return [f"{p.metadata.emotion}/{p.metadata.sequence}/{p.frame:04d}" for p in pairs]


def test_a_compact_dataset_is_copied(dataset: Path, shards: Path, tmp_path: Path) -> None:
    compact = make_dataset(tmp_path / "dataset", {"train": 3, "val": 1}, FlowFormat.COMPACT)
    convert_webdataset(compact, tmp_path / "shards", pairs_per_shard=4)
    assert _bytes(tmp_path / "shards") == _bytes(shards)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}


def test_processes_and_interruptions_change_no_byte(dataset: Path, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    shutil.copytree(shards, out)
    (out / "index.parquet").unlink()
    (out / "val-000000.tar").unlink()
    whole = (out / "train-000000.tar").read_bytes()
    (out / "train-000000.tar").write_bytes(whole[: len(whole) // 2])
    result = convert_webdataset(dataset, out, pairs_per_shard=4, workers=2)
    assert (result.shards, result.written) == (3, 2)
    assert _bytes(out) == _bytes(shards)
    # One that ends neatly between two pairs is no whole shard either.
    cut = index_shard(out / "train-000000.tar")[2].offset
    (out / "train-000000.tar").write_bytes(whole[:cut])
    (out / "notes-2024.tar").write_bytes(b"mine")
    assert convert_webdataset(dataset, out, pairs_per_shard=4).written == 1
    assert _bytes(out) == _bytes(shards) | {"notes-2024.tar": b"mine"}
    convert_webdataset(dataset, out, pairs_per_shard=100, overwrite=True)
    assert (out / "notes-2024.tar").exists() and not (out / "train-000001.tar").exists()


def test_what_cannot_be_compact_is_one_line(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset", {"train": 1})
    path = next((dataset / "flow" / "head").rglob("*.flo"))
    write_flow(path, np.full((120, 160, 2), 1e6, np.float32))
    with pytest.raises(InputFileError, match="a motion of more than 524288 pixels"):
        convert_webdataset(dataset, tmp_path / "out")


def test_without_a_manifest_the_metadata_tell_datasets_apart(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset, copy)
    (copy / "manifest.parquet").unlink()
    before = FlowDataset(copy).digest()
    metadata = next(copy.rglob("metadata.json"))
    metadata.write_text(metadata.read_text().replace('"job_digest": "', '"job_digest": "x'))
    assert FlowDataset(copy).digest() != before


def test_another_conversion_is_not_mixed_in(dataset: Path, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    shutil.copytree(shards, out)
    with pytest.raises(DatasetError, match="another dataset, or of other sizes"):
        convert_webdataset(dataset, out, pairs_per_shard=5)
    assert _bytes(out) == _bytes(shards)
    convert_webdataset(dataset, out, pairs_per_shard=100, overwrite=True)
    assert sorted(p.name for p in out.glob("*.tar")) == ["train-000000.tar", "val-000000.tar"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(DatasetError, match="holds files and no shards"):
        convert_webdataset(dataset, tmp_path / "other", overwrite=True)


def test_the_command(dataset: Path, tmp_path: Path) -> None:
    arguments = ["convert", str(dataset), str(tmp_path / "out"), "--to", "webdataset"]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0
    written = json.loads(result.stdout)
    assert written["pairs"] == len(FlowDataset(dataset)) and written["shards"] == 2
    assert "2 of them there already" in CliRunner().invoke(main, arguments).stdout
    for bad in (
        ["convert", str(tmp_path / "none"), str(tmp_path / "x"), "--to", "webdataset"],
        [*arguments[:-1], "zip"],
    ):
        result = CliRunner().invoke(main, bad)
        assert result.exit_code == 2 and len(result.stderr.strip().splitlines()) == 1


def test_damaged_shards_are_one_line(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    shutil.copytree(shards, out)
    source = open_source(SourceConfig(path=str(out)))
    path = out / "train-000000.tar"
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    faults = 0
    for _ in range(150):
        changed = data.copy()
        for place in rng.integers(0, len(data), 20):
            changed[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(changed)
        for i in range(4):
            try:
                source[i].read(Rows(0, 120))
            except FfngenError as error:
                faults += 1
                assert len(str(error).splitlines()) == 1
    assert faults > 50
    path.write_bytes(data[:3000])
    with pytest.raises(InputFileError, match="convert the dataset again"):
        index_shard(path)
    path.unlink()
    with pytest.raises(InputFileError, match="No such file"):
        source[0].read(Rows(0, 1))


def tar(*members: tuple[str, bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.size = len(content)
            member.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_hostile_shards(tmp_path: Path) -> None:
    regular, link = tarfile.REGTYPE, tarfile.SYMTYPE
    for members in (
        [("a/b/0001.image1.png", b"", link)],
        [("../../x.json", b"{}", regular)],
        [("a/b/0002.json", b"{}", regular)],
        [("a/b/0001.json", b"{}", tarfile.CHRTYPE)],
    ):
        data = tar(*members)
        (tmp_path / "train-000000.tar").write_bytes(data)
        row = ShardRow("train", "a/b/0001", "train-000000.tar", 0, len(data), 4, 4)
        with pytest.raises(InputFileError, match="damaged"):
            ShardPair.read(tmp_path, row)
    for shard, offset, size in (
        ("train-000000.tar", -1, 10),
        ("train-000000.tar", 0, 1 << 40),
        ("train-000000.tar", 0, 0),
        ("../shards/train-000000.tar", 0, 10),
    ):
        (tmp_path / "shards").mkdir(exist_ok=True)
        (tmp_path / "shards" / "train-000000.tar").write_bytes(bytes(10240))
        with pytest.raises(InputFileError, match="holds no pair"):
            ShardPair.read(tmp_path / "shards", ShardRow("train", "k", shard, offset, size, 4, 4))
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(InputFileError, match="not a file"):
        ShardPair.read(tmp_path, ShardRow("train", "k", "pipe.tar", 0, 10, 4, 4))


def test_faulty_folders(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pair in test; it has train, val"):
        open_source(SourceConfig(path=str(shards), split="test"))
    out = tmp_path / "shards"
    shutil.copytree(shards, out)
    rows = index_shard(out / "train-000000.tar")
    huge = ShardRow("train", rows[0].key, rows[0].shard, rows[0].offset, rows[0].bytes, 1 << 20, 1 << 20)
    (out / "index.parquet").write_bytes(encode_index([huge]))
    with pytest.raises(DatasetError, match="1048576 x 1048576 pixels"):
        open_source(SourceConfig(path=str(out)))[0]
    for content in (b"", b"PAR1", b"x" * 100):
        (out / "index.parquet").write_bytes(content)
        with pytest.raises(DatasetError, match="convert the dataset again"):
            open_source(SourceConfig(path=str(out)))
    (out / "webdataset.json").write_text('{"format_version": 2}')
    with pytest.raises(DatasetError, match="is damaged"):
        read_record(out)
