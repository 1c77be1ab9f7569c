"""The restricted pickle reader: what it reads, and that it runs nothing."""

import collections
import datetime
import functools
import os
import pickle
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from ffngen.errors import InputFileError
from ffngen.head.pickles import read_pickle

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"


class _Call:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self._parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self._parts


def _in_dict(value: bytes) -> bytes:
    """A pickled dict whose entry 'a' is made by ``value``."""
    return b"}" + b"U\x01a" + value + b"s."


def _array(shape: bytes, code: bytes, raw: bytes) -> bytes:
    """An array as Python 2 pickles it, with any shape, dtype and bytes."""
    reconstruct = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
    dtype = b"cnumpy\ndtype\n(U" + bytes([len(code)]) + code + b"I0\nI1\ntR(I3\nU\x01<NNNI-1\nI-1\nI0\ntb"
    return reconstruct + b"(I1\n" + shape + dtype + b"I00\nT" + struct.pack("<i", len(raw)) + raw + b"tb"


def _dumped(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps({"a": value}, protocol=protocol)


def _sparse(**changes: Any) -> bytes:
    matrix = scipy.sparse.csc_matrix(np.eye(3))
    for name, value in changes.items():
        setattr(matrix, name, value)
    return _dumped(matrix)


_MARKER = "ffngen-pickle-ran"

HOSTILE: dict[str, bytes] = {
    "os.system": _dumped(_Call(os.system, f"touch {_MARKER}")),
    "os.system by protocol 0": f"cposix\nsystem\n(S'touch {_MARKER}'\ntR.".encode(),
    "subprocess": _dumped(_Call(subprocess.call, ["touch", _MARKER])),
    "eval": _dumped(_Call(eval, f"open({_MARKER!r}, 'w')")),
    "exec": _dumped(_Call(exec, f"open({_MARKER!r}, 'w')")),
    "open": _dumped(_Call(open, _MARKER, "w")),
    "getattr": _dumped(_Call(getattr, "text", "format")),
    "import": _dumped(_Call(__import__, "antigravity")),
    "numpy.load": _dumped(_Call(np.load, "x.npy")),
    "numpy.fromfile": _dumped(_Call(np.fromfile, "/dev/zero")),
    "numpy.zeros": _dumped(_Call(np.zeros, 10**15)),
    "partial": _dumped(functools.partial(os.getpid)),
    "datetime": _dumped(datetime.datetime(2020, 1, 1)),
    "OrderedDict": _dumped(collections.OrderedDict(a=1)),
    "dotted name": pickle.dumps({}, 4)[:-1] + b"\x8c\x05numpy\x8c\x0bndarray.dot\x93.",
    "a name that is not called": b"cos\nsystem\n.",
    "bytearray call": _dumped(_Call(bytearray, 10**15)),
    "list of a range": _dumped(_Call(list, range(10**12))),
    "codecs of another encoding": b"c_codecs\nencode\n(Va\nVrot13\ntR.",
    "state for a class": b"cnumpy\nndarray\n}U\x01aI1\nsb.",
    "state for a list": b"]}U\x01aI1\nsb.",
    "call of data": b"U\x01a)R.",
    "arguments that are no tuple": b"cnumpy\ndtype\n]R.",
    "old-style instance": b"(ios\ngetpid\n.",
    "old-style object": b"(cos\ngetpid\no.",
    "many arguments": b"cnumpy\ndtype\n(" + b"N" * 1000 + b"tR.",
    "persistent id": b"P1\n.",
    "binary persistent id": b"U\x01aQ.",
    "extension code": b"\x82\x01.",
    "object array": _dumped(np.array([{}], dtype=object)),
    "structured array": _dumped(np.zeros(2, dtype=[("x", "f8")])),
    "text array": _dumped(np.array(["a"])),
    "array of negative shape": _in_dict(_array(b"(I-1\nt", b"f8", b"")),
    "array of huge shape": _in_dict(_array(b"(L100000000000000000000L\nt", b"f8", b"1234")),
    "array with too few bytes": _in_dict(_array(b"(I3\nt", b"f8", b"12345678")),
    "array with a shape of text": _in_dict(_array(b"(U\x013t", b"f8", b"12345678")),
    "array of pointers": _in_dict(_array(b"(I1\nt", b"O8", b"12345678")),
    "array of huge items": _in_dict(_array(b"(I1\nt", b"V2147483647", b"12345678")),
    "array never filled": _in_dict(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"),
    "sparse index out of range": _sparse(indices=np.array([0, 1, 3], dtype=np.int32)),
    "sparse negative index": _sparse(indices=np.array([0, 1, -1], dtype=np.int32)),
    "sparse pointers beyond the data": _sparse(indptr=np.array([0, 1, 2, 99], dtype=np.int32)),
    "sparse huge shape": _sparse(_shape=(10**12, 3)),
    "huge string": b"\x8e" + struct.pack("<Q", 2**62) + b"abc.",
    "huge bytearray": b"\x96" + struct.pack("<Q", 2**38) + b"abc.",
    "huge frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"abc.",
    "huge memo index": b"Nr\xff\xff\xff\xffa.",
    "negative string": b"T" + struct.pack("<i", -5) + b"abc.",
    "long digits": b"I" + b"9" * 100_000 + b"\n.",
    "many tiny objects": b"(" + b"]" * 1_100_000 + b"l.",
    "deep nesting": b"]" * 300_000 + b"a" * 299_999 + b".",
    "deep key": b"}" + b")" + b"\x85" * 300_000 + b"Ns.",
    "list in itself": b"]q\x00h\x00a.",
    "dict key of a list": b"}]Ns.",
    "not a dict": pickle.dumps(np.zeros(3)),
    "unknown memo": b"h\x05.",
    "mark without end": b"((((.",
    "empty stack": b".",
    "no stop": pickle.dumps({"a": np.zeros(3)})[:-1],
    "truncated": pickle.dumps({"a": np.zeros(1000)})[:500],
    "text": b"this is no pickle\n",
    "empty": b"",
    "zip": b"PK\x03\x04" + bytes(100),
    "unknown protocol": b"\x80\xffN.",
    "invalid text": b"X\x02\x00\x00\x00\xff\xff.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickle_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pkl"
    path.write_bytes(HOSTILE[name])
    start = time.monotonic()
    with pytest.raises(InputFileError) as caught:
        read_pickle(path, ("a",))
    assert time.monotonic() - start < 5.0
    assert not (tmp_path / _MARKER).exists()
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert len(line) < len(str(path)) + 500


def test_the_forbidden_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(HOSTILE["eval"])
    with pytest.raises(InputFileError, match=r"asks for __builtin__\.eval"):
        read_pickle(path, ("a",))


def test_a_file_that_is_too_large_or_none_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(_dumped(np.zeros(100)))
    with pytest.raises(InputFileError, match="more than"):
        read_pickle(path, ("a",), max_bytes=100)
    for absent in (tmp_path / "absent.pkl", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputFileError, match="no such file"):
            read_pickle(absent, ("a",))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["?", "i1", "u4", "<i8", ">i4", "f2", "f4", ">f8"])
def test_arrays_come_back(protocol: int, dtype: str, tmp_path: Path) -> None:
    values = (np.random.default_rng(0).random((3, 4, 2)) * 100).astype(dtype)
    path = tmp_path / "arrays.pkl"
    content = {"c": values, "f": np.asfortranarray(values), "empty": values[:0], "scalar": values[0, 0, 0], "no": 1}
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    found = read_pickle(path, ("c", "f", "empty", "scalar", "absent"))
    assert set(found) == {"c", "f", "empty", "scalar"}
    for key in found:
        np.testing.assert_array_equal(found[key], content[key])
        assert found[key].shape == np.shape(content[key])


@pytest.mark.parametrize("form", ["csc", "csr", "coo"])
def test_sparse_matrices_come_back(form: str, tmp_path: Path) -> None:
    matrix = scipy.sparse.random(5, 60, density=0.2, random_state=1, format=form)
    path = tmp_path / "sparse.pkl"
    path.write_bytes(_dumped(matrix).replace(f"scipy.sparse._{form}".encode(), f"scipy.sparse.{form}".encode()))
    np.testing.assert_array_equal(read_pickle(path, ("a",))["a"].toarray(), matrix.toarray())


def test_python_2_strings_hold_raw_bytes(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0, np.pi])
    path = tmp_path / "python2.pkl"
    path.write_bytes(_in_dict(_array(b"(I3\nt", b"f8", values.tobytes())))
    np.testing.assert_array_equal(read_pickle(path, ("a",))["a"], values)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_a_published_protocol_0_pickle_is_read_as_python_reads_it() -> None:
    path = SHARED / "flame_static_embedding.pkl"
    with path.open("rb") as stream:
        expected = pickle.load(stream, encoding="latin1")
    found = read_pickle(path, tuple(expected))
    assert set(found) == {"lmk_face_idx", "lmk_b_coords"}
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])
