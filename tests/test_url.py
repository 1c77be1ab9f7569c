"""Where a dataset may lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffngen.errors import JobError
from ffngen.job import Job, load_job
from ffngen.url import ObjectUrl, absolute, parse_place


@pytest.mark.parametrize(
    "text", ["s3://lab/sets/one", "s3:/lab/sets/one", "s3://lab/sets/one/", Path("s3://lab/sets/one")]
)
def test_a_url(text: str | Path) -> None:
    """Also as a path writes it, which has one slash."""
    place = parse_place(text)
    assert place == ObjectUrl("lab", "sets/one")
    assert str(place) == "s3://lab/sets/one" and place / "dataset.json" == "s3://lab/sets/one/dataset.json"
    assert absolute(place) == place


@pytest.mark.parametrize("text", ["dataset", "/data/s3", "./s3:x", "a:b", "C:/data", "s3", "s3:", "x/s3://y"])
def test_a_folder(text: str) -> None:
    assert parse_place(text) == Path(text)
    assert absolute(parse_place(text)) == Path(text).absolute()


@pytest.mark.parametrize(
    "text", ["s3://", "s3://lab", "s3://lab/", "s3:///x", "s3://lab/a//b", "s3://lab/../b", "s3://lab/ü", "s3://lab/a?b=c",
             "s3://user:pass@lab/x", "gs://lab/x", "http://lab/x", "file:///x"],
)  # fmt: skip
def test_neither(text: str) -> None:
    with pytest.raises(JobError):
        parse_place(text)


def test_in_a_job(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("out: s3://lab/sets/one\n")
    job = load_job(tmp_path / "job.yaml")
    assert job.out == ObjectUrl("lab", "sets/one")
    assert job.model_dump(mode="json")["out"] == "s3://lab/sets/one"
    # As it goes to other machines, and back.
    assert Job.model_validate(job.model_dump(mode="json")) == job
    assert Job().content() == job.content()
    (tmp_path / "job.yaml").write_text("out: gs://lab/sets/one\n")
    with pytest.raises(JobError, match=r"job\.yaml.*out.*is no scheme"):
        load_job(tmp_path / "job.yaml")
    (tmp_path / "job.yaml").write_text("out: 5\n")
    with pytest.raises(JobError, match="out"):
        load_job(tmp_path / "job.yaml")
