"""What a job comes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from ffngen.cli import main
from ffngen.dataset.layout import Output, Record, is_safe_name
from ffngen.dataset.plan import (
    estimate_bytes,
    estimate_core_seconds,
    folder_name,
    is_complete,
    largest_folder,
    plan_sequences,
)
from ffngen.errors import JobError
from ffngen.job import Job


@dataclass
class Source:
    """Parameter sets of which only identity and emotion are asked for."""

    identities: list[str]
    emotions: list[str] | None = None

    def __len__(self) -> int:
        return len(self.identities)

    def identity(self, index: int) -> str:
        return self.identities[index]

    def emotion(self, index: int) -> str:
        return self.emotions[index] if self.emotions else "happy"

    def parameters(self, index: int) -> None:
        raise AssertionError("planning makes no parameter set")


WEIRD = [
    "",
    ".",
    "..",
    "...",
    "/",
    "//",
    "a/b",
    "a\\b",
    "a b",
    "a-b",
    "a_b",
    "a.b",
    ".a",
    "-a",
    "_a",
    "a.",
    "~",
    "é",
    "è",
    "名前",
    "名",
    "a\nb",
    "a\0b",
    "a\tb",
    "x" * 64,
    "x" * 65,
    "x" * 10_000,
    "x" * 10_001,
    "." * 300 + "x",
    "x" + "-" * 300,
    "CON",
    "con",
    "*?<>|\"'",
    "$(touch x)",
    "--help",
    "open-000001_e0_n5",
    "open-000001_e0",
]


def test_names_are_safe_and_unique() -> None:
    names = [folder_name(identity) for identity in WEIRD]
    assert all(map(is_safe_name, names))
    assert all(len(name) <= 64 for name in names)
    assert len(set(names)) == len(names)


def test_plain_identities_keep_their_names() -> None:
    for name in ("open-000001", "a.b_c-d", "x" * 64):
        assert folder_name(name) == name
    assert re.fullmatch(r"a-b-[0-9a-f]{8}", folder_name("a/b"))


def test_sequences_are_unique_and_safe() -> None:
    """One identity's name may look like another's with a number."""
    job = Job(n_frames=[2, 3, 23], params="x")
    plans = plan_sequences(job, Source([*WEIRD, *WEIRD, "a_e0", "a_e0_n2", "a"]))
    assert len(plans) == 3 * (2 * len(WEIRD) + 3)
    assert [plan.index for plan in plans] == list(range(len(plans)))
    assert len({plan.name for plan in plans}) == len(plans)
    assert len({plan.name.lower() for plan in plans if plan.identity not in ("con", "CON")}) == len(plans) - 12
    assert all(is_safe_name(plan.name) for plan in plans)
    files = [str(path) for plan in plans for path in plan.layout.files()]
    assert len(set(files)) == len(files)


def test_sets_of_one_identity_are_numbered_and_share_a_split() -> None:
    plans = plan_sequences(Job(n_frames=[2], params="x"), Source(["a", "b", "a", "a"], ["sad", "sad", "sad", "fear"]))
    assert [plan.name for plan in plans] == ["a_e0_n2", "b_e0_n2", "a_e1_n2", "a_e2_n2"]
    assert [plan.parameters_index for plan in plans] == [0, 1, 2, 3]
    assert len({plan.layout.key.split for plan in plans if plan.identity == "a"}) == 1
    assert plans[3].layout.key.emotion == "fear"


def test_growth_keeps_every_sequence() -> None:
    """More identities and more lengths: what was planned stays where it was."""
    names = [f"open-{i:06d}" for i in range(300)]
    small = plan_sequences(Job(n_frames=[5]), Source(names[:100]))
    large = {plan.name: plan for plan in plan_sequences(Job(n_frames=[3, 5, 10]), Source(names))}
    assert len(large) == 900
    for plan in small:
        assert large[plan.name].layout == plan.layout


@pytest.mark.parametrize(("neutral", "frames", "pairs"), [(False, 10, 9), (True, 11, 10)])
def test_counts(neutral: bool, frames: int, pairs: int) -> None:
    (plan,) = plan_sequences(Job(n_frames=[10], include_neutral=neutral), Source(["a"]))
    assert len(plan.layout.frames(Output.FACIAL_IMAGE)) == frames
    assert plan.pairs == pairs
    assert plan.images == frames + pairs
    assert len(plan.layout.frames(Output.HEAD_FLOW)) == pairs


def test_estimates_grow_with_the_work() -> None:
    def estimate(**fields: object) -> tuple[float, float]:
        job = Job(**fields)
        (plan,) = plan_sequences(job, Source(["a"]))
        return estimate_bytes(job, plan), estimate_core_seconds(job, plan)

    base = estimate()
    assert 10e6 < base[0] < 200e6  # ten frames at 512 x 512: some 20 MB of flow of each kind
    assert 10 < base[1] < 1000
    for larger in ({"resolution": 1024}, {"n_frames": [20]}, {"include_neutral": True}):
        assert all(a > b for a, b in zip(estimate(**larger), base, strict=True))
    assert estimate(samples=100)[1] > base[1]
    assert estimate(denoise=False)[1] < base[1]
    assert estimate(image_format="png")[0] > base[0]
    assert estimate(flow_format="exr")[0] < base[0]


def test_complete_is_what_has_its_metadata(tmp_path: Path) -> None:
    (plan,) = plan_sequences(Job(), Source(["a"]))
    metadata = tmp_path / plan.layout.record(Record.METADATA)
    assert not is_complete(tmp_path, plan)
    for path in plan.layout.files():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert not is_complete(tmp_path, plan)
    metadata.with_name(".metadata.1-0.tmp.json").touch()
    assert not is_complete(tmp_path, plan)
    metadata.mkdir()
    assert not is_complete(tmp_path, plan)
    metadata.rmdir()
    metadata.touch()
    assert is_complete(tmp_path, plan)


def test_too_many_sequences_for_one_folder_are_refused_unless_the_job_says_so() -> None:
    people = Source([f"p{i}" for i in range(10_001)], ["happy"] * 10_001)
    everyone = {"out": Path("x"), "n_frames": 2, "splits": {"train": 1, "test": 0, "val": 0}}
    with pytest.raises(
        JobError, match=r"folders.*train/happy would hold 10001 sequences.*say spread .* with --folders"
    ):
        plan_sequences(Job(**everyone), people)
    assert largest_folder(plan_sequences(Job(**everyone, folders="published"), people)) == ("train/happy", 10_001)
    folder, entries = largest_folder(plan_sequences(Job(**everyone, folders="spread"), people))
    assert folder.startswith("train/happy/") and entries < 100
    assert len(plan_sequences(Job(**everyone), Source(people.identities[1:], people.emotions[1:]))) == 10_000


def test_the_command_can_spread_folders(tmp_path: Path) -> None:
    command = ["render", "--identities", "15000", "--emotion", "happy", "--dry-run", "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "train/happy would hold" in refused.output and "--folders" in refused.output
    assert CliRunner().invoke(main, [*command, "--folders", "spread"]).exit_code == 0
