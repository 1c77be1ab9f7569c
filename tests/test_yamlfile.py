"""Reading YAML that anybody may have written."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from ffngen.errors import InputFileError, JobError
from ffngen.yamlfile import MAX_BYTES, read_yaml, validate


def read(folder: Path, text: str | bytes) -> dict[str, object]:
    path = folder / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


def test_plain_data(tmp_path: Path) -> None:
    assert read(tmp_path, "a: 1\nb: [x, 2.5]\nc: {d: null}") == {"a": 1, "b": ["x", 2.5], "c": {"d": None}}
    assert read(tmp_path, "") == read(tmp_path, "# nothing") == {}
    assert read(tmp_path, "\ufeffa: é") == {"a": "é"}
    assert read(tmp_path, "<<: {a: 1}\nb: 2") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "at line 1"),
        ("a: 1\nb: 2\na: 3", "line 1, column 1 (a key is given twice)"),
        ("x: {a: 1, a: 2}", "line 1, column 4 (a key is given twice)"),
        ("a: &x 1\nb: *x", "line 2, column 4 (aliases are not allowed)"),
        ("a: &x [*x]", "aliases are not allowed"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: !mine 1", "could not determine a constructor"),
        ("a: !!bool maybe", "not valid YAML"),
        ("a: !!float {}", "not valid YAML"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: !!binary é", "not valid YAML"),
        ("a: 2020-13-45", "not valid YAML"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("[" * 100_000, "not valid YAML"),
        ("- 1", "must hold named fields"),
        ("1: 1", "must hold named fields"),
        ("null: 1", "must hold named fields"),
        (b"\xff", "is not UTF-8"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_faults(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputFileError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert str(tmp_path / "a.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_anchor_that_nothing_refers_to_is_harmless(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &x 1") == {"a": 1}


def test_size_is_bounded(tmp_path: Path) -> None:
    assert read(tmp_path, "# " + "x" * (MAX_BYTES - 2)) == {}
    with pytest.raises(InputFileError, match="at most"):
        read(tmp_path, "# " + "x" * (MAX_BYTES - 1))


@pytest.mark.parametrize("text", ["a: 1" + ":59" * 80_000, "a: 0x" + "f" * 200_000, "{" * 200_000, "- a\n" * 10_000])
def test_time_is_bounded(text: str, tmp_path: Path) -> None:
    """What takes long within the size that is read; generous, for a busy machine."""
    begin = time.monotonic()
    with contextlib.suppress(InputFileError):
        read(tmp_path, text)
    assert time.monotonic() - begin < 20


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int = 0


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = 0
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"number": "many"}, "a.yaml: field 'number': Input should be a valid integer, .* \\(got 'many'\\)"),
        ({"inner": {"x": []}}, "a.yaml: field 'inner.x': Input should be a valid integer \\(got '\\[\\]'\\)"),
        ({"nunber": 1}, "a.yaml: unknown field 'nunber'; known fields are inner, number"),
        ({"inner": {"y": 1}}, "a.yaml: unknown field 'inner.y'$"),
        ({"number": "a", "inner": 1}, "\\(and 1 more\\)$"),
        ({"number": "y" * 10_000}, f"\\(got '{'y' * 60}'\\)$"),
        ({"y" * 10_000: 1}, f"unknown field '{'y' * 80}'"),
    ],
)
def test_validate(data: dict[str, object], message: str) -> None:
    with pytest.raises(JobError, match=message) as caught:
        validate(Outer, data, Path("a.yaml"), JobError)
    assert len(str(caught.value)) < 300


def test_validate_numbers_that_python_does_not_write() -> None:
    with pytest.raises(JobError, match="a huge number"):
        validate(Outer, {"inner": 16**10_000}, "a.yaml", JobError)


def test_validate_fields_of_several_places() -> None:
    def place(field: str) -> str:
        return f"the place of {field}"

    with pytest.raises(JobError, match=r"^the place of inner: field 'inner\.x'"):
        validate(Outer, {"inner": {"x": "a"}}, place, JobError)
