"""The loop: what it learns, what it leaves alone, and that a killed run goes on as if nothing had been."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ffngen.errors import DatasetError, InputFileError, JobError
from ffngen.models import build, load, load_network, save
from ffngen.training.config import RegularisationConfig, TrainConfig, load_config, presets
from ffngen.training.log import read_log
from ffngen.training.train import open_run, train

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = {
    "steps": 3,
    "batch_size": 2,
    "crop": (64, 64),
    "iterations": 2,
    "validate_every": 2,
    "validate_pairs": 1,
    "save_every": 1,
    "log_every": 1,
    "workers": 0,
    "threads": 1,
    "accelerator": "cpu",
}


def config(preset: str = "raft", **fields) -> TrainConfig:
    return load_config(preset, {**TINY, **fields})


def run(config: TrainConfig, dataset: Path, out: Path, **options) -> list:
    return list(train(open_run(config, dataset, out, **options)))


def weights(out: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_file(out / f"{name}.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def parts_that_differ(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> set[str]:
    return {name.partition(".")[0] for name in a if not torch.equal(a[name], b[name])}


def test_a_run_leaves_what_it_promises(made_dataset: Path, tmp_path: Path) -> None:
    steps = run(config(), made_dataset, tmp_path / "run")
    assert [progress.step for progress in steps] == [1, 2, 3]
    assert steps[1].validation["facial"] > 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["steps"] == 3
    assert record["data"][0]["pairs"] == 10
    assert len(record["data"][0]["digest"]) == 64
    assert record["code"]["torch"] == torch.__version__
    for name in ("best", "last"):
        notes = json.loads((tmp_path / "run" / f"{name}.json").read_text())["notes"]
        assert notes["training"] == record["config"]
        assert load_network(tmp_path / "run" / f"{name}.safetensors").config.network == "raft"
    entries = read_log(tmp_path / "run" / "log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "training"] == [1, 2, 3]
    assert [e["step"] for e in entries if e["kind"] == "validation"] == [2, 3]
    assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    # Complete: nothing more is done.
    assert run(config(), made_dataset, tmp_path / "run") == []


def test_it_learns(made_dataset: Path, tmp_path: Path) -> None:
    """Enough steps on one crop's worth of data bring the loss down by half."""
    tiny = config(steps=25, learning_rate=4e-4, augment=None, validate_pairs=0, save_every=25, batch_size=1)
    run(tiny, made_dataset, tmp_path / "run")
    losses = [e["loss"] for e in read_log(tmp_path / "run" / "log.jsonl")]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_the_same_config_gives_the_same_weights_however_it_loads(made_dataset: Path, tmp_path: Path) -> None:
    run(config(), made_dataset, tmp_path / "a")
    run(config(workers=2, log_every=2), made_dataset, tmp_path / "b")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    run(config(seed=1), made_dataset, tmp_path / "c")
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


BOTH = {"steps": 2, "validate_pairs": 0}


@pytest.fixture(scope="module")
def undisturbed(made_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages of a DecFlow, two steps each, without a break."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    threads = torch.get_num_threads()
    run(config("decflow", **BOTH), made_dataset, out)
    torch.set_num_threads(threads)
    return out


def test_a_stopped_run_goes_on_exactly(undisturbed: Path, made_dataset: Path, tmp_path: Path) -> None:
    """Stopped within the first stage, between the stages, and within the second."""
    both = config("decflow", **BOTH)
    out = tmp_path / "run"
    for stop_after in (1, 2, 3):
        steps = train(open_run(both, made_dataset, out))
        for progress in steps:
            if progress.step == stop_after:
                break
        steps.close()
    run(both, made_dataset, out)
    assert same(weights(undisturbed), weights(out))
    logs = [read_log(folder / "log.jsonl") for folder in (undisturbed, out)]
    keys = ("step", "kind", "loss", "head")
    assert [[e.get(key) for key in keys] for e in logs[0]] == [[e.get(key) for key in keys] for e in logs[1]]


def test_a_stop_is_asked_for_between_the_stages(undisturbed: Path, made_dataset: Path, tmp_path: Path) -> None:
    """As by Ctrl-C or a scheduler: the state is saved, and the next run begins the second stage."""
    both = config("decflow", **BOTH)
    out = tmp_path / "run"
    seen = []
    for progress in train(open_run(both, made_dataset, out)):
        seen.append(progress)
        if progress.step == 2 and not progress.stopped:
            signal.raise_signal(signal.SIGTERM)
    assert seen[-1].stopped
    assert seen[-1].step == 2
    assert [progress.step for progress in run(both, made_dataset, out)] == [3, 4]
    assert same(weights(undisturbed), weights(out))


def test_stage_2_of_the_paper_changes_no_facial_bit(undisturbed: Path) -> None:
    before, after = weights(undisturbed, "stage1"), weights(undisturbed)
    assert parts_that_differ(before, after) == {"update_block_head"}
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(1, 3, 64, 72, generator=generator) * 255 for _ in range(2)]
    first, last = (load(undisturbed / f"{name}.safetensors")(*images) for name in ("stage1", "last"))
    assert torch.equal(first.facial, last.facial)
    # The head decoder of stage 1 is nobody's work yet, and says nothing.
    assert first.head is None
    assert last.head is not None


def test_stage_2_begins_where_facial_flow_is(made_dataset: Path, tmp_path: Path) -> None:
    """One step at a rate of nearly 0: the head decoder is the facial one; with ``kept`` it is its own."""
    for how in ("facial", "kept"):
        tiny = config("decflow-stage2", steps=1, learning_rate=1e-12, weight_decay=0, head_decoder=how, iterations=1)
        run(tiny, made_dataset, tmp_path / how)
        state = weights(tmp_path / how)
        heads = {n: t for n, t in state.items() if n.startswith("update_block_head.")}
        near = [torch.allclose(t, state[n.replace("_head", "", 1)], atol=1e-6) for n, t in heads.items()]
        assert all(near) == (how == "facial")


def test_official_mode_drifts_as_published(made_dataset: Path, tmp_path: Path) -> None:
    """In stage 2 batch norms of frozen parts move, and with them facial flow; the fusion is never trained."""
    run(config("decflow-official", steps=2), made_dataset, tmp_path / "run")
    before, after = weights(tmp_path / "run", "stage1"), weights(tmp_path / "run")
    assert parts_that_differ(before, after) == {"update_block_head", "change_dim", "cnet", "dad_encoder", "res1"}
    changed = {n for n in before if not torch.equal(before[n], after[n])}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    moved = {n for n in changed if n.partition(".")[0] in ("cnet", "dad_encoder", "res1")}
    assert all(n.endswith(statistics) for n in moved)
    fresh = build("decflow", mode="official").state_dict()
    assert torch.equal(fresh["res1.conv1.weight"], after["res1.conv1.weight"])
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(1, 3, 64, 72, generator=generator) * 255 for _ in range(2)]
    first, last = (load(tmp_path / "run" / f"{name}.safetensors")(*images) for name in ("stage1", "last"))
    assert not torch.equal(first.facial, last.facial)


def test_starting_from_a_checkpoint(made_dataset: Path, tmp_path: Path) -> None:
    """A GMA gives its parts to a DecFlow, its decoder twice; a DecFlow goes on as it was, origin and all."""
    gma = build("gma", seed=9)
    save(gma, tmp_path / "gma.safetensors")
    tiny = config("decflow", steps=1, learning_rate=1e-12, weight_decay=0, start_from=str(tmp_path / "gma.safetensors"))
    run(tiny, made_dataset, tmp_path / "run")
    state = weights(tmp_path / "run")
    for name, tensor in gma.state_dict().items():
        if name.partition(".")[0] in ("fnet", "update_block", "att") and tensor.is_floating_point():
            assert torch.allclose(state[name], tensor, atol=1e-6)
    official = build("decflow", mode="official", seed=4)
    save(official, tmp_path / "official.safetensors")
    start = str(tmp_path / "official.safetensors")
    run(config("decflow-stage2", steps=1, start_from=start), made_dataset, tmp_path / "next")
    assert load_network(tmp_path / "next" / "last.safetensors").config.mode == "official"


def test_half_precision(made_dataset: Path, tmp_path: Path) -> None:
    steps = run(config(precision="bf16", steps=1, iterations=1), made_dataset, tmp_path / "run")
    assert steps[-1].training["loss"] > 0
    assert all(t.dtype != torch.bfloat16 for t in weights(tmp_path / "run").values())


def test_another_run_is_refused(made_dataset: Path, tmp_path: Path) -> None:
    open_run(config(), made_dataset, tmp_path / "run")
    with pytest.raises(DatasetError, match=r"holds another run \(seed is 0 there and 5 here\)"):
        open_run(config(seed=5), made_dataset, tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(DatasetError, match="no training run"):
        open_run(config(), made_dataset, tmp_path / "other", overwrite=True)
    open_run(config(seed=5), made_dataset, tmp_path / "run", overwrite=True)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["config"]["seed"] == 5


def test_a_damaged_state_is_named(made_dataset: Path, tmp_path: Path) -> None:
    run(config(steps=2, validate_pairs=0), made_dataset, tmp_path / "run")
    state = tmp_path / "run" / "state.safetensors"
    for content in (state.read_bytes()[:1000], b"", b"\x80\x04garbage"):
        state.write_bytes(content)
        with pytest.raises(InputFileError, match=r"state\.safetensors: not the state of a run"):
            run(config(steps=2, validate_pairs=0), made_dataset, tmp_path / "run")


def test_a_missing_file_is_named(made_dataset: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(made_dataset, tmp_path / "data")
    for path in (tmp_path / "data" / "flow" / "head" / "train").glob("*/*/0001.flo"):
        path.unlink()
    with pytest.raises(InputFileError, match=r"flow/head/train/.*/0001\.flo: cannot be read"):
        run(config(), tmp_path / "data", tmp_path / "run")


def test_loss_that_is_not_finite_ends_the_run(
    made_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(flows, truth, config):
        return {"loss": flows.facial[0].sum() * torch.nan}

    monkeypatch.setattr("ffngen.training.step.decomposed_loss", broken)
    with pytest.raises(JobError, match="no longer finite at step 1"):
        run(config(validate_pairs=0), made_dataset, tmp_path / "run")
    assert not (tmp_path / "run" / "state.safetensors").exists()


@pytest.mark.parametrize("name", presets())
def test_presets_are_valid(name: str) -> None:
    made = load_config(name)
    assert made.total_steps >= 500
    assert load_config(name).content() == made.content()


def test_a_file_with_a_base(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: decflow-stage2\nsteps: 7\n")
    made = load_config(str(path), {"batch_size": 3})
    assert (made.steps, made.batch_size, made.stages[0].stage) == (7, 3, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: resnet", "field 'model'"),
        ("stepps: 5", "unknown field 'stepps'"),
        ("stages: [{stage: 3}]", "field 'stages.0.stage'"),
        ("stages: [{stage: 2}, {stage: 1}]", "stages come in order"),
        ("model: gma\nmode: paper", "gma has one stage"),
        ("encoder_source: imagenet", "go together"),
        ("crop: [8, 8]", "field 'crop.0'"),
        ("base: nothing", "no training preset 'nothing'"),
        ("base: [1]", "base must be"),
        ("augment: {hue: .nan}", "field 'augment.hue'"),
        ("steps: true", "field 'steps'"),
    ],
)
def test_faulty_configs(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises((JobError, InputFileError), match=words):
        load_config(str(path))


def test_killed_and_run_again(undisturbed: Path, made_dataset: Path, tmp_path: Path) -> None:
    """SIGKILL to a process of its own in each stage; tests/robustness/kill_training.py does so at random steps."""
    program = "from ffngen.cli import main; main()"
    command = [sys.executable, "-c", program, "train", str(made_dataset), "decflow", "--json", "--workers", "1"]
    command += ["--steps", "2", "--batch-size", "2", "--crop", "64", "--iterations", "2", "--save-every", "1"]
    command += ["--seed", "0", "--threads", "1", "--accelerator", "cpu", "--out", str(tmp_path / "killed")]
    for step in (1, 3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        state = tmp_path / "killed" / "state.safetensors"
        while not (state.is_file() and _step_of(state) >= step):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.kill()
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert same(weights(undisturbed), weights(tmp_path / "killed"))


def _step_of(state: Path) -> int:
    """From the header, in one opening: a run may put the next state in place meanwhile, and safe_open opens twice."""
    with state.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return json.loads(header["__metadata__"]["ffngen"])["step"]


def test_srflownet_is_trained_stopped_and_used(made_dataset: Path, tmp_path: Path) -> None:
    """A run stopped half way ends with the same weights, its losses move them, and they load as SRFlowNet."""
    whole = config("srflownet", steps=2, validate_pairs=0)
    run(whole, made_dataset, tmp_path / "whole")
    steps = train(open_run(whole, made_dataset, tmp_path / "run"))
    next(steps)
    steps.close()
    run(whole, made_dataset, tmp_path / "run")
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))
    run(config("skflow", steps=2, validate_pairs=0), made_dataset, tmp_path / "plain")
    assert not same(weights(tmp_path / "plain"), weights(tmp_path / "whole"))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["stages"][0]["loss"]["regularisation"] == RegularisationConfig().model_dump()
    checkpoint = tmp_path / "run" / "last.safetensors"
    assert load_network(checkpoint).config.network == "srflownet"
    image = torch.rand(1, 3, 64, 72, generator=torch.Generator().manual_seed(0)) * 255
    assert load(checkpoint)(image, image).head is None
