"""``ffngen head fetch-flame``: what it says of folders that are empty, half full, full and damaged."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ffngen.cli import main
from ffngen.head import fetch_flame

VERTICES, FACES = 12, 10
PAGE = "https://flame.is.tue.mpg.de/download.php"


def arrays() -> dict[str, Any]:
    """A model in FLAME's schema with FLAME's own 400 components, but few vertices."""
    rng = np.random.default_rng(0)
    return {
        "v_template": rng.normal(size=(VERTICES, 3)),
        "f": rng.integers(0, VERTICES, size=(FACES, 3)).astype(np.uint32),
        "shapedirs": rng.normal(size=(VERTICES, 3, 400)),
        "posedirs": rng.normal(size=(VERTICES, 3, 36)),
        "J_regressor": np.full((5, VERTICES), 1.0 / VERTICES),
        "weights": np.full((VERTICES, 5), 0.2),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], dtype=np.uint32),
    }


def fill(folder: Path, model: str = "FLAME_NEUTRAL.npz") -> Path:
    """All that a version needs; returns the model."""
    folder.mkdir(parents=True)
    path = folder / model
    if path.suffix == ".npz":
        np.savez(path, **arrays())
    else:
        path.write_bytes(pickle.dumps(arrays(), protocol=2))
    corners = "\n".join(f"f {a + 1}/1 {b + 1}/2 {c + 1}/3" for a, b, c in arrays()["f"].astype(int))
    (folder / "head_template.obj").write_text(f"vt 0 0\nvt 0 1\nvt 1 1\n{corners}\n")
    embedding = {"lmk_face_idx": np.zeros(51, np.uint32), "lmk_b_coords": np.full((51, 3), 1 / 3)}
    (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(embedding, protocol=2))
    return path


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(main, ["head", "fetch-flame", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    return done


def report(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = run("--json", *arguments)
    return done.exit_code, json.loads(done.output)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may reach the network."""

    def refuse(*arguments: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_an_empty_folder_is_told_everything(tmp_path: Path) -> None:
    done = run("--dir", tmp_path / "flame")
    assert done.exit_code == 1
    for words in (
        "Register at https://flame.is.tue.mpg.de",
        PAGE,
        *("FLAME2020.zip", "FLAME2023.zip", "FLAME2023Open.zip", "CC-BY-4.0", "non-commercial"),
        *("generic_model.pkl", "flame2023.pkl", "flame2023_Open.pkl"),
        *("head_template.obj", "flame_static_embedding.pkl", "l_eyelid.npy", "optional"),
        str(tmp_path / "flame" / "flame2020"),
    ):
        assert words in done.output, words
    assert not (tmp_path / "flame").exists()


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(Path("flame/flame2023"))
    assert run().exit_code == 0


@pytest.mark.parametrize(
    ("family", "model"),
    [
        ("flame2020", "generic_model.pkl"),
        ("flame2020", "FLAME_NEUTRAL.npz"),
        ("flame2023", "flame2023.pkl"),
        ("flame2023", "FLAME_NEUTRAL.pkl"),
        ("flame2023_open", "flame2023_Open.pkl"),
    ],
)
def test_a_complete_version(family: str, model: str, tmp_path: Path) -> None:
    path = fill(tmp_path / family, model)
    code, found = report("--dir", tmp_path)
    assert code == 0
    assert found["complete"] is True
    (version,) = found["versions"]
    assert (version["family"], version["page"], version["folder"]) == (family, PAGE, str(tmp_path / family))
    states = {Path(file["path"]).name: file for file in version["files"]}
    first = states[model]
    assert first["state"] == "present"
    assert first["arrays"]["shapedirs"] == [VERTICES, 3, 400]
    assert first["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert states["head_template.obj"]["arrays"] == {"vt": [3, 2], "f": [FACES, 3]}
    assert states["flame_static_embedding.pkl"]["arrays"] == {"lmk_face_idx": [51], "lmk_b_coords": [51, 3]}
    assert states["l_eyelid.npy"]["state"] == "missing"
    assert not states["l_eyelid.npy"]["required"]
    assert "complete" in run("--dir", tmp_path).output


def test_digests_are_compared_only_where_they_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fill(tmp_path / "flame2020", "generic_model.pkl")
    # A file of another digest than FLAME's is read and said to be another one.
    done = run("--dir", tmp_path)
    assert done.exit_code == 0
    assert "not the published file, whose digest is known" in done.output
    assert "digest not known, printed for your record" in done.output
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(fetch_flame.KNOWN_SHA256, ("flame2020", "generic_model.pkl"), digest)
    assert "(the published file)" in run("--dir", tmp_path).output


def test_known_digests_are_digests() -> None:
    for digest in fetch_flame.KNOWN_SHA256.values():
        assert len(bytes.fromhex(digest)) == 32


def test_other_forms_of_texture_coordinates_and_eyelids(tmp_path: Path) -> None:
    folder = tmp_path / "flame2023"
    fill(folder)
    (folder / "head_template.obj").unlink()
    np.save(folder / "flame_vt.npy", np.zeros((5, 2)))
    np.save(folder / "flame_ft.npy", np.zeros((FACES, 3), int))
    for name in ("l_eyelid.npy", "r_eyelid.npy"):
        np.save(folder / name, np.zeros((VERTICES, 3)))
    code, found = report("--dir", tmp_path)
    assert code == 0
    shapes = {Path(file["path"]).name: file["arrays"] for file in found["versions"][0]["files"]}
    assert shapes["flame_vt.npy"] == {"vt": [5, 2], "ft": [FACES, 3]}
    assert shapes["r_eyelid.npy"] == {"array": [VERTICES, 3]}


@pytest.mark.parametrize("name", ["FLAME_NEUTRAL.npz", "head_template.obj", "flame_static_embedding.pkl"])
def test_one_missing_file(name: str, tmp_path: Path) -> None:
    fill(tmp_path / "flame2020")
    (tmp_path / "flame2020" / name).unlink()
    code, found = report("--dir", tmp_path)
    assert code == 1
    states = [file["state"] for file in found["versions"][0]["files"] if file["required"]]
    assert sorted(states) == ["missing", "present", "present"]


def test_a_version_that_was_asked_for_is_missing(tmp_path: Path) -> None:
    fill(tmp_path / "flame2020")
    assert report("--dir", tmp_path)[0] == 0
    code, found = report("--dir", tmp_path, "--family", "flame2020", "--family", "flame2023")
    assert code == 1
    assert [version["complete"] for version in found["versions"]] == [True, False]
    assert run("--dir", tmp_path, "--family", "flame1999").exit_code == 2


def test_an_archive_that_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "FLAME2020.zip").write_bytes(b"PK")
    done = run("--dir", tmp_path)
    assert done.exit_code == 1
    assert "FLAME2020.zip is there: unpack it into the folder" in done.output
    assert "FLAME2023" not in done.output


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch hacked",)


def _without_weights(folder: Path) -> None:
    spoilt = arrays()
    del spoilt["weights"]
    np.savez(folder / "FLAME_NEUTRAL.npz", **spoilt)


def _of_nan(folder: Path) -> None:
    np.savez(folder / "FLAME_NEUTRAL.npz", **{**arrays(), "v_template": np.full((VERTICES, 3), np.nan)})


#: what damages a complete FLAME 2020 -> a part of what is said.
DAMAGE: dict[str, tuple[Any, str]] = {
    "an empty model": (lambda f: (f / "FLAME_NEUTRAL.npz").write_bytes(b""), "not a readable .npz file"),
    "a cut model": (lambda f: os.truncate(f / "FLAME_NEUTRAL.npz", 2000), "not a readable .npz file"),
    "a model without weights": (_without_weights, "has no weights"),
    "a model of NaN": (_of_nan, "not finite"),
    "code for a model": (
        lambda f: ((f / "FLAME_NEUTRAL.npz").unlink(), (f / "generic_model.pkl").write_bytes(pickle.dumps(_Code()))),
        "the pickle asks for",
    ),
    "code for an embedding": (
        lambda f: (f / "flame_static_embedding.pkl").write_bytes(pickle.dumps(_Code())),
        "the pickle asks for",
    ),
    "an embedding of another kind": (
        lambda f: (f / "flame_static_embedding.pkl").write_bytes(pickle.dumps({"a": 1})),
        "has no lmk_face_idx, lmk_b_coords",
    ),
    "a template that is no mesh": (lambda f: (f / "head_template.obj").write_text("f x\n"), "not an .obj file"),
    "a folder for a model": (
        lambda f: ((f / "FLAME_NEUTRAL.npz").unlink(), (f / "FLAME_NEUTRAL.npz").mkdir()),
        "there is no such file",
    ),
    "a pipe for a template": (
        lambda f: ((f / "head_template.obj").unlink(), os.mkfifo(f / "head_template.obj")),
        "there is no such file",
    ),
    "one lid": (lambda f: np.save(f / "l_eyelid.npy", np.zeros((VERTICES, 3))), "missing right eyelid"),
    "a damaged lid": (
        lambda f: [(f / f"{side}_eyelid.npy").write_bytes(b"\x00") for side in "lr"],
        "not a readable .npy file",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_said_and_runs_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    damage, words = DAMAGE[name]
    fill(tmp_path / "flame2020")
    damage(tmp_path / "flame2020")
    done = run("--dir", tmp_path)
    assert done.exit_code == 1
    assert words in done.output
    assert report("--dir", tmp_path)[0] == 1
    assert not Path("hacked").exists()


def test_a_model_named_after_another_version(tmp_path: Path) -> None:
    fill(tmp_path / "flame2023", "flame2023.pkl")
    (tmp_path / "flame2023").rename(tmp_path / "flame2020")
    (tmp_path / "flame2020" / "flame2023.pkl").rename(tmp_path / "flame2020" / "female_model.pkl")
    assert run("--dir", tmp_path).exit_code == 0
    (tmp_path / "flame2020").rename(tmp_path / "flame2023")
    (tmp_path / "flame2023" / "female_model.pkl").rename(tmp_path / "flame2023" / "generic_model.pkl")
    done = run("--dir", tmp_path)
    assert done.exit_code == 1
    assert "missing head model" in done.output


def test_names_with_control_codes_are_not_printed(tmp_path: Path) -> None:
    fill(tmp_path / "a\x1b[2Jb" / "flame2020")
    done = run("--dir", tmp_path / "a\x1b[2Jb")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
