"""The fit itself, on a captured folder whose pictures an avatar drew: truth, repetition, going on, faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captured_folder import egg_avatar, egg_head, write_captured
from click.testing import CliRunner

from ffngen.cli import main
from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.images import read_image
from ffngen.metrics.ssim import ssim_map
from ffngen.params.gaussian_avatars import read_gaussian_avatars
from ffngen.splat.ply import read_avatar, write_avatar

pytest.importorskip("numba", reason="numba is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

from ffngen.avatar_fit.fit import Fit  # noqa: E402
from ffngen.avatar_fit.loss import mask_loss, photometric_loss, ssim  # noqa: E402
from ffngen.avatar_fit.run import FitRun, open_run, run_fit  # noqa: E402
from ffngen.avatar_fit.settings import FitSettings  # noqa: E402
from ffngen.avatar_fit.source import open_source  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HeadModel]:
    base = tmp_path_factory.mktemp("captured")
    model = egg_head(base / "head")
    write_captured(base / "person", model)
    return base, model


def opened(folder: tuple[Path, HeadModel], out: Path, **settings: Any) -> FitRun:
    base, model = folder
    source = open_source(base / "person", model)
    return open_run(source, model, egg_avatar(model, grey=True), FitSettings(**{"steps": 60, **settings}), out)


def test_the_window_is_that_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.uniform(size=(40, 50, 3)) for _ in range(2))
    other = 0.7 * one + 0.3 * other
    found = ssim(torch.from_numpy(one), torch.from_numpy(other)).numpy()
    for c in range(3):
        wanted = ssim_map(255 * one[..., c], 255 * other[..., c])
        np.testing.assert_allclose(found[5:-5, 5:-5, c], wanted[5:-5, 5:-5], atol=1e-6)


def test_losses_by_hand() -> None:
    one = torch.zeros(20, 20, 3)
    half = torch.zeros(20, 20)
    half[:, :10] = 1
    assert float(photometric_loss(one, one, half)) == pytest.approx(0, abs=1e-6)
    # What does not count does not count, but for the reach of SSIM's window.
    far = one.clone()
    far[:, 16:] = 1
    assert float(photometric_loss(far, one, half)) == pytest.approx(0, abs=1e-6)
    assert float(mask_loss(half, torch.ones(20, 20), torch.ones(20, 20))) == pytest.approx(0.1 * 0.5)


def test_stripes_are_found(folder: tuple[Path, HeadModel], tmp_path: Path) -> None:
    """Grey Gaussians take on the colours of pictures by cameras that they were not shown."""
    run = opened(folder, tmp_path / "out", steps=100)
    seen: list[int] = []
    result = run_fit(run, lambda step: seen.append(step.done))
    assert seen == list(range(1, 101))
    assert result["after"]["psnr_head"] > result["before"]["psnr_head"] + 5
    assert result["after"]["ssim_head"] > result["before"]["ssim_head"] + 0.2
    avatar = read_avatar(tmp_path / "out")
    np.testing.assert_array_equal(avatar.triangles, run.start.triangles)
    np.testing.assert_allclose(avatar.means, run.start.means, atol=1e-6)
    (person,) = read_gaussian_avatars(tmp_path / "out" / "flame_param.npz")
    wanted = run.source.parameters
    assert wanted is not None
    for name in ("betas", "expression", "pose", "translation", "static_offset"):
        np.testing.assert_array_equal(getattr(person, name), getattr(wanted, name))
    assert read_image(tmp_path / "out" / "comparison.png").shape[1] > 1000
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.png",
        "fit.json",
        "flame_param.npz",
        "point_cloud.ply",
    ]


def test_a_fit_repeats_itself_and_goes_on_where_it_was(folder: tuple[Path, HeadModel], tmp_path: Path) -> None:
    def fit_of(name: str) -> Fit:
        (tmp_path / name).mkdir(exist_ok=True)
        run = opened(folder, tmp_path / name, steps=12, sh_degree=1, move=True)
        return Fit(run.source, run.start, run.model.faces, run.settings, run.folder, "digest")

    whole = [step.loss for step in fit_of("whole").steps()]
    again = [step.loss for step in fit_of("again").steps()]
    assert whole == again
    stopped = fit_of("stopped")
    steps = stopped.steps()
    first = [next(steps).loss for _ in range(5)]
    stopped.save()
    # Steps after the checkpoint are lost, as after a SIGKILL.
    next(steps)
    resumed = fit_of("stopped")
    assert resumed.done == 5
    assert first + [step.loss for step in resumed.steps()] == whole
    last = fit_of("whole")
    for name, tensor in last.tensors.parameters().items():
        assert torch.equal(tensor, getattr(resumed.tensors, name)), name


def test_another_fit_s_state_is_refused(folder: tuple[Path, HeadModel], tmp_path: Path) -> None:
    run = opened(folder, tmp_path, steps=12)
    Fit(run.source, run.start, run.model.faces, run.settings, tmp_path, "one").save()
    with pytest.raises(InputFileError, match="state of another fit"):
        Fit(run.source, run.start, run.model.faces, run.settings, tmp_path, "other")
    (tmp_path / "fit_state.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputFileError, match="fit_state"):
        Fit(run.source, run.start, run.model.faces, run.settings, tmp_path, "one")


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    return result.exit_code, result.output


def test_the_command(folder: tuple[Path, HeadModel], tmp_path: Path) -> None:
    base, model = folder
    write_avatar(tmp_path / "grey.ply", egg_avatar(model, 400, grey=True))
    common = (
        "splat", "fit", base / "person", "--avatar", tmp_path / "grey.ply", "--head", base / "head",
        "--head-family", "flame2023", "--out", tmp_path / "out", "--device", "cpu",
    )  # fmt: skip
    code, text = invoke(*common, "--steps", 8, "--json")
    assert code == 0, text
    result = json.loads(text)
    assert result["asked"]["views"]["fitted"] == 9 and len(result["asked"]["views"]["held_out"]) == 1
    assert result["asked"]["model"]["digest"] == model.digest
    assert result["after"]["psnr_head"] > result["before"]["psnr_head"]
    code, text = invoke(*common, "--steps", 8)
    assert code == 0 and "finished" in text and "PSNR of the head" in text
    code, text = invoke(*common, "--steps", 9)
    assert code == 2 and "its settings differ" in text and text.count("\n") == 1
    code, text = invoke(*common, "--steps", 1, "--overwrite")
    assert code == 0, text


def test_pictures_that_are_missing(folder: tuple[Path, HeadModel], tmp_path: Path) -> None:
    _, model = folder
    write_captured(tmp_path / "person", model, timesteps=1, cameras=2)
    (tmp_path / "person" / "images" / "00000_01.png").unlink()
    with pytest.raises(InputFileError, match="is missing; copy the folder images"):
        open_source(tmp_path / "person", model)


def test_a_head_without_places_for_a_skin(folder: tuple[Path, HeadModel], tmp_path: Path) -> None:
    base, _ = folder
    head = ("--head", base / "head", "--head-family", "flame2023")
    code, text = invoke("splat", "fit", base / "person", *head, "--out", tmp_path / "out")
    assert code == 2 and "--avatar" in text and text.count("\n") == 1
