import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ffngen.errors import InputFileError
from ffngen.models import DecFlow, FlowNetwork, build, load, load_network, save, start_from

NAMES = ("raft", "gma", "skflow", "srflownet", "decflow")


def _same_weights(one: FlowNetwork, other: FlowNetwork) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_is_the_same(name: str, tmp_path: Path, network_of) -> None:
    network = network_of(name)
    path = tmp_path / "best.safetensors"
    save(network, path, {"steps": 10})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.json", "best.safetensors"]
    loaded = load_network(path)
    assert _same_weights(loaded, network)
    assert type(loaded) is type(network) and not loaded.training
    assert loaded.config.notes == {"steps": 10}
    assert loaded.config.model_copy(update={"notes": {}}) == network.config


def test_what_training_may_move_survives_loading(tmp_path: Path) -> None:
    for mode in ("paper", "official"):
        network = build("decflow", mode=mode)
        save(network, tmp_path / "c.safetensors")
        loaded = load_network(tmp_path / "c.safetensors")
        assert isinstance(loaded, DecFlow)
        frozen = {name for name, p in loaded.named_parameters() if not p.requires_grad}
        assert frozen == {name for name, p in network.named_parameters() if not p.requires_grad}
        assert loaded.train().dad_encoder.training == (mode == "official")


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", NAMES)
def test_published_files_load_strictly(name: str, prefix: str, tmp_path: Path, network_of) -> None:
    network = network_of(name)
    weights = {prefix + key: tensor for key, tensor in network.state_dict().items()}
    torch.save(weights, tmp_path / "published.pth")
    loaded = load_network(tmp_path / "published.pth")
    assert _same_weights(loaded, network)
    if name == "decflow":
        assert (loaded.config.mode, loaded.config.encoder_input) == ("official", "symmetric")
        assert str(loaded.config.encoder_weights).startswith("checkpoint (published.pth")


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_weights_among_other_things_are_found(wrapper: str, tmp_path: Path, network_of) -> None:
    torch.save({wrapper: network_of("raft").state_dict(), "steps": 3}, tmp_path / "run.pth")
    assert _same_weights(load_network(tmp_path / "run.pth"), network_of("raft"))


def test_half_precision_becomes_single(tmp_path: Path, network_of) -> None:
    weights = {k: t.half() if t.is_floating_point() else t for k, t in network_of("raft").state_dict().items()}
    torch.save(weights, tmp_path / "half.pth")
    assert {p.dtype for p in load_network(tmp_path / "half.pth").parameters()} == {torch.float32}


def test_decflow_starts_from_gma(tmp_path: Path, network_of) -> None:
    save(network_of("gma"), tmp_path / "gma.safetensors")
    network = build("decflow", seed=9)
    taken = start_from(network, tmp_path / "gma.safetensors")
    assert sorted(taken) == ["att", "cnet", "fnet", "update_block", "update_block_head"]
    weight = "gru.convz1.weight"
    given = network_of("gma").update_block.state_dict()[weight]
    assert torch.equal(network.update_block.state_dict()[weight], given)
    assert torch.equal(network.update_block_head.state_dict()[weight], given)


def _encoder(prefixes: dict[str, str]) -> dict[str, Tensor]:
    weights = build("decflow", seed=4).get_submodule("dad_encoder").state_dict()
    return {prefixes[key[:8]] + key[8:]: tensor for key, tensor in weights.items()}


@pytest.mark.parametrize(
    "before", [("features.init_block.", "features.stage"), ("encoder.model.init_block.", "encoder.model.stage")]
)
@pytest.mark.parametrize("source", ["imagenet", "dad3dheads"])
def test_encoder_weights_of_several_habits(before: tuple[str, str], source: str, tmp_path: Path) -> None:
    prefixes = {"model.0.": before[0], **{f"model.{i}.": f"{before[1]}{i}." for i in (1, 2, 3)}}
    weights = _encoder(prefixes)
    torch.save({**weights, "output.weight": torch.zeros(3)}, tmp_path / "resnet.pth")
    network = build("decflow", seed=1, encoder_weights=tmp_path / "resnet.pth", encoder_source=source)
    expected = build("decflow", seed=4).get_submodule("dad_encoder").state_dict()
    found = network.get_submodule("dad_encoder").state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert network.config.encoder_input == source
    assert network.config.encoder_weights.source == source
    assert network.config.encoder_weights.file == "resnet.pth"
    assert len(network.config.encoder_weights.sha256) == 64


def test_other_files_are_no_encoder(tmp_path: Path) -> None:
    torch.save({"layer1.0.conv1.weight": torch.zeros(2)}, tmp_path / "torchvision.pth")
    torch.save({"features.stage1.unit1.body.conv1.conv.weight": torch.zeros(2)}, tmp_path / "part.pth")
    for name, words in (("torchvision.pth", "no ResNet-50"), ("part.pth", "lacks")):
        with pytest.raises(InputFileError, match=words):
            build("decflow", encoder_weights=tmp_path / name, encoder_source="imagenet")


class _Code:
    """A pickle that would write a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.witness}",)


def _raft(path: Path, change: Callable[[dict[str, Any]], Any], **options: Any) -> Path:
    content = change(dict(build("raft").state_dict()))
    torch.save(content, path, **options)
    return path


WEIGHT = "fnet.conv1.weight"

#: What is wrong -> how the content of a good RAFT differs, and a word of the message.
BAD_CONTENT: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "lacks a key": (lambda w: {k: t for k, t in w.items() if k != WEIGHT}, "lacks fnet.conv1.weight"),
    "has another key": (lambda w: {**w, "fnet.conv9.weight": torch.zeros(1)}, "unknown fnet.conv9.weight"),
    "has a hostile key": (lambda w: {**w, "a\nb" + "\x1b" * 9: torch.zeros(1)}, "unknown"),
    "has another shape": (lambda w: {**w, WEIGHT: torch.zeros(64, 3, 5, 5)}, r"\(64, 3, 5, 5\) instead"),
    "has a shape of petabytes": (lambda w: {**w, WEIGHT: torch.zeros(1).expand(10**6, 10**6, 3, 3)}, "instead of"),
    "has integers": (lambda w: {**w, WEIGHT: w[WEIGHT].int()}, "int32 instead"),
    "has complex numbers": (lambda w: {**w, WEIGHT: w[WEIGHT].to(torch.complex64)}, "complex64 instead"),
    "has NaN": (lambda w: {**w, WEIGHT: w[WEIGHT] * float("nan")}, "not finite"),
    "has a sparse tensor": (lambda w: {**w, WEIGHT: w[WEIGHT].to_sparse()}, "not a named plain tensor"),
    "has a number": (lambda w: {**w, WEIGHT: 3}, "not a named plain tensor"),
    "has a key twice": (lambda w: {**w, f"module.{WEIGHT}": w[WEIGHT]}, "differ by"),
    "is a list": (lambda w: list(w.values()), "no weights"),
    "is empty": (lambda w: {}, "no weights"),
    "is another network": (lambda w: {"conv.weight": torch.zeros(3)}, "RAFT, GMA, SKFlow or DecFlow"),
}


def _one_line(path: Path, words: str) -> None:
    with pytest.raises(InputFileError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("wrong", BAD_CONTENT)
def test_weights_that_are_no_network(wrong: str, tmp_path: Path) -> None:
    change, words = BAD_CONTENT[wrong]
    _one_line(_raft(tmp_path / "bad.pth", change), words)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_not_run(zipped: bool, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    path = _raft(tmp_path / "code.pth", lambda w: {**w, WEIGHT: _Code(witness)}, _use_new_zipfile_serialization=zipped)
    _one_line(path, "nothing in it was run" if zipped else "1.6 or later")
    assert not witness.exists()
    torch.load(path, weights_only=False)
    assert witness.exists()  # it would have done it


def _repacked(path: Path, change: Callable[[str, bytes], bytes], **options: Any) -> Path:
    import zipfile

    _raft(path, lambda w: w)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in records.items():
            archive.writestr(name, change(name, content))
    return path


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "bad.pth"
    _one_line(_repacked(path, lambda name, content: content, compression=8), "compressed")
    _one_line(_repacked(path, lambda name, content: content[: len(content) // 2]), "not a readable")
    _one_line(_repacked(path, lambda name, c: b"\x80\x02}q\x00" if name.endswith(".pkl") else c), "not a readable")
    whole = _raft(path, lambda w: w).read_bytes()
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        _one_line(path, "not a")
    path.write_bytes(b"PK\x03\x04" + os.urandom(2000))
    _one_line(path, "not a")


def test_scripted_networks_are_not_run(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "net.trcd", "w") as archive:
        archive.writestr("net/constants.pkl", b"")
        archive.writestr("net/code/__torch__.py", b"")
    _one_line(tmp_path / "net.trcd", "TorchScript")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    with (tmp_path / "large.safetensors").open("wb") as file:
        file.truncate(2**30 + 1)
    for name, words in (
        ("missing.pth", "No such file"),
        ("", "not a file"),
        ("pipe.pth", "not a file"),
        ("large.safetensors", "at most"),
    ):
        _one_line(tmp_path / name, words)


def _header(content: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    return (len(content) if length is None else length).to_bytes(8, "little") + content + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        _header(b"{}", 2**62),
        _header(b"{}", 2**31),
        _header(b"no json"),
        _header(b"[" * 5000),
        _header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
        _header(b'{"a":{"dtype":"F32","shape":[9000000000000000000,9],"data_offsets":[0,4]}}', data=b"\0" * 4),
        _header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', data=b"\0" * 4),
        _header(b'{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}', data=b"\0" * 4),
    ],
)
def test_damaged_safetensors(content: bytes, tmp_path: Path, network_of) -> None:
    path = tmp_path / "bad.safetensors"
    save(network_of("raft"), path)
    path.write_bytes(content)
    _one_line(path, "not a readable safetensors")


def test_truncated_safetensors(tmp_path: Path, network_of) -> None:
    path = tmp_path / "cut.safetensors"
    save(network_of("raft"), path)
    path.write_bytes(path.read_bytes()[:-5])
    _one_line(path, "not a readable safetensors")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "No such file"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "dict"),
        (b"{}", "network: Field required"),
        (b'{"network": "flownet"}', "network: Input should be"),
        (b'{"network": "raft", "code": "import os"}', "code: Extra inputs"),
        (b'{"network": "gma"}', "not the weights of gma"),
        (b'{"network": "decflow", "mode": "own"}', "mode: Input should be"),
        (b'{"network": "raft", "format": "ffngen-model-9"}', "format: Input should be"),
        (b" " * (2**20 + 1), "at most"),
    ],
)
def test_bad_configs(config: bytes | None, words: str, tmp_path: Path, network_of) -> None:
    path = tmp_path / "c.safetensors"
    save(network_of("raft"), path)
    path.with_suffix(".json").unlink()
    if config is not None:
        path.with_suffix(".json").write_bytes(config)
    with pytest.raises(InputFileError, match=words) as caught:
        load(path)
    assert str(caught.value).isprintable()
    assert str(tmp_path) in str(caught.value)


def test_config_is_readable_json(tmp_path: Path, network_of) -> None:
    save(network_of("decflow"), tmp_path / "c.safetensors")
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["network"] == "decflow"
    assert content["mode"] == "paper"
    assert content["encoder_weights"]["source"] == "random"


def test_other_suffixes_are_not_written(tmp_path: Path, network_of) -> None:
    with pytest.raises(InputFileError, match="safetensors"):
        save(network_of("raft"), tmp_path / "c.pth")
    assert not list(tmp_path.iterdir())
