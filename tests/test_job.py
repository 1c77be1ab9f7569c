"""The job."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from ffngen.errors import FfngenError, JobError
from ffngen.job import EMOTIONS, Job, Splits, load_job

REPOSITORY = Path(__file__).resolve().parents[1]


def write(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(text)
    return path


def test_defaults() -> None:
    job = load_job(None)
    assert job == Job()
    assert (job.width, job.height) == (512, 512)
    assert job.n_frames == (10,)
    assert job.identities == 1
    assert job.out == Path("dataset")


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_job(write(tmp_path, "")) == Job()


@pytest.mark.parametrize("path", sorted((REPOSITORY / "jobs").glob("*.yaml")), ids=lambda path: path.stem)
def test_jobs_that_ship(path: Path) -> None:
    load_job(path)


def test_options_override_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "seed: 3\nsamples: 4\nn_frames: [2, 3]")
    job = load_job(path, {"seed": 0, "n_frames": (7,)})
    assert (job.seed, job.samples, job.n_frames) == (0, 4, (7,))


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    text = "head: a.pkl\nparams: b\ntextures: c\nbackgrounds: /d\nexpressions: e.yaml\nscene: f.yaml\nout: g"
    job = load_job(write(tmp_path, text))
    assert job.head == str(tmp_path / "a.pkl")
    assert job.params == str(tmp_path / "b")
    assert job.textures == str(tmp_path / "c")
    assert job.backgrounds == "/d"
    assert job.expressions == tmp_path / "e.yaml"
    assert job.scene == str(tmp_path / "f.yaml")
    assert job.out == Path("g")
    # Those of the command line are not.
    assert load_job(write(tmp_path, text), {"head": "a.pkl"}).head == "a.pkl"


def test_words_are_no_paths(tmp_path: Path) -> None:
    text = "head: open\nparams: sample\ntextures: generated\nbackgrounds: hdri\nscene: portrait"
    assert load_job(write(tmp_path, text)) == Job()


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("64x32", (64, 32)),
        ("64X32", (64, 32)),
        (" 64 x 32 ", (64, 32)),
        ("64", (64, 64)),
        (64, (64, 64)),
        ([64, 32], (64, 32)),
    ],
)
def test_resolution(given: Any, size: tuple[int, int]) -> None:
    assert Job(resolution=given).resolution == size


@pytest.mark.parametrize(
    "given",
    ["", "x", "64x", "x64", "64x64x64", "-64x64", "64.5", "1e3", "9999999", 15, 8193, True, [64], None, {}, 64.0],
)
def test_what_is_no_resolution(given: Any) -> None:
    with pytest.raises(JobError, match="resolution"):
        load_job(None, {"resolution": given})


@pytest.mark.parametrize(
    "field", ["seed", "identities", "n_frames", "texture_size", "samples", "jpeg_quality", "workers", "threads"]
)
@pytest.mark.parametrize("value", [True, "64", 64.0, 64.5, [[64]], {}, float("nan"), float("inf"), -1])
def test_numbers_are_numbers(field: str, value: Any) -> None:
    with pytest.raises(JobError, match=field):
        load_job(None, {field: value})


@pytest.mark.parametrize("field", Job.model_fields)
@pytest.mark.parametrize("value", [object(), b"\xff", float("nan"), [None], {"x": {}}, 10**400, "a\0b", "\ud800"])
def test_no_value_breaks_it(field: str, value: Any) -> None:
    """Whatever is given for a field is refused in one line (or taken, where it is a name)."""
    try:
        load_job(None, {field: value})
    except FfngenError as error:
        assert field in str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 1200


def test_single_values_are_lists_of_one() -> None:
    assert Job(n_frames=5).n_frames == (5,)
    assert Job(emotions="happy").emotions == ("happy",)


def test_seeds() -> None:
    assert Job(seed=0).seed == 0
    assert Job(seed=2**63 - 1).seed == 2**63 - 1


def test_emotions_are_checked_against_what_samples_them() -> None:
    for word in EMOTIONS:
        Job(emotions=word)
    with pytest.raises(JobError, match="'smug'; it knows neutral"):
        load_job(None, {"emotions": ["smug"]})
    # Given parameters and files of the user's own have labels of their own.
    assert Job(emotions="smug", params="folder").emotions == ("smug",)
    assert Job(emotions="smug", expressions="mine.yaml").emotions == ("smug",)


def test_content_is_what_a_sequence_holds() -> None:
    """How far a dataset goes, and what it is made on, is no part of it; everything else is."""
    base = Job().content()
    for change in (
        {"out": "x"},
        {"identities": 5},
        {"n_frames": [3]},
        {"device": "cpu"},
        {"workers": 2},
        {"threads": 2},
        {"frame_timeout": 5},
        {"labels": ["uv", "normals"]},
        {"label_pairs": ["2", 5, "first-last"]},
        {"folders": "published"},
    ):
        assert Job(**change).content() == base
    changes: dict[str, Any] = {
        "seed": 1,
        "head": "x.pkl",
        "head_family": "flame2020",
        "head_teeth": True,
        "params": "x",
        "emotions": ["happy"],
        "expressions": "x.yaml",
        "include_neutral": True,
        "jaw_motion": "expression",
        "motion_profile": "micro",
        "folders": "spread",
        "amplitude": 0.5,
        "pose_amplitude": 0.5,
        "scene": "x",
        "textures": "x",
        "props": "none",
        "texture_size": 512,
        "backgrounds": "x",
        "resolution": 64,
        "samples": 3,
        "denoise": False,
        "flow_format": "exr",
        "image_format": "png",
        "jpeg_quality": 90,
        "hdris": "x",
        "splits": {"train": 1},
        "engine": "splat",
        "rig": "nersemble",
    }
    for field, value in changes.items():
        assert Job(**{field: value}).content() != base, field
    given = {"params": "x"}
    tracked: dict[str, Any] = {"params_format": "deca", "source_images": "x", "camera": "tracked"}
    for field, value in tracked.items():
        assert Job(**given, **{field: value}).content() != Job(**given).content(), field
    video = given | {"motion": "tracked"}
    moments: dict[str, Any] = {"frame_step": 2, "frame_range": "3:", "fps": 25.0}
    for field, value in moments.items():
        assert Job(**video, **{field: value}).content() != Job(**video).content(), field
    gaussians: dict[str, Any] = {"avatar": "x", "gaussians": 1000, "flow_mode": "mean"}
    for field, value in gaussians.items():
        assert Job(engine="splat", **{field: value}).content() != Job(engine="splat").content(), field
    assert Job(rig="nersemble", views=[3]).content() == Job(rig="nersemble").content()
    changes |= tracked | moments | gaussians | {"motion": "tracked"}
    outside = {
        "out",
        "identities",
        "n_frames",
        "device",
        "workers",
        "threads",
        "frame_timeout",
        "labels",
        "label_pairs",
        "views",
    }
    assert set(changes) | outside == set(Job.model_fields)


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ("none", ()),
        (("none",), ()),
        ("hair", ("hair",)),
        (["collar", "lashes"], ("lashes", "collar")),
        (["all"], ("lashes", "brows", "hair", "glasses", "collar")),
    ],
)
def test_props_are_kinds_in_one_order(given: Any, kinds: tuple[str, ...]) -> None:
    assert Job(props=given).props == kinds
    with pytest.raises(ValueError, match="props"):
        Job(props=["hat"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"motion": "tracked"}, "motion needs a tracker's parameters"),
        ({"camera": "tracked"}, "camera needs a tracker's parameters"),
        ({"source_images": "x"}, "source_images needs a tracker's parameters"),
        ({"params": "x", "motion": "tracked", "include_neutral": True}, "are for interpolated motion"),
        ({"params": "x", "motion": "tracked", "motion_profile": "ease"}, "are for interpolated motion"),
        ({"params": "x", "frame_step": 2}, "are for tracked motion"),
        ({"params": "x", "frame_range": "1:5"}, "are for tracked motion"),
        ({"params": "x", "source_images": "y", "backgrounds": "z"}, "not both"),
        ({"params": "x", "motion": "tracked", "frame_range": "five"}, "FIRST:LAST"),
        ({"amplitude": 0}, "amplitude"),
        ({"gaussians": 1000}, "say engine: splat"),
        ({"engine": "splat", "scene": "x.blend"}, "leave engine away"),
        ({"engine": "splat", "avatar": "x", "props": "hair"}, "leave props away"),
        ({"views": 3}, "say which with rig"),
        ({"rig": "nersemble", "views": [3, 3]}, "given twice"),
        ({"rig": "nersemble", "params": "x", "camera": "tracked"}, "cameras of its own"),
    ],
)
def test_fields_that_do_not_fit_each_other(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError, match=words):
        load_job(None, fields)


def test_a_job_file_may_say_everything(tmp_path: Path) -> None:
    job = Job(emotions=["happy", "sad"], n_frames=[5, 10], resolution="64x32", splits=Splits(train=1, test=1, val=0))
    text = yaml.safe_dump(job.model_dump(mode="json"))
    again = load_job(write(tmp_path, text))
    assert again == job


# Splits. ----------------------------------------------------------------------------------------------------------

IDENTITIES = [f"open-{i:06d}" for i in range(100_000)]


@pytest.mark.parametrize("shares", [(85, 10, 5), (0.85, 0.10, 0.05), (1, 1, 1), (1, 0, 0), (0, 0, 1), (0, 3, 1)])
def test_shares(shares: tuple[float, float, float]) -> None:
    splits = Splits(train=shares[0], test=shares[1], val=shares[2])
    counts = Counter(map(splits.of, IDENTITIES))
    for name, share in zip(("train", "test", "val"), shares, strict=True):
        p = share / sum(shares)
        # 5 standard deviations of a binomial count.
        assert abs(counts[name] - p * len(IDENTITIES)) <= 5 * (p * (1 - p) * len(IDENTITIES)) ** 0.5


def test_splits_are_stable() -> None:
    """Pinned: a dataset that grows under another version must keep its splits."""
    splits = Splits()
    assert [splits.of(f"open-{i:06d}") for i in (0, 1, 2)] == ["train", "train", "test"]
    assert Counter(map(splits.of, IDENTITIES[:1000])) == Counter({"train": 844, "test": 104, "val": 52})
    # The scale of the shares does not matter, and growing one share moves identities into it alone.
    scaled = Splits(train=0.85, test=0.10, val=0.05)
    assert all(splits.of(name) == scaled.of(name) for name in IDENTITIES[:5000])


@pytest.mark.parametrize("name", ["", "é", "a/b", "x" * 10_000, "\ud800"[:0]])
def test_any_name_has_a_split(name: str) -> None:
    assert Splits().of(name) in ("train", "test", "val")
