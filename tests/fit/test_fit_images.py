"""From pictures to parameter sets, with a detector that knows where the landmarks are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import InputFileError, JobError
from ffngen.fit.calibration import calibration
from ffngen.fit.detect import FoundFace
from ffngen.fit.fit import FitOptions, fit_images
from ffngen.fit.preview import draw_preview
from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.prediction.video import VideoFacts

SIZE = (320, 240)
#: The pictures show nothing; the detector's points are exact.
DETECTED = FitOptions(refine=False)


@dataclass(frozen=True)
class Numbered:
    """Footage whose pictures are their own numbers; number 7 shows nobody, number 8 is damaged."""

    identity: str
    numbers: tuple[int, ...]
    video: VideoFacts | None = None
    lens: float | None = None

    def focal(self, number: int, size: tuple[int, int]) -> float | None:
        assert size == SIZE
        return self.lens

    @property
    def files(self) -> tuple[Path, ...]:
        return (Path(f"{self.identity}.mp4"),) if self.video else tuple(Path(f"{n}.png") for n in self.numbers)

    @property
    def count(self) -> int:
        return len(self.numbers)

    @property
    def track(self) -> str | None:
        return self.identity if self.video else None

    def image_of(self, number: int) -> str:
        return f"{self.identity}/{number:06d}.jpg" if self.video else f"{self.numbers[number]}.png"

    def read(self) -> Iterator[tuple[str, np.ndarray | InputFileError]]:
        for number in self.numbers:
            if number == 8:
                yield f"{number}.png", InputFileError("not an image")
            else:
                yield f"{number}.png", np.full((SIZE[1], SIZE[0], 3), number, np.uint8)


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head("open")


class Known:
    """Sees a face that opens its mouth and moves to the right from picture to picture, looking to its left."""

    gaze = 0.2

    def __init__(self, model: HeadModel) -> None:
        self.model = model
        focal = (SIZE[0] / 2) / np.tan(np.radians(15))
        K = np.array([[focal, 0, (SIZE[0] - 1) / 2], [0, focal, (SIZE[1] - 1) / 2], [0, 0, 1]])
        T = np.diag([1.0, -1.0, -1.0, 1.0])
        T[2, 3] = 0.7
        self.camera = Camera(K, T, *SIZE)

    def vertices(self, number: int) -> np.ndarray:
        expression = np.zeros(self.model.expression_count)
        expression[self.model.expression_names.index("jawOpen")] = 0.15 * number
        pose = np.zeros(15)
        pose[9:] = np.tile([0, self.gaze, 0], 2)
        return self.model.vertices(np.zeros(1), expression[None], pose[None])[0] + [0.005 * number, 0, 0]

    def __call__(self, image: np.ndarray, near: FoundFace | None) -> FoundFace | None:
        number = int(image[0, 0, 0])
        if number == 7:
            return None
        vertices = self.vertices(number)
        assert self.model.landmarks is not None
        points = self.model.landmarks.evaluate(vertices) + calibration("open").offsets
        iris = vertices[np.unique(self.model.faces[self.model.regions["iris"]])]
        left = iris[:, 0] > 0.005 * number
        irises = np.stack([iris[left].mean(axis=0), iris[~left].mean(axis=0)])
        return FoundFace(self.camera.project(points)[0], self.camera.project(irises)[0])


def test_photos(model: HeadModel) -> None:
    result = fit_images([Numbered("ann", (0, 1, 7, 5)), Numbered("bob", (2, 8))], model, Known(model), DETECTED)
    assert [frame.name for frame in result.frames] == ["0.png", "1.png", "5.png", "2.png"]
    assert dict(result.skipped) == {"7.png": "no face found", "8.png": "not an image"}
    ann = result.sets[:3]
    assert all(one.betas is ann[0].betas or np.array_equal(one.betas, ann[0].betas) for one in ann)
    jaw = [one.expression[model.expression_names.index("jawOpen")] for one in ann]
    assert jaw == sorted(jaw)
    assert jaw[2] - jaw[0] > 0.4
    for frame in result.frames:
        one = frame.parameters
        assert (one.track, one.frame, one.fps) == (None, None, None)
        assert one.image == frame.name
        assert one.family == "open"
        assert frame.error < 0.015
        assert not one.translation.any()
        assert one.pose[10] == pytest.approx(Known.gaze, abs=0.08)
        # The camera that is written sees the fitted head where the picture has it.
        vertices = model.vertices(one.betas, one.expression[None], one.pose[None])[0]
        assert one.camera is not None
        assert (one.camera.width, one.camera.height) == SIZE
        assert model.landmarks is not None
        inner = one.camera.project(model.landmarks.evaluate(vertices))[0][27:36]
        assert np.abs(inner.mean(axis=0) - frame.found.points[27:36].mean(axis=0)).max() < 4


def test_the_lens_of_a_photo(model: HeadModel) -> None:
    """EXIF data's focal length is the camera's, unless an angle of view is asked for."""
    focal = 1.4 * Known(model).camera.K[0, 0]
    photos = [Numbered("ann", (0, 1), lens=focal)]
    fields = {None: focal, 30.0: focal / 1.4}
    for field, wanted in fields.items():
        one = fit_images(photos, model, Known(model), replace(DETECTED, field_of_view=field)).sets[0]
        assert one.camera is not None
        assert one.camera.K[0, 0] == pytest.approx(wanted)
        # A longer lens has the face further away.
        assert one.camera.position[2] == pytest.approx(0.7 * wanted * 1.4 / focal, rel=0.1)


def test_a_video(model: HeadModel) -> None:
    numbers = tuple(range(6))
    video = Numbered("talk", numbers, VideoFacts(SIZE, 25.0, len(numbers)))
    result = fit_images([video], model, Known(model), replace(DETECTED, smoothing=0.01))
    sets = result.sets
    assert [(one.track, one.frame, one.fps, one.image) for one in sets] == [
        ("talk", n, 25.0, f"talk/{n:06d}.jpg") for n in numbers
    ]
    assert len({one.camera.position.tobytes() for one in sets if one.camera is not None}) == 1
    moved = np.diff([one.translation for one in sets], axis=0)
    assert moved[:, 0].mean() == pytest.approx(0.005, abs=0.002)
    smooth = fit_images([video], model, Known(model), replace(DETECTED, smoothing=100)).sets
    assert np.ptp([one.translation[0] for one in smooth]) < np.ptp([one.translation[0] for one in sets])


class Remembering(Known):
    """Notes which face it is asked to find again."""

    def __init__(self, model: HeadModel) -> None:
        super().__init__(model)
        self.asked: list[bool] = []

    def __call__(self, image: np.ndarray, near: FoundFace | None) -> FoundFace | None:
        self.asked.append(near is not None)
        return super().__call__(image, near)


def test_a_face_that_is_gone_for_a_moment_is_waited_for(model: HeadModel) -> None:
    """And after a second the largest one is looked for; photos have nothing to do with each other."""
    numbers = (0, 1, 7, 7, 2, *[7] * 27, 3)
    detector = Remembering(model)
    video = Numbered("talk", numbers, VideoFacts(SIZE, 25.0, len(numbers)))
    result = fit_images([video], model, detector, DETECTED)
    assert [one.frame for one in result.sets] == [0, 1, 4, 32]
    assert detector.asked == [False, *[True] * 30, False, False]
    assert {why for _, why in result.skipped} == {"the face is gone", "no face found"}
    photos = Remembering(model)
    fit_images([Numbered("ann", (0, 1, 2))], model, photos, DETECTED)
    assert not any(photos.asked)


def test_a_lens_that_would_touch_the_face_is_refused(model: HeadModel) -> None:
    with pytest.raises(InputFileError, match=r"with this lens, the face would be \d+ cm away: give --fov"):
        fit_images([Numbered("ann", (0, 1))], model, Known(model), replace(DETECTED, field_of_view=115))


def test_nobody_is_seen(model: HeadModel) -> None:
    with pytest.raises(InputFileError, match="no face found, and 1 more"):
        fit_images([Numbered("a", (7, 7))], model, Known(model))


def test_options() -> None:
    with pytest.raises(JobError, match="field of view"):
        FitOptions(field_of_view=180)
    with pytest.raises(JobError, match="smoothing"):
        FitOptions(smoothing=-1)
    with pytest.raises(JobError, match="field of view"):
        FitOptions(field_of_view=float("nan"))


def test_a_preview(model: HeadModel) -> None:
    frame = fit_images([Numbered("ann", (3,))], model, Known(model), DETECTED).frames[0]
    picture = draw_preview(np.full((SIZE[1], SIZE[0], 3), 80, np.uint8), frame, model)
    assert max(picture.shape[:2]) == 640
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
