"""``ffngen params fit``, with a detector that knows where the landmarks are."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from click.testing import CliRunner

from ffngen.cli.params_fit import command
from ffngen.dataset.source_view import source_picture
from ffngen.errors import FfngenError, InputFileError
from ffngen.fit import detect
from ffngen.fit.calibration import calibration
from ffngen.fit.detect import FoundFace
from ffngen.head.load import load_head
from ffngen.params.table import read_table
from ffngen.prediction.video import VideoWriter


class Frontal:
    """Sees the average face, as large as the picture's brightness says; none in a black picture."""

    def __call__(self, image: np.ndarray, near: FoundFace | None) -> FoundFace | None:
        size = float(image[0, 0, 0])
        if size == 0:
            return None
        model = load_head("open")
        assert model.landmarks is not None
        points = model.landmarks.evaluate(model.template) + calibration("open").offsets
        pixels = np.array([[1.0, -1.0]]) * points[:, :2] * 10 * size + [image.shape[1] / 2, image.shape[0] / 2]
        return FoundFace(pixels, pixels[[45, 36]])


@pytest.fixture(autouse=True)
def frontal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "FaceDetector", Frontal)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, value in (("a", 90), ("b", 60), ("c", 0)):
        iio.imwrite(folder / f"{name}.png", np.full((200, 160, 3), value, np.uint8))
    return folder


def test_a_folder(photos: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out.parquet", tmp_path / "seen"
    result = CliRunner().invoke(command, [str(photos), str(out), "--preview", str(seen)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "sets  2 of 2 people" in result.output
    assert "c.png: no face found" in result.output
    sets = read_table(out)
    assert [Path(one.image or "").name for one in sets] == ["a.png", "b.png"]
    assert [one.identity for one in sets] == ["a", "b"]
    assert sets[0].camera is not None
    assert sets[1].camera is not None
    assert sets[0].camera.position[2] < sets[1].camera.position[2]
    assert len(list(seen.glob("*.jpg"))) == 2


def test_one_person_as_json(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    result = CliRunner().invoke(command, [str(photos), str(out), "--same-person", "--json"], catch_exceptions=False)
    told = json.loads(result.output)
    assert (told["sets"], told["identities"]) == (2, 1)
    assert [Path(one["name"]).name for one in told["skipped"]] == ["c.png"]
    assert all(0 < one["error"] < 0.2 for one in told["frames"])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["missing.png", "out.parquet"], "no such file"),
        (["photos/c.png", "out.parquet"], "no face found"),
        (["photos", "out.parquet", "--fov", "200"], "field of view"),
        (["photos", "out.parquet", "--smoothing", "nan"], "smoothing"),
        (["photos", "out.parquet", "--head", "missing.pkl"], "missing.pkl"),
    ],
)
def test_faults_are_one_line(
    photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FfngenError, match=what):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert not (tmp_path / "out.parquet").exists()


def test_a_damaged_photo(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(InputFileError, match="not an image") as caught:
        CliRunner().invoke(command, [str(tmp_path / "x.png"), str(tmp_path / "o.parquet")], catch_exceptions=False)
    assert "with a face" not in str(caught.value)


def test_out_must_be_a_table(photos: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(photos), str(tmp_path / "out.txt")])
    assert result.exit_code == 2
    assert "must end in .parquet" in result.output


def test_a_videos_frames_are_its_backgrounds(tmp_path: Path) -> None:
    """They lie where the parameter sets say, and `ffngen render` finds them."""
    with VideoWriter(tmp_path / "talk.mp4", 25.0) as write:
        for _ in range(3):
            write(np.full((96, 64, 3), 60, np.uint8))
    out, frames = tmp_path / "out.parquet", tmp_path / "frames"
    result = CliRunner().invoke(command, [str(tmp_path / "talk.mp4"), str(out), "--frames", str(frames)])
    assert result.exit_code == 0, result.output
    sets = read_table(out)
    assert [one.image for one in sets] == [f"talk/{number:06d}.jpg" for number in range(3)]
    assert [source_picture(frames, one) for one in sets] == sorted(frames.rglob("*.jpg"))
