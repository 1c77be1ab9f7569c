"""Input that is at fault: one line that names the file or the field, exit code 2, nothing written."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ffngen.cli import main


@dataclass(frozen=True)
class Case:
    """What is at fault, the arguments that lead to it, and what the message must name."""

    name: str
    make: Callable[[Path], list[str]]
    names: str


CASES: list[Case] = []


def job(name: str, text: str | bytes, names: str) -> None:
    """A job file with this content."""

    def make(folder: Path) -> list[str]:
        path = folder / "job.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return ["render", str(path)]

    CASES.append(Case(f"job: {name}", make, names))


def options(name: str, *arguments: str, names: str) -> None:
    """These arguments."""
    CASES.append(Case(f"option: {name}", lambda folder: ["render", *arguments], names))


def file(name: str, names: str) -> Callable[[Callable[[Path], list[str]]], None]:
    """A case whose function makes files and returns the arguments."""
    return lambda make: CASES.append(Case(name, make, names))


def run(arguments: list[str], *, dry: bool = True) -> Result:
    return CliRunner().invoke(main, [*arguments, "--dry-run"] if dry and arguments[:1] == ["render"] else arguments)


# Job files. -------------------------------------------------------------------------------------------------------

job("not YAML", "n_frames: [1, 2\nseed: {", "job.yaml: is not valid YAML at line 2")
job("a tab", "\tseed: 1", "job.yaml: is not valid YAML at line 1")
job("binary", bytes(range(256)), "job.yaml: is not UTF-8")
job("control codes", "seed: \x01", "job.yaml: is not valid YAML")
job("UTF-16", "seed: 1".encode("utf-16"), "job.yaml: is not UTF-8")
job("a list", "- seed", "job.yaml: must hold named fields")
job("a word", "seed", "job.yaml: must hold named fields")
job("a number as a key", "1: 2", "job.yaml: must hold named fields")
job("two documents", "seed: 1\n---\nseed: 2", "job.yaml: is not valid YAML at line 2")
job("a key twice", "seed: 1\nseed: 2", "a key is given twice")
job("a merged key twice", "<<: {seed: 1}\nseed: 2", "a key is given twice")
job("an unhashable key", "? [1]\n: 2", "unhashable key")
job("an alias", "seed: &a 1\nsamples: *a", "aliases are not allowed")
job(
    "an alias bomb",
    "a: &a [x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "aliases are not allowed",
)
job("code", "seed: !!python/object/apply:os.system ['true']", "could not determine a constructor")
job("a hollow bool", "denoise: !!bool maybe", "job.yaml: is not valid YAML")
job("a hollow date", "seed: !!timestamp never", "job.yaml: is not valid YAML")
job("a hollow number", "seed: !!int ''", "job.yaml: is not valid YAML")
job("deep nesting", "seed: " + "[" * 100_000, "job.yaml: is not valid YAML")
job("too large", "# " + "x" * (1 << 20), "job.yaml: 1048578 bytes")
job("an unknown field", "sed: 1", "unknown field 'sed'")
job("an unknown field below", "splits: {tran: 1}", "unknown field 'splits.tran'")
job("a number as a field below", "splits: {1: 2}", "'splits.1'")
job("NaN", "frame_timeout: .nan", "'frame_timeout'")
job("infinity", "splits: {train: .inf}", "'splits.train'")
job("a negative share", "splits: {train: -1}", "'splits.train'")
job("no share", "splits: {train: 0, test: 0, val: 0}", "'splits'")
job("a negative seed", "seed: -1", "'seed'")
job("a seed that is too large", "seed: 9223372036854775808", "'seed'")
job("a seed of 100,000 digits", "seed: 0x" + "f" * 100_000, "'seed'")
job("a truth value as a seed", "seed: true", "'seed'")
job("a text as a number", "samples: '14'", "'samples'")
job("a fraction as a number", "identities: 1.5", "'identities'")
job("no identity", "identities: 0", "'identities'")
job("one frame", "n_frames: 1", "'n_frames.0'")
job("no frames", "n_frames: 0", "'n_frames.0'")
job("no length", "n_frames: []", "'n_frames'")
job("frames as text", "n_frames: ten", "'n_frames.0'")
job("frames as a date", "n_frames: 2020-01-01", "'n_frames'")
job("too many frames", "n_frames: [5, 10000]", "'n_frames.1'")
job("a length twice", "n_frames: [5, 5]", "'n_frames'")
job("no resolution", "resolution: 0", "'resolution.0'")
job("a huge resolution", "resolution: [512, 100000]", "'resolution.1'")
job("a resolution as text", "resolution: large", "'resolution'")
job("three sides", "resolution: [64, 64, 64]", "'resolution'")
job("NaN as a resolution", "resolution: .nan", "'resolution'")
job("an unknown emotion", "emotions: [happy, smug]", "'smug'")
job("an emotion that is a path", "emotions: ['../..']", "'../..'")
job("an emotion twice", "emotions: [happy, happy]", "'emotions'")
job("no emotion", "emotions: []", "'emotions'")
job("an unknown device", "device: abacus", "'device'")
job("an unknown flow format", "flow_format: kitti", "'flow_format'")
job("a null character in a path", 'out: "a\\0b"', "'out'")
job("no path", "head: ''", "'head'")
job("a list as a path", "textures: [a]", "'textures'")
job("a preset that is missing", "scene: mine.yaml", "mine.yaml")
job("expressions that are missing", "expressions: mine.yaml", "mine.yaml")


@file("job: missing", "nowhere.yaml")
def _(folder: Path) -> list[str]:
    return ["render", str(folder / "nowhere.yaml")]


@file("job: a folder", "not a file")
def _(folder: Path) -> list[str]:
    return ["render", str(folder)]


@file("job: a pipe", "pipe.yaml: not a file")
def _(folder: Path) -> list[str]:
    os.mkfifo(folder / "pipe.yaml")
    return ["render", str(folder / "pipe.yaml")]


@file("job: its own field is at fault though an option overrides another", "job.yaml: field 'seed'")
def _(folder: Path) -> list[str]:
    (folder / "job.yaml").write_text("seed: -1")
    return ["render", str(folder / "job.yaml"), "--samples", "1"]


@file("job: an option is at fault, not the file", "command line: field 'seed'")
def _(folder: Path) -> list[str]:
    (folder / "job.yaml").write_text("seed: 1")
    return ["render", str(folder / "job.yaml"), "--seed", "-1"]


@file("expressions: one that the job asks for is not in the file", "frown")
def _(folder: Path) -> list[str]:
    (folder / "mine.yaml").write_text(
        "action_units: {AU12: {mouthSmile: 1}}\nexpressions: {grin: {units: {AU12: [1, 1]}}}"
    )
    (folder / "job.yaml").write_text("expressions: mine.yaml\nemotions: [frown]")
    return ["render", str(folder / "job.yaml")]


# Options. ---------------------------------------------------------------------------------------------------------

options("unknown", "--colour", names="--colour")
options("without a value", "--seed", names="--seed")
options("no number", "--seed", "x", names="--seed")
options("frames", "--n-frames", "5,x", names="--n-frames")
options("one frame", "--n-frames", "1", names="n_frames")
options("device", "--device", "abacus", names="--device")
options("no workers", "--workers", "0", names="workers")
options("too many workers", "--workers", "100000", names="workers")
options("no threads", "--threads", "0", names="threads")
options("emotion", "--emotion", "nosuch", names="nosuch")
options("no emotion", "--emotion", "", names="emotions")
options("resolution", "--resolution", "512x", names="resolution")
options("no samples", "--samples", "0", names="samples")
options("scene", "--scene", "nosuch", names="scene")
options("a scene elsewhere", "--scene", "../jobs/demo", names="scene")
options("head that is missing", "--head", "nosuch.pkl", names="nosuch.pkl")
options("head of another kind", "--head", "/etc/passwd", names="/etc/passwd")
options("head family", "--head-family", "flame1999", names="head_family")
options("params that are missing", "--params", "nosuch", names="nosuch")
options("textures that are missing", "--textures", "nosuch", names="nosuch")
options("backgrounds that are missing", "--backgrounds", "nosuch", names="nosuch")
options("no path", "--textures", "", names="textures")
options("two job files", "a.yaml", "b.yaml", names="b.yaml")
CASES.append(Case("an unknown command", lambda folder: ["rendre"], "rendre"))
CASES.append(Case("an unknown option of all", lambda folder: ["--fast"], "--fast"))


# Head models. -----------------------------------------------------------------------------------------------------


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch /tmp/ffngen-test-was-run",)


@file("head: a pickle with code", "bomb.pkl")
def _(folder: Path) -> list[str]:
    (folder / "bomb.pkl").write_bytes(pickle.dumps({"v_template": _Bomb()}))
    return ["render", "--head", str(folder / "bomb.pkl")]


@file("head info: a pickle with code", "bomb.pkl")
def _(folder: Path) -> list[str]:
    (folder / "bomb.pkl").write_bytes(pickle.dumps(_Bomb()))
    return ["head", "info", str(folder / "bomb.pkl")]


@file("head info: no pickle", "model.pkl")
def _(folder: Path) -> list[str]:
    (folder / "model.pkl").write_bytes(b"\x80\x05garbage")
    return ["head", "info", str(folder / "model.pkl")]


@file("head info: empty", "model.pkl")
def _(folder: Path) -> list[str]:
    (folder / "model.pkl").touch()
    return ["head", "info", str(folder / "model.pkl")]


@file("head info: missing", "nowhere.npz")
def _(folder: Path) -> list[str]:
    return ["head", "info", str(folder / "nowhere.npz")]


@file("head info: an empty folder", "holds no head model")
def _(folder: Path) -> list[str]:
    return ["head", "info", str(folder)]


@file("head info: a pipe", "model.npz: ")
def _(folder: Path) -> list[str]:
    os.mkfifo(folder / "model.npz")
    return ["head", "info", str(folder / "model.npz")]


def arrays() -> dict[str, np.ndarray]:
    """The smallest model in FLAME's form."""
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(20, 3))
    weights = rng.random((20, 5))
    return {
        "v_template": vertices,
        "f": np.array([[i, i + 1, i + 2] for i in range(18)], dtype=np.uint32),
        "shapedirs": rng.normal(size=(20, 3, 4)),
        "posedirs": rng.normal(size=(20, 3, 36)),
        "J_regressor": np.full((5, 20), 0.05),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.array([[-1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
        "shape_count": np.array(2),
    }


def model_case(name: str, change: Callable[[dict[str, np.ndarray]], object], names: str) -> None:
    """A model file with one fault, given to both commands."""

    def write(folder: Path) -> str:
        data = arrays()
        change(data)
        np.savez(folder / "flame2023.npz", **data)
        return str(folder / "flame2023.npz")

    CASES.append(Case(f"head info: {name}", lambda folder: ["head", "info", write(folder)], names))
    CASES.append(Case(f"head: {name}", lambda folder: ["render", "--head", write(folder)], names))


def _set(key: str, value: object) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda data: data.__setitem__(key, np.asarray(value))


model_case("NaN", lambda data: data["v_template"].__setitem__((3, 1), np.nan), "v_template")
model_case("wrong shape", _set("weights", np.ones((20, 6))), "weights")
model_case("a key missing", lambda data: data.pop("posedirs"), "posedirs")
model_case("faces out of range", _set("f", np.full((18, 3), 20)), "f")
model_case("objects", lambda data: data.__setitem__("v_template", np.array([{}], dtype=object)), "flame2023.npz: ")
model_case("text", _set("shapedirs", "x"), "shapedirs")


@file("head: a truncated .npz", "flame2023.npz")
def _(folder: Path) -> list[str]:
    path = folder / "flame2023.npz"
    np.savez(path, **arrays())
    path.write_bytes(path.read_bytes()[:1500])
    return ["render", "--head", str(path)]


@file("head: an archive that unpacks to far more", "flame2023.npz")
def _(folder: Path) -> list[str]:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 1 << 20)})
    with zipfile.ZipFile(folder / "flame2023.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v_template.npy", header.getvalue() + bytes(1 << 24))
    return ["render", "--head", str(folder / "flame2023.npz")]


# Parameters. ------------------------------------------------------------------------------------------------------


def emoca(folder: Path, **changed: np.ndarray) -> list[str]:
    """One EMOCA folder, with arrays of the wrong kind."""
    one = folder / "emoca" / "face00"
    one.mkdir(parents=True)
    for name, array in ({"shape": np.zeros(100), "exp": np.zeros(50), "pose": np.zeros(6)} | changed).items():
        np.save(one / f"{name}.npy", array)
    return ["render", "--params", str(folder / "emoca")]


@file("params: EMOCA's with the open head", "the head is open's")
def _(folder: Path) -> list[str]:
    return emoca(folder)


@file("params: wrong shape", "shape.npy")
def _(folder: Path) -> list[str]:
    return emoca(folder, shape=np.zeros(99))


@file("params: NaN", "exp.npy")
def _(folder: Path) -> list[str]:
    return emoca(folder, exp=np.full(50, np.nan))


@file("params: integers", "pose.npy")
def _(folder: Path) -> list[str]:
    return emoca(folder, pose=np.zeros(6, dtype=int))


@file("params: objects", "pose.npy")
def _(folder: Path) -> list[str]:
    return emoca(folder, pose=np.array([_Bomb()] * 6, dtype=object))


@file("params: truncated", "exp.npy")
def _(folder: Path) -> list[str]:
    arguments = emoca(folder)
    path = folder / "emoca" / "face00" / "exp.npy"
    path.write_bytes(path.read_bytes()[:-8])
    return arguments


@file("params: one of three missing", "pose.npy")
def _(folder: Path) -> list[str]:
    arguments = emoca(folder)
    (folder / "emoca" / "face00" / "pose.npy").unlink()
    return arguments


@file("params: an empty folder", "holds no parameters")
def _(folder: Path) -> list[str]:
    (folder / "empty").mkdir()
    return ["render", "--params", str(folder / "empty")]


@file("params: a file", "holds no parameters that are known")
def _(folder: Path) -> list[str]:
    (folder / "params").touch()
    return ["render", "--params", str(folder / "params")]


# Images. ----------------------------------------------------------------------------------------------------------


def images(option: str, name: str, content: bytes | Callable[[Path], object], names: str) -> None:
    """A folder with two good images and one that is not."""

    def make(folder: Path) -> list[str]:
        pictures = folder / "pictures"
        pictures.mkdir()
        for good in ("a.png", "z.jpg"):
            Image.new("RGB", (64, 64)).save(pictures / good)
        if isinstance(content, bytes):
            (pictures / "m.png").write_bytes(content)
        else:
            content(pictures / "m.png")
        return ["render", option, str(pictures)]

    CASES.append(Case(f"{option}: {name}", make, names))


for option in ("--textures", "--backgrounds"):
    images(option, "a text among images", b"this is no image", "m.png")
    images(option, "an empty file among images", b"", "m.png")
    images(option, "a folder among images", lambda path: path.mkdir(), "m.png")
    images(option, "a pipe among images", lambda path: os.mkfifo(path), "m.png")
    images(option, "a link to nowhere", lambda path: path.symlink_to("nowhere"), "m.png")
    images(option, "a tiny image", lambda path: Image.new("RGB", (8, 8)).save(path), "m.png")
    images(option, "a huge image", b"P6 20000 20000 255\n", "m.png")
images("--textures", "no square", lambda path: Image.new("RGB", (64, 128)).save(path), "m.png")


images("--textures", "a grey image", lambda path: Image.new("L", (64, 64)).save(path), "m.png")


@file("--textures: a model of no textures", "holds no model of textures")
def _(folder: Path) -> list[str]:
    np.savez(folder / "model.npz", betas=np.zeros(3))
    return ["render", "--textures", str(folder / "model.npz")]


@file("--textures: a text that is named as a model", "model.npz")
def _(folder: Path) -> list[str]:
    (folder / "model.npz").write_text("text")
    return ["render", "--textures", str(folder / "model.npz")]


@file("--backgrounds: an empty folder", "holds no image")
def _(folder: Path) -> list[str]:
    (folder / "none").mkdir()
    return ["render", "--backgrounds", str(folder / "none")]


@file("--textures: a file", "is a file")
def _(folder: Path) -> list[str]:
    (folder / "one.png").touch()
    return ["render", "--textures", str(folder / "one.png")]


# Scene presets. ---------------------------------------------------------------------------------------------------


def preset(name: str, text: str, names: str) -> None:
    def make(folder: Path) -> list[str]:
        (folder / "mine.yaml").write_text(text)
        return ["render", "--scene", str(folder / "mine.yaml")]

    CASES.append(Case(f"scene: {name}", make, names))


preset("empty", "", "'camera'")
preset("neither lens nor distance", "camera: {}", "focal_length_mm or distance")
preset("lens and distance", "camera: {focal_length_mm: 50, distance: 1}", "focal_length_mm or distance")
preset("a range that runs backwards", "camera: {focal_length_mm: [80, 50]}", "[low, high]")
preset("a light's range that runs backwards", "camera: {distance: 1}\nlighting: {strength: [2, 1]}", "[low, high]")
preset(
    "a view that runs backwards", "camera: {distance: 1}\nbackground: {field_of_view_degrees: [90, 50]}", "[low, high]"
)
preset("NaN", "camera: {focal_length_mm: .nan}", "focal_length_mm")
preset("infinity", "camera: {distance: [1, .inf]}", "distance")
preset("out of range", "camera: {focal_length_mm: 1}", "focal_length_mm")
preset("three ends", "camera: {focal_length_mm: [1, 2, 3]}", "focal_length_mm")
preset("an unknown HDRI", "camera: {distance: 1}\nlighting: {hdris: [moon]}", "lighting.hdris")
preset("an unknown field", "camera: {distance: 1, zoom: 2}", "camera.zoom")


# The tests. -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_line_and_nothing_written(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    arguments = case.make(inputs)
    result = run(arguments)
    check(result, case.names)
    # The same without --dry-run, which must find it before anything is written.
    check(run(arguments, dry=False), case.names)
    assert [path.name for path in tmp_path.iterdir()] == ["inputs"]
    assert not Path("/tmp/ffngen-test-was-run").exists()


def check(result: Result, names: str) -> None:
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 2, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("ffngen: ")
    assert names in lines[0]
    assert len(lines[0]) < 1000
    assert result.stdout == ""


def test_number_of_cases() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


# Output folders and datasets. -------------------------------------------------------------------------------------


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"holiday.jpg": b"x"}, "'holiday.jpg'"),
        ({".hidden": b"x"}, "'.hidden'"),
        ({"dataset.json": b"", "x": b"x"}, "dataset.json: is damaged"),
        ({"dataset.json": b"{"}, "dataset.json: is damaged"),
        ({"dataset.json": b"[]"}, "dataset.json: is damaged"),
        ({"dataset.json": b"\xff\xfe"}, "dataset.json: is damaged"),
        ({"dataset.json": b"[" * 100_000}, "dataset.json: is damaged"),
        ({"dataset.json": b'{"digest": 1}'}, "'digest'"),
        ({"dataset.json": b'{"digest": "x", "identities": "1", "n_frames": [2], "job": {}}'}, "'identities'"),
        ({"dataset.json": b'{"digest": "x", "identities": 1, "n_frames": 2, "job": {}}'}, "'n_frames'"),
        ({"dataset.json": b'{"digest": "x", "identities": 1, "n_frames": [2], "job": []}'}, "'job'"),
        ({"dataset.json": b'{"digest": "x", "identities": 1, "n_frames": [2], "job": {}}'}, "another job"),
        ({"dataset.json": b'{"format_version": 2, "digest": "x"}'}, "'format_version'"),
        ({"dataset.json": b" " * (5 << 20)}, "dataset.json: 5242880 bytes"),
    ],
)
def test_output_folder_of_something_else(content: dict[str, bytes], names: str, tmp_path: Path) -> None:
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    before = snapshot(tmp_path)
    for dry in (True, False):
        check(run(["render", "--out", str(tmp_path)], dry=dry), names)
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize("option", [[], ["--overwrite"]])
def test_overwrite_spares_what_is_no_dataset(option: list[str], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    check(run(["render", "--out", str(tmp_path), *option], dry=False), "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_output_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    check(run(["render", "--out", str(tmp_path / "out")], dry=False), "is a file")
    check(run(["render", "--out", str(tmp_path / "out" / "below")], dry=False), "out")
    assert (tmp_path / "out").read_text() == "x"


def test_output_folder_that_cannot_be_made() -> None:
    # Nobody, not even root, makes folders in /proc.
    check(run(["render", "--out", "/proc/ffngen"], dry=False), "/proc/ffngen")


def test_output_name_too_long(tmp_path: Path) -> None:
    check(run(["render", "--out", str(tmp_path / ("x" * 300))], dry=False), "File name too long")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_output_folder_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    check(run(["render", "--out", str(tmp_path)], dry=False), str(tmp_path))
    check(run(["render", "--out", str(tmp_path / "new")], dry=False), str(tmp_path))


@pytest.mark.bpy
@pytest.mark.parametrize("option", [[], ["--overwrite"]])
def test_device_that_is_absent(option: list[str], tmp_path: Path) -> None:
    """The dataset that is there is not deleted for a run that cannot begin."""
    out = tmp_path / "out"
    arguments = ["render", "--device", "metal", "--out", str(out), *option]
    check(run(arguments, dry=False), "no metal device")
    assert not out.exists()
    if option:
        out.mkdir()
        (out / "dataset.json").write_text('{"digest": "x"}')
        (out / "image").mkdir()
        (out / "image" / "precious.jpg").write_text("x")
        before = snapshot(out)
        check(run(arguments, dry=False), "no metal device")
        assert snapshot(out) == before


def test_blend_file_in_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    check(
        run(["render", "--out", str(out), "--save-blend", str(tmp_path / "no" / "x.blend")], dry=False), "--save-blend"
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["verify", "{}/nowhere"], "nowhere: no such folder"),
        (["verify", "{}"], "no dataset.json"),
        (["verify", "{}", "--sample", "0"], "--sample"),
        (["verify", "{}", "--seed", "-1"], "--seed"),
        (["verify"], "DATASET"),
        (["verify", "{}/file"], "file: no such folder"),
    ],
)
def test_verify(arguments: list[str], names: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check(CliRunner().invoke(main, [argument.format(tmp_path) for argument in arguments]), names)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: "{",
        lambda data: "[" * 100_000,
        lambda data: data | {"n_frames": 1e400},
        lambda data: data | {"camera": {}},
        lambda data: data | {"camera": data["camera"] | {"width": float("inf")}},
        lambda data: data | {"camera": data["camera"] | {"width": 10**400}},
        lambda data: data | {"camera": data["camera"] | {"K": [[10**400] * 3] * 3}},
        lambda data: data | {"camera": data["camera"] | {"K": [[100, 0, 0], [0, 100, 0], [0, 0, 0]]}},
        lambda data: data | {"camera": data["camera"] | {"T_world_cam": [[0] * 4] * 4}},
        lambda data: data | {"files": {"../../etc/passwd": {"bytes": 1, "sha256": "0" * 64}}},
        lambda data: data | {"sequence": "../x"},
        lambda data: data | {"background_depth": float("nan")},
    ],
)
def test_verify_reports_damaged_metadata(change: Callable[[dict], object], tmp_path: Path) -> None:
    """Exit code 1, for the dataset is at fault and not the command; never a traceback."""
    (tmp_path / "dataset.json").write_text("{}")
    folder = tmp_path / "metadata" / "train" / "happy" / "a_e0_n2"
    folder.mkdir(parents=True)
    changed = change(metadata())
    (folder / "metadata.json").write_text(changed if isinstance(changed, str) else json.dumps(changed))
    result = CliRunner().invoke(main, ["verify", str(tmp_path)])
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert "a_e0_n2" in result.stdout


def metadata() -> dict:
    """A sequence's metadata that is in order, though its files are not there."""
    return {
        "format_version": 1,
        "sequence": "a_e0_n2",
        "split": "train",
        "emotion": "happy",
        "identity": "a",
        "n_frames": 2,
        "include_neutral": False,
        "motion_scale": 0.5,
        "job_digest": "x",
        "seeds": {"job": 0},
        "parameters": {"betas": [0.0], "expression": [0.0], "pose": [0.0] * 15, "family": "open", "source": "x"},
        "model": {"family": "open", "version": "1", "digest": "x"},
        "camera": {
            "K": [[100, 0, 31.5], [0, 100, 31.5], [0, 0, 1]],
            "T_world_cam": np.eye(4).tolist(),
            "width": 64,
            "height": 64,
        },
        "background_depth": 1.0,
        "flow_format": "flo",
        "image_format": "jpg",
        "scene": {},
        "versions": {"ffngen": "0", "blender": "0"},
        "files": {},
    }


def test_the_metadata_that_is_damaged_was_in_order(tmp_path: Path) -> None:
    from ffngen.dataset.metadata import SequenceMetadata

    SequenceMetadata.model_validate_json(json.dumps(metadata()))


@pytest.mark.parametrize("name", ["a[/b]c", "a[b]c", "a\\[b"])
def test_names_that_look_like_markup(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a terminal's markup would make of a folder's name must not matter."""
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / name / "metadata" / "train" / "happy" / "x").mkdir(parents=True)
    (tmp_path / name / "dataset.json").write_text("{}")
    result = CliRunner().invoke(main, ["verify", str(tmp_path / name)])
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert name in result.stdout
