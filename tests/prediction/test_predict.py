from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ffngen.cli import main
from ffngen.errors import FfngenError, InputFileError
from ffngen.flow.files import read_flow
from ffngen.models import build, load, save
from ffngen.prediction.frames import open_frames
from ffngen.prediction.video import VideoWriter, read_video, video_facts

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (80, 66)


def frame(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A smooth pattern that moves 2 pixels to the right in each frame."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float64)
    x = x - 2 * number
    pattern = np.stack([np.sin(x / 4) * np.cos(y / 5), np.cos(x / 6 + y / 9), np.sin(x / 3)], -1)
    return np.round(127 + 100 * pattern).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "frames"
    root.mkdir()
    for number in (1, 2, 10):
        Image.fromarray(frame(min(number, 3))).save(root / f"frame{number}.png")
    return root


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "decflow.safetensors"
    save(build("decflow"), path)
    return path


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


def test_a_folder_in_the_order_of_its_numbers(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = predict(folder, "--checkpoint", checkpoint, "--iters", 2, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["flows"] == ["facial", "head", "expression"]
    model = load(checkpoint, iterations=2)
    for pair in (1, 2):
        expected = model(frame(pair), frame(pair + 1))
        for name in ("facial", "head", "expression"):
            found = read_flow(out / "flow" / name / f"{pair:04d}.flo")
            np.testing.assert_allclose(found, getattr(expected, name), atol=1e-4)
            with Image.open(out / "color" / name / f"{pair:04d}.png") as picture:
                assert picture.size == SIZE
    facts = video_facts(out / "side_by_side.mp4")
    assert facts.size == (4 * SIZE[0], SIZE[1])


def test_it_goes_on_and_refuses_other_frames(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert predict(folder, "--model", "dis", "--out", out).exit_code == 0
    first = (out / "flow/facial/0001.flo").stat().st_mtime_ns
    before = (out / "flow/facial/0002.flo").read_bytes()
    (out / "flow/facial/0002.flo").unlink()
    assert predict(folder, "--model", "dis", "--out", out).exit_code == 0
    assert (out / "flow/facial/0001.flo").stat().st_mtime_ns == first
    assert (out / "flow/facial/0002.flo").read_bytes() == before
    done = predict(folder, "--model", "farneback", "--out", out)
    assert done.exit_code == 2
    assert "another model" in done.output
    assert predict(folder, "--model", "farneback", "--out", out, "--overwrite").exit_code == 0


def test_a_video(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    with VideoWriter(path, 12.5) as write:
        for number in range(5):
            write(frame(number))
    facts = video_facts(path)
    assert facts.size == SIZE
    assert facts.rate == pytest.approx(12.5)
    frames = list(read_video(path, facts.size))
    assert len(frames) == 5
    assert np.abs(frames[3].astype(float) - frame(3)).mean() < 12
    np.testing.assert_array_equal(next(read_video(path, facts.size, 2)), frames[2])
    done = predict(path, "--model", "dis", "--out", tmp_path / "out", "--max-flow", 3)
    assert done.exit_code == 0, done.output
    flow = read_flow(tmp_path / "out/flow/facial/0002.flo")
    assert np.median(flow[15:-15, 15:-15, 0]) == pytest.approx(2, abs=0.3)
    assert np.median(flow[15:-15, 15:-15, 1]) == pytest.approx(0, abs=0.2)


def test_two_images_no_video(folder: Path, tmp_path: Path) -> None:
    images = (folder / "frame1.png", folder / "frame2.png")
    done = predict(*images, "--model", "farneback", "--no-video", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert not list((tmp_path / "out").glob("*.mp4"))
    assert not list((tmp_path / "out").glob(".*"))


def odd_size(folder: Path) -> Path:
    Image.new("RGB", (50, 50)).save(folder / "frame3.png")
    return folder


def not_a_video(folder: Path) -> Path:
    (folder / "v.mp4").write_bytes(b"\0" * 5000)
    return folder / "v.mp4"


def playlist(folder: Path) -> Path:
    """A video that is a list of other files: FFmpeg would open them."""
    (folder / "v.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n")
    return folder / "v.mp4"


def damaged_frame(folder: Path) -> Path:
    (folder / "frame2.png").write_bytes((folder / "frame2.png").read_bytes()[:200])
    return folder


def alone(folder: Path) -> Path:
    return folder / "frame1.png"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (odd_size, "frame3.png: 50 x 50 pixels, the first frame has 80 x 66"),
        (not_a_video, "not a video"),
        (playlist, "not a video"),
        (damaged_frame, "frame2.png"),
        (alone, "one frame has no motion"),
        (lambda folder: folder / "nothing", "no such file or folder"),
    ],
)
def test_frames_at_fault(make, words: str, folder: Path, tmp_path: Path) -> None:
    done = predict(make(folder), "--model", "dis", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert words in done.output
    assert len(done.output.splitlines()) == 1


def test_a_folder_with_other_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    done = predict(folder, "--model", "dis", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "holds other files" in done.output


def test_a_video_among_images(folder: Path) -> None:
    video = not_a_video(folder)
    with pytest.raises(InputFileError, match="several paths"):
        open_frames([folder / "frame1.png", video])
    with pytest.raises(FfngenError):
        open_frames([folder, folder])
