"""Atomic writing and careful looking at files."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from ffngen.atomic import file_size, read_bounded, sha256_file, write_atomic
from ffngen.errors import DatasetError, InputFileError, OutOfSpaceError


def test_writes_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.bin", b"one")
    write_atomic(tmp_path / "a.bin", b"two")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.bin": b"two"}


def test_writer_gets_a_hidden_path_with_the_same_suffix(tmp_path: Path) -> None:
    seen: list[Path] = []

    def write(path: Path) -> None:
        seen.append(path)
        path.write_bytes(b"x")

    write_atomic(tmp_path / "0001.exr", write)
    assert seen[0].suffix == ".exr"
    assert seen[0].name.startswith(".")
    assert seen[0].parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["0001.exr"]


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError(f'Failed to write "x.exr". {os.strerror(errno.ENOSPC)}.'),
    ],
)
def test_full_disk_is_one_line_and_keeps_the_old_file(tmp_path: Path, fault: Exception) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise fault

    with pytest.raises(OutOfSpaceError) as caught:
        write_atomic(target, write)
    assert "the disk is full" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.bin": b"old"}


def test_a_really_full_device(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def write(path: Path) -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(OutOfSpaceError):
        write_atomic(tmp_path / "a.bin", write)
    assert not list(tmp_path.iterdir())


def test_missing_folder_is_a_dataset_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be written"):
        write_atomic(tmp_path / "no" / "a.bin", b"x")


def test_bugs_pass_through(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomic(tmp_path / "a.bin", write)
    assert not list(tmp_path.iterdir())


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc" * 1000).hexdigest()


def test_only_ordinary_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", tmp_path / "null\0byte"):
        with pytest.raises(InputFileError):
            file_size(path)
    (tmp_path / "big").write_bytes(b"12345")
    assert read_bounded(tmp_path / "big", 5) == b"12345"
    with pytest.raises(InputFileError, match="5 bytes"):
        read_bounded(tmp_path / "big", 4)
