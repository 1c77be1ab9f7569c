"""EMOCA folders, whole and damaged, through the reader that knows them by content."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import InputFileError
from ffngen.params.read import read_parameter_sets


def write_codes(folder: Path, seed: int = 0, *, row: bool = False) -> dict[str, np.ndarray]:
    """What EMOCA saves for one image."""
    rng = np.random.default_rng(seed)
    sizes = {"shape": 100, "exp": 50, "pose": 6, "tex": 50, "detail": 128}
    codes = {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    folder.mkdir(parents=True)
    for name, code in codes.items():
        np.save(folder / f"{name}.npy", code[None] if row else code)
    return codes


@pytest.mark.parametrize("row", [False, True])
def test_one_folder(tmp_path: Path, row: bool) -> None:
    codes = write_codes(tmp_path / "face00", row=row)
    (parameters,) = read_parameter_sets(tmp_path / "face00")
    np.testing.assert_array_equal(parameters.betas, codes["shape"])
    np.testing.assert_array_equal(parameters.expression, codes["exp"])
    np.testing.assert_array_equal(parameters.pose[:3], codes["pose"][:3])
    np.testing.assert_array_equal(parameters.pose[6:9], codes["pose"][3:])
    assert not parameters.pose[3:6].any()
    assert not parameters.pose[9:].any()
    assert parameters.family == "flame2020"
    assert parameters.identity == "face00"
    assert parameters.emotion == "none"
    assert parameters.source == str(tmp_path / "face00")


def test_texture_and_detail_codes_are_not_needed(tmp_path: Path) -> None:
    codes = write_codes(tmp_path / "face00")
    (tmp_path / "face00" / "detail.npy").write_bytes(b"damaged")
    (parameters,) = read_parameter_sets(tmp_path)
    np.testing.assert_array_equal(parameters.texture, codes["tex"])
    for name in ("tex.npy", "detail.npy"):
        (tmp_path / "face00" / name).unlink()
    assert read_parameter_sets(tmp_path)[0].texture is None
    (tmp_path / "face00" / "tex.npy").write_bytes(b"damaged")
    with pytest.raises(InputFileError, match=r"tex\.npy"):
        read_parameter_sets(tmp_path)


def test_many_folders_are_found_in_a_fixed_order(tmp_path: Path) -> None:
    places = ["happy/EMOCA_v2/b00", "happy/EMOCA_v2/a00", "Sad/c00", "other/sad_people/d00", "e00"]
    for seed, place in enumerate(places):
        write_codes(tmp_path / place, seed)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "shape.txt").write_text("not a code")
    sets = read_parameter_sets(tmp_path)
    assert [s.identity for s in sets] == sorted(places)
    emotions = {s.identity: s.emotion for s in sets}
    assert emotions == dict(zip(places, ["happy", "happy", "sad", "none", "none"], strict=True))
    again = read_parameter_sets(str(tmp_path))
    assert [s.betas.tobytes() for s in again] == [s.betas.tobytes() for s in sets]
    assert len({s.source for s in sets}) == len(places)


def test_emotion_from_the_folder_that_was_given_or_the_one_above(tmp_path: Path) -> None:
    write_codes(tmp_path / "fear" / "a00")
    assert read_parameter_sets(tmp_path / "fear")[0].emotion == "fear"
    assert read_parameter_sets(tmp_path / "fear" / "a00")[0].emotion == "fear"


def test_nearest_emotion_wins_and_nothing_above_the_folder_counts(tmp_path: Path) -> None:
    write_codes(tmp_path / "happy" / "mine" / "sad" / "a00")
    write_codes(tmp_path / "happy" / "mine" / "b00")
    assert [s.emotion for s in read_parameter_sets(tmp_path / "happy" / "mine")] == ["none", "sad"]


def test_frames_of_one_video_are_one_identity(tmp_path: Path) -> None:
    for frame in range(3):
        write_codes(tmp_path / "clip" / f"{frame:06d}_000", frame)
    sets = read_parameter_sets(tmp_path)
    assert [s.identity for s in sets] == ["clip"] * 3
    assert [Path(s.source).name for s in sets] == ["000000_000", "000001_000", "000002_000"]
    assert {s.identity for s in read_parameter_sets(tmp_path / "clip")} == {"clip"}
    assert read_parameter_sets(tmp_path / "clip" / "000001_000")[0].identity == "clip"


def test_links_inside_the_folder_add_nothing(tmp_path: Path) -> None:
    write_codes(tmp_path / "set" / "a00")
    (tmp_path / "set" / "again").symlink_to("a00", target_is_directory=True)
    (tmp_path / "set" / "round").symlink_to(".", target_is_directory=True)
    assert [s.identity for s in read_parameter_sets(tmp_path / "set")] == ["a00"]


def test_links_that_have_no_codes_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "image.jpg").write_bytes(b"")
    write_codes(tmp_path / "set" / "a00")
    (tmp_path / "set" / "a00" / "input.jpg").symlink_to(tmp_path / "image.jpg")
    assert len(read_parameter_sets(tmp_path / "set")) == 1


def test_folder_given_through_a_link(tmp_path: Path) -> None:
    write_codes(tmp_path / "real" / "a00")
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    assert [s.identity for s in read_parameter_sets(tmp_path / "link")] == ["a00"]


def test_name_that_is_not_unicode(tmp_path: Path) -> None:
    write_codes(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe900")))
    (parameters,) = read_parameter_sets(tmp_path)
    assert parameters.identity == "caf\\xe900"
    (parameters.identity + parameters.source).encode()


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode()


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("echo ran > ran",)


def save(name: str, array: object) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, np.asarray(array), allow_pickle=True)


def put(name: str, content: bytes) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return fault


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def instead(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return fault


def truncated(folder: Path) -> None:
    (folder / "exp.npy").write_bytes((folder / "exp.npy").read_bytes()[:-1])


def spoilt(value: float) -> np.ndarray:
    array = np.zeros(50, np.float32)
    array[7] = value
    return array


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no shape": (remove("shape.npy"), "no shape.npy"),
    "no exp": (remove("exp.npy"), "no exp.npy"),
    "no pose": (remove("pose.npy"), "no pose.npy"),
    "empty file": (put("exp.npy", b""), "exp.npy"),
    "not npy": (put("exp.npy", b"hello, this is text" * 20), "exp.npy"),
    "truncated": (truncated, "truncated"),
    "too many": (save("exp.npy", np.zeros(100, np.float32)), "not (50,)"),
    "too few": (save("shape.npy", np.zeros(99, np.float32)), "not (100,)"),
    "batch": (save("pose.npy", np.zeros((2, 6), np.float32)), "not (6,)"),
    "column": (save("pose.npy", np.zeros((6, 1), np.float32)), "not (6,)"),
    "scalar": (save("pose.npy", np.float32(1)), "not (6,)"),
    "integers": (save("exp.npy", np.zeros(50, np.int64)), "not floats"),
    "complex": (save("exp.npy", np.zeros(50, np.complex64)), "exp.npy"),
    "text": (save("exp.npy", np.array(["a"] * 50)), "not floats"),
    "objects": (save("exp.npy", np.array([Bomb()] * 50, dtype=object)), "exp.npy"),
    "NaN": (save("exp.npy", spoilt(np.nan)), "value 7 is nan"),
    "infinite": (save("exp.npy", spoilt(-np.inf)), "value 7 is -inf"),
    "huge": (save("exp.npy", spoilt(1e30)), "value 7 is 1e+30"),
    "claims 8 EB": (put("exp.npy", header("{'descr':'<f8','fortran_order':False,'shape':(10**18,)}")), "exp.npy"),
    "claims 8 EB plainly": (
        put("exp.npy", header("{'descr':'<f8','fortran_order':False,'shape':(1000000000000000000,)}")),
        "truncated",
    ),
    "negative": (put("exp.npy", header("{'descr':'<f8','fortran_order':False,'shape':(-50,)}")), "negative"),
    "nested header": (put("exp.npy", header("(" * 5000)), "exp.npy"),
    "bad descr": (put("exp.npy", header("{'descr':7,'fortran_order':False,'shape':(50,)}")), "exp.npy"),
    "bad version": (put("exp.npy", header("{}", b"\x09\x00")), "exp.npy"),
    "large": (put("exp.npy", b"\0" * 100_000), "100000 bytes"),
    "folder": (instead("exp.npy", Path.mkdir), "exp.npy"),
    "pipe": (instead("exp.npy", os.mkfifo), "exp.npy"),
    "link to nowhere": (instead("exp.npy", lambda path: path.symlink_to("gone.npy")), "leads nowhere"),
    "link to itself": (instead("exp.npy", lambda path: path.symlink_to("exp.npy")), "leads nowhere"),
    "link out": (instead("exp.npy", lambda path: path.symlink_to("/etc/hostname")), "leads out of the folder"),
    "folder link out": (lambda folder: (folder.parent / "x").symlink_to("/etc"), "leads out of the folder"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("error")
def test_damaged_folder_is_one_line_that_names_it(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    damage, said = FAULTS[fault]
    write_codes(tmp_path / "set" / "a00")
    write_codes(tmp_path / "set" / "b00")
    assert len(read_parameter_sets(tmp_path / "set")) == 2
    damage(tmp_path / "set" / "b00")
    with pytest.raises(InputFileError) as caught:
        read_parameter_sets(tmp_path / "set")
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "set"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not (tmp_path / "ran").exists()


def test_path_that_holds_nothing_known(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    for path, said in (
        (tmp_path, "holds no parameters"),
        (tmp_path / "gone", "is missing"),
        (tmp_path / "readme.txt", "holds no parameters that are known"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(InputFileError, match=said) as caught:
            read_parameter_sets(path)
        assert "EMOCA folders (shape.npy, exp.npy, pose.npy)" in str(caught.value)
        assert "\n" not in str(caught.value)
