"""train, eval and predict with input that is at fault: one line that names it, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from ffngen.cli import main
from ffngen.models import build, save


class Code:
    """A pickle that would run a program."""

    def __reduce__(self):
        return os.system, ("touch hacked",)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def refused(done: Result, words: str) -> None:
    assert done.exit_code == 2, done.output
    assert words in done.output
    # A training says what it is about to do before it meets a fault in a file.
    assert [line for line in done.output.splitlines() if "pairs of" not in line] == [done.output.splitlines()[-1]]
    assert "Traceback" not in done.output
    assert not Path("hacked").exists()


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def raft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "raft.safetensors"
    save(build("raft"), path)
    return path


@pytest.fixture
def spoilt(made_dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_dataset, tmp_path / "data"))


# Checkpoints. -----------------------------------------------------------------------------------------------------


def code_in_a_pickle(raft: Path) -> Path:
    torch.save({"state_dict": Code()}, "c.pth")
    return Path("c.pth")


def plain_pickle(raft: Path) -> Path:
    Path("c.pth").write_bytes(pickle.dumps(Code()))
    return Path("c.pth")


def wrong_keys(raft: Path) -> Path:
    weights = torch.load(_as_pth(raft), weights_only=True)
    torch.save({name.replace("fnet", "net"): tensor for name, tensor in weights.items()}, "c.pth")
    return Path("c.pth")


def wrong_shape(raft: Path) -> Path:
    weights = torch.load(_as_pth(raft), weights_only=True)
    weights["fnet.conv1.weight"] = torch.zeros(64, 3, 3, 3)
    torch.save(weights, "c.pth")
    return Path("c.pth")


def not_finite(raft: Path) -> Path:
    weights = torch.load(_as_pth(raft), weights_only=True)
    weights["fnet.conv1.bias"][3] = torch.nan
    torch.save(weights, "c.pth")
    return Path("c.pth")


def half_a_file(raft: Path) -> Path:
    shutil.copy(raft.with_suffix(".json"), "c.json")
    Path("c.safetensors").write_bytes(raft.read_bytes()[: 10**6])
    return Path("c.safetensors")


def without_its_config(raft: Path) -> Path:
    shutil.copy(raft, "c.safetensors")
    return Path("c.safetensors")


def another_config(raft: Path) -> Path:
    shutil.copy(raft, "c.safetensors")
    config = json.loads(raft.with_suffix(".json").read_text())
    Path("c.json").write_text(json.dumps({**config, "network": "skflow"}))
    return Path("c.safetensors")


def _as_pth(raft: Path) -> Path:
    from safetensors.torch import load_file

    torch.save(load_file(raft), "raft.pth")
    return Path("raft.pth")


CHECKPOINTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "code": (code_in_a_pickle, "asks for more than tensors"),
    "plain pickle": (plain_pickle, "not a PyTorch file"),
    "wrong keys": (wrong_keys, "not the weights of raft"),
    "wrong shape": (wrong_shape, "fnet.conv1.weight has the shape (64, 3, 3, 3)"),
    "not finite": (not_finite, "not finite"),
    "half a file": (half_a_file, "not a readable safetensors file"),
    "no config": (without_its_config, "c.json: cannot be read"),
    "another config": (another_config, "not the weights of skflow"),
    "missing": (lambda raft: Path("gone.pth"), "gone.pth: cannot be read"),
    "a folder": (lambda raft: Path.cwd() / "folder.pth", "cannot be read"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints(name: str, raft: Path, made_dataset: Path) -> None:
    make, words = CHECKPOINTS[name]
    path = make(raft)
    refused(run("eval", made_dataset, "--checkpoint", path), words)
    image = Image.new("RGB", (70, 66))
    image.save("a.png")
    refused(run("predict", "a.png", "a.png", "--checkpoint", path, "--out", "flow"), words)
    assert not Path("flow").exists()
    refused(run("train", made_dataset, "raft", "--start-from", path, "--out", "run", "--workers", 0), words)
    assert not Path("run").exists()


# Datasets. --------------------------------------------------------------------------------------------------------


def missing_flow(root: Path) -> None:
    for path in root.glob("flow/facial/*/*/*/0001.flo"):
        path.unlink()


def truncated_flow(root: Path) -> None:
    for path in root.glob("flow/head/*/*/*/*.flo"):
        path.write_bytes(path.read_bytes()[:999])


def small_mask(root: Path) -> None:
    from ffngen.dataset.arrays import encode_mask

    for path in root.glob("mask/*/*/*/*.npy"):
        path.write_bytes(encode_mask(np.ones((9, 9), np.uint8)))


def other_image(root: Path) -> None:
    for path in root.glob("image/facial/*/*/*/0002.png"):
        Image.new("RGB", (33, 20)).save(path)


def no_image(root: Path) -> None:
    for path in root.glob("image/facial/*/*/*/*.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")


DATASETS = {
    "missing flow": (missing_flow, "0001.flo: cannot be read"),
    "truncated flow": (truncated_flow, "truncated"),
    "small mask": (small_mask, "9"),
    "another image": (other_image, "33"),
    "no image": (no_image, "not an image"),
}


@pytest.mark.parametrize("name", DATASETS)
def test_datasets(name: str, spoilt: Path) -> None:
    spoil, words = DATASETS[name]
    spoil(spoilt)
    refused(run("eval", spoilt, "--model", "dis"), words)
    tiny = ("--steps", 9, "--crop", 64, "--iterations", 1, "--batch-size", 2, "--accelerator", "cpu")
    refused(run("train", spoilt, "raft", *tiny, "--workers", 1, "--out", "run"), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "nowhere"), "nowhere: no such folder"),
        (("train", "."), "not an ffngen dataset"),
        (("train", "DATA", "nothing"), "no training preset 'nothing'"),
        (("train", "DATA", "nothing.yaml"), "nothing.yaml: cannot be read"),
        (("train", "DATA", "--crop", "wide"), "'wide' is not WIDTHxHEIGHT"),
        (("train", "DATA", "--steps", "0"), "field 'steps'"),
        (("train", "DATA", "gma", "--mode", "paper"), "gma has one stage"),
        (("train", "DATA", "gma", "--stage", "2"), "no stage 2"),
        (("train", "DATA", "--encoder-source", "imagenet"), "go together"),
        (("train", "DATA", "--encoder-weights", "x.pth", "--encoder-source", "imagenet"), "x.pth: cannot be read"),
        (("train", "DATA", "--accelerator", "cuda"), "these devices cannot be used"),
        (("eval", "nowhere", "--model", "zero"), "nowhere: no such folder"),
        (("eval", "DATA"), "nothing to measure"),
        (("eval", "DATA", "--model", "raft9"), "unknown estimator 'raft9'"),
        (("eval", "DATA", "--model", "dis", "--model", "dis"), "named twice"),
        (("eval", "DATA", "--model", "ptlflow:nothing"), "ptlflow"),
        (("predict", "gone.png", "gone.png", "--model", "dis"), "gone.png: no such file"),
        (("predict", "gone.png"), "name a --checkpoint"),
    ],
)
def test_arguments(arguments: tuple[str, ...], words: str, made_dataset: Path) -> None:
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    refused(run(*(made_dataset if part == "DATA" else part for part in arguments)), words)
