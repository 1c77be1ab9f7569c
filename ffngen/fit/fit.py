"""Photos and videos in, parameter sets out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import radians, tan
from pathlib import Path

import numpy as np

from ffngen.errors import InputFileError, JobError
from ffngen.fit.calibration import calibration
from ffngen.fit.detect import Detector, FoundFace, Rgb
from ffngen.fit.footage import Footage
from ffngen.fit.gaze import eye_pose
from ffngen.fit.observation import FLIP, INNER, Observation
from ffngen.fit.prior import HEAD, JAW, N_BETAS, RIGID, TRANSLATION, FramePrior, frame_prior
from ffngen.fit.reduced import LandmarkModel, pose_vector
from ffngen.fit.refine import LandmarkRefiner
from ffngen.fit.solve import PersonFit, Problem, solve
from ffngen.fit.start import first_guess
from ffngen.geometry.camera import Camera
from ffngen.head.model import HeadModel
from ffngen.head.skinning import Array64
from ffngen.params.parameter_set import ParameterSet

#: An identity is fitted to so many of a person's frames, evenly chosen; the others are fitted with it.
_KEY_FRAMES = 40
#: A long video is smoothed in stretches, each with a few frames of the next one.
_STRETCH, _AHEAD = 400, 12
_NO_FACE = "no face found"
#: A video's face is waited for so many seconds; after that the largest one is taken again.
_AWAY = 1.0
#: Metres from the middle of the head: no photo is taken from nearer.
_NEAREST = 0.25

#: Degrees: the field of view of a lens for portraits.
PORTRAIT = 30.0

#: Told (what, done, total or None).
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    :param field_of_view: of the camera along the picture's longer side, degrees; None takes each photo's from its EXIF
        data, and a portrait lens's where there is none.
    :param smoothing: of videos; 0 fits each frame for itself, 1 is natural motion.
    :param refine: look for the open head's landmarks in the pictures again; else they are where the detector says.
    """

    field_of_view: float | None = None
    smoothing: float = 1.0
    refine: bool = True

    def __post_init__(self) -> None:
        if self.field_of_view is not None and not 1 <= self.field_of_view <= 120:
            what = f"a field of view of {self.field_of_view:g} degrees"
            raise JobError(what, where="field of view", mend="use 1 to 120, such as 30 for a portrait")
        if not 0 <= self.smoothing <= 1000:
            raise JobError(f"a smoothing of {self.smoothing:g}", where="smoothing", mend="use 0 to 1000")


@dataclass(frozen=True, eq=False)
class FittedFrame:
    """A picture's face.

    :param name: the picture's.
    :param parameters: what was fitted.
    :param found: what the detector found.
    :param fitted: (68, 2) pixels, the landmarks of the fitted head where the detector would see them.
    :param error: root mean square distance of found and fitted inner landmarks (17 to 67), as a share of the distance
        of the outer corners of the eyes, as it would be if the face were not turned.
    """

    name: str
    parameters: ParameterSet
    found: FoundFace
    fitted: Array64
    error: float


@dataclass(frozen=True, eq=False)
class FitResult:
    """The faces that were fitted, and the pictures that were not: (name, why)."""

    frames: tuple[FittedFrame, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def sets(self) -> list[ParameterSet]:
        """The parameter sets, in order."""
        return [frame.parameters for frame in self.frames]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A picture in which a face was found, and its number among the person's pictures."""

    name: str
    number: int
    size: tuple[int, int]
    found: FoundFace
    observation: Observation
    start: Array64


class _Fitter:
    def __init__(self, model: HeadModel, options: FitOptions) -> None:
        self.model = model
        self.options = options
        known = calibration(model.family)
        self.prior: FramePrior = frame_prior(model)
        reduced = LandmarkModel(model, n_betas=N_BETAS, columns=self.prior.columns, offsets=known.offsets)
        self.problem = Problem(reduced, self.prior, known)
        self.refiner = LandmarkRefiner(reduced) if options.refine and model.family == "open" else None

    def observe(self, person: Footage, name: str, number: int, image: Rgb, found: FoundFace) -> _Seen:
        """A found face with the camera that is known or assumed, and where the fit begins."""
        size = (image.shape[1], image.shape[0])
        angle = self.options.field_of_view
        focal = person.focal(number, size) if angle is None else None
        if focal is None:
            focal = (max(size) / 2) / tan(radians(PORTRAIT if angle is None else angle) / 2)
        centre = (np.array(size) - 1) / 2
        seen = Observation(found.points, focal, centre)
        start = first_guess(self.problem, seen)
        if self.refiner is not None:
            seen = self.refiner(image, seen, start)
        return _Seen(name, number, size, replace(found, points=seen.points), seen, start)

    def person(self, seen: Sequence[_Seen], rate: float | None, progress: Callable[[int], None]) -> PersonFit:
        """Identity and frames of one person; ``rate`` is of a video's frames, which are smoothed."""
        problem = self.problem
        frames = np.array([one.start for one in seen])
        everything = [one.observation for one in seen]
        keys = np.unique(np.linspace(0, len(seen) - 1, min(len(seen), _KEY_FRAMES)).round().astype(int))
        neutral = np.zeros(problem.n_shared)
        fit = solve(problem, [everything[i] for i in keys], PersonFit(neutral, frames[keys]))
        frames[keys] = fit.frames
        progress(len(keys) - 1)
        smoothed = rate is not None and self.options.smoothing > 0 and len(seen) > 1
        if len(keys) < len(seen):
            for i in sorted(set(range(len(seen))) - set(keys.tolist())):
                begin = PersonFit(fit.shared, frames[i : i + 1])
                frames[i] = solve(problem, everything[i : i + 1], begin, fit_identity=False).frames[0]
                progress(i)
        if smoothed:
            assert rate is not None
            frames = self._smooth(fit.shared, frames, seen, rate)
        return PersonFit(fit.shared, frames)

    def _smooth(self, shared: Array64, frames: Array64, seen: Sequence[_Seen], rate: float) -> Array64:
        numbers = np.array([one.number for one in seen], dtype=np.float64)
        gaps = np.diff(numbers, prepend=numbers[0] - 1) / rate
        weights = self.options.smoothing / (self.prior.pace * gaps[:, None]) ** 2
        smoothed = frames.copy()
        for begin in range(0, len(seen), _STRETCH):
            part = slice(begin, min(begin + _STRETCH + _AHEAD, len(seen)))
            anchor = smoothed[begin - 1] if begin else None
            observations = [one.observation for one in seen[part]]
            start = PersonFit(shared, frames[part])
            found = solve(
                self.problem, observations, start, fit_identity=False, smooth=weights[part], anchor=anchor
            ).frames
            smoothed[begin : begin + _STRETCH] = found[:_STRETCH]
        return smoothed

    def describe(self, seen: _Seen, fit: PersonFit, x: Array64, reference: Array64, person: Footage) -> FittedFrame:
        """A frame's parameters and how well they fit."""
        problem, observation = self.problem, seen.observation
        betas = fit.shared[problem.identity]
        expression = np.zeros(self.model.expression_count)
        expression[list(self.prior.columns)] = x[RIGID:]
        pose = pose_vector(x[HEAD], x[JAW])
        pose[9:] = eye_pose(problem.model, betas, x, observation, seen.found)
        T_world_cam = np.eye(4)
        T_world_cam[:3, :3] = np.diag(FLIP)
        T_world_cam[:3, 3] = -FLIP * reference
        focal, (cx, cy) = observation.focal, observation.centre
        camera = Camera(np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]]), T_world_cam, *seen.size)
        video = person.video
        fitted = problem.project(fit.shared, x, observation)
        distance = np.linalg.norm(fitted - observation.points, axis=1)[INNER]
        parameters = ParameterSet(
            betas=betas,
            expression=expression,
            pose=pose,
            family=self.model.family,
            identity=person.identity,
            emotion="none",
            source=f"fit: {seen.name}",
            translation=FLIP * (x[TRANSLATION] - reference),
            camera=camera,
            track=person.track,
            frame=None if video is None else seen.number,
            fps=None if video is None else video.rate,
            image=person.image_of(seen.number),
        )
        error = float(np.sqrt((distance**2).mean()) / observation.scale)
        return FittedFrame(seen.name, parameters, seen.found, fitted, error)


def fit_images(
    people: Sequence[Footage],
    model: HeadModel,
    detector: Detector,
    options: FitOptions | None = None,
    progress: Progress = lambda what, done, total: None,
) -> FitResult:
    """Fit a head model to the faces of photos and videos.

    :param people: each with pictures that share one identity. Two videos of a person are fitted each for itself.
    :param detector: finds a face's landmarks.
    :raises HeadModelError: the model has no landmarks.
    :raises InputFileError: a video cannot be decoded, or no picture has a face.
    """
    fitter = _Fitter(model, FitOptions() if options is None else options)
    counts = [person.count for person in people]
    total = None if None in counts else sum(count or 0 for count in counts)
    frames: list[FittedFrame] = []
    skipped: list[tuple[str, str]] = []
    looked = 0
    for person in people:
        seen: list[_Seen] = []
        last: FoundFace | None = None
        missed = 0
        for number, (name, image) in enumerate(person.read()):
            looked += 1
            progress("finding faces", looked, total)
            if isinstance(image, InputFileError):
                skipped.append((name, image.what))
                continue
            if person.video is not None and missed > _AWAY * person.video.rate:
                last = None
            found = detector(image, last)
            if found is None:
                skipped.append((name, _NO_FACE if last is None else "the face is gone"))
                missed += 1
                continue
            if person.video is not None:
                last, missed = found, 0
            one = fitter.observe(person, name, number, image, found)
            distance = float(one.start[TRANSLATION][2])
            if distance < _NEAREST:
                skipped.append((name, f"with this lens, the face would be {100 * distance:.0f} cm away: give --fov"))
                continue
            seen.append(one)
        if not seen:
            continue
        rate = None if person.video is None else person.video.rate
        count = len(seen)
        fit = fitter.person(seen, rate, lambda done, n=count: progress("fitting", done + 1, n))  # type: ignore[misc]
        # A video has one camera, about which the head moves; each photo has its own.
        middle = np.median(fit.frames[:, TRANSLATION], axis=0)
        for one, x in zip(seen, fit.frames, strict=True):
            reference = x[TRANSLATION] if person.video is None else middle
            frames.append(fitter.describe(one, fit, x, reference, person))
    if not frames:
        first, why = skipped[0] if skipped else ("the footage", "has no frames")
        more = f", and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        # Of files that cannot be read, the reason says what to mend.
        unseen = any(why == _NO_FACE for _, why in skipped)
        faces = "a face that fills a tenth of their width and is turned by less than 60 degrees"
        mend = f"give pictures with {faces}" if unseen else None
        raise InputFileError(f"{why}{more}", where=Path(first), mend=mend)
    return FitResult(tuple(frames), tuple(skipped))
