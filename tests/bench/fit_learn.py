"""What the fit of photos learns from renders of known faces: ``assets/fit/landmarks.onnx`` and ``open.npz``.

pip install onnx
python tests/bench/fit.py --write-mixed a.parquet --people 231 --faces 6 --tracks --seed 41 --turned 0.7
ffngen render --params a.parquet --motion tracked --resolution 256 --samples 8 --seed 42 --out a
python tests/bench/fit.py --write-mixed b.parquet --people 61 --faces 6 --tracks --seed 43 --turned 1.2
ffngen render --params b.parquet --motion tracked --resolution 256 --samples 8 --seed 44 --out b
python tests/bench/fit_learn.py a b

The network finds the landmarks in the picture (:mod:`ffngen.fit.refine`); it learns from four fifths of the people. The
rest tell how it errs, and all of them where the detector sees the landmarks and how that errs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np
from fit_network import Example, learn, write_onnx
from numpy.typing import NDArray

from ffngen.fit.calibration import ARRAYS, Calibration, calibration
from ffngen.fit.detect import FaceDetector
from ffngen.fit.frontal import FrontalFace, FrontalView
from ffngen.fit.observation import FLIP, INNER, Observation
from ffngen.fit.prior import N_BETAS, frame_prior
from ffngen.fit.reduced import LandmarkModel
from ffngen.fit.refine import LandmarkRefiner
from ffngen.fit.solve import Problem
from ffngen.fit.start import first_guess
from ffngen.geometry.camera import Camera
from ffngen.geometry.rigid import rotation_between
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.head.open_head.landmarks import MIRROR_LANDMARK
from ffngen.images import read_image

Array64 = NDArray[np.float64]
Images = NDArray[np.uint8]

#: Modes of a person's constant error that are kept.
MODES = 16
#: By how much the errors of landmarks are taken for larger than measured: they go along with pose and expression, and
#: are no noise that many pictures even out. Chosen with ten people (seed 747 of ``fit.py``).
CORRELATED = 1.4
#: How often the network sees each picture, and which of so many people it does not.
EPOCHS, HELD_OUT = 40, 5
#: The brows among the landmarks.
BROWS = slice(17, 27)
#: Pictures are learned from as they are and at this share of their resolution.
COARSER = 0.6
#: A face that the detector got wrong: median millimetres of the inner landmarks.
WRONG = 12.0


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a known face in which the detector found one.

    :param person: a number.
    :param points: (68, 3) metres, the true landmarks, and the head's rotation (3, 3).
    """

    person: int
    image: Images
    camera: Camera
    points: Array64
    turn: Array64
    found: Observation

    def pixels(self, offsets: Array64) -> Array64:
        """Where the landmarks (68, 2) are, or where they are seen (68, 3) off in the head frame."""
        return self.camera.project(self.points + offsets @ self.turn.T)[0]


def look(dataset: Path, model: HeadModel, detector: FaceDetector) -> list[Picture]:
    """Detect the faces of all pictures of a dataset, head-only ones too."""
    assert model.landmarks is not None
    skull = np.unique(model.faces[model.regions["scalp"]])
    pictures = []
    for path in sorted(dataset.glob("metadata/*/*/*/metadata.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        camera, person = Camera.from_json(data["camera"]), int(data["identity"].split("-")[-1])
        shape = model.with_shape(data["parameters"]["betas"]).neutral[skull]
        for kind, first in (("facial", 1), ("head", 2)):
            files = dataset / "image" / kind / path.parent.relative_to(dataset / "metadata")
            for number, vertices in enumerate(np.load(path.parent / "vertices.npz")[kind], first):
                vertices = vertices[: model.vertex_count].astype(np.float64)
                image = read_image(files / f"{number:04d}.jpg")
                found = detector(image)
                if found is not None:
                    seen = Observation(found.points, camera.K[0, 0], camera.K[:2, 2])
                    points = model.landmarks.evaluate(vertices)
                    pictures.append(
                        Picture(person, image, camera, points, rotation_between(shape, vertices[skull]), seen)
                    )
    return pictures


def seen_at(pictures: list[Picture]) -> Array64:
    """Where landmarks are seen (68, 3), metres in the head frame from where they are; both sides alike."""
    slopes, errors = [], []
    for one in pictures:
        seen, at = one.found, one.camera.to_camera(one.points)
        level = seen.level / seen.scale
        slope = np.zeros((68, 2, 3))
        slope[:, 0, 0] = slope[:, 1, 1] = seen.focal / at[:, 2]
        slope[:, :, 2] = -seen.focal * at[:, :2] / at[:, 2:] ** 2
        slopes.append(level @ (slope * FLIP) @ one.turn)
        errors.append((seen.points - one.pixels(np.zeros(3))) @ level.T)
    slope, error = np.array(slopes), np.array(errors)
    mirror = list(MIRROR_LANDMARK)
    # A mirrored picture of a mirrored face: x changes its sign in both.
    slope = np.concatenate([slope, slope[:, mirror] * np.array([[-1], [1]]) * np.array([-1, 1, 1])])
    error = np.concatenate([error, error[:, mirror] * np.array([-1, 1])])
    offsets = np.zeros((68, 3))
    ridge = 0.02 * len(slope) * np.diag([1.0, 1.0, 4.0])
    for _ in range(10):  # robust: an error beyond 3% counts by its size
        left = error - np.einsum("nlij,lj->nli", slope, offsets)
        weight = np.minimum(1, 0.03 / np.maximum(np.linalg.norm(left, axis=2), 1e-9))
        matrix = np.einsum("nl,nlij,nlik->ljk", weight, slope, slope) + ridge
        offsets = np.linalg.solve(matrix, np.einsum("nl,nlij,nli->lj", weight, slope, error)[..., None])[..., 0]
    # Brows are drawn where most people have them, which is nowhere in particular.
    offsets[BROWS] = 0
    return offsets


def errors_of(pictures: list[Picture], offsets: Array64) -> tuple[Array64, NDArray[np.int64]]:
    """Errors (N, 136), shares of the inter-ocular distance, of pictures and mirrored ones; and whose they are (N,)."""
    rows = [(one.found.points - one.pixels(offsets)) @ (one.found.level / one.found.scale).T for one in pictures]
    both = np.concatenate([rows, np.array(rows)[:, list(MIRROR_LANDMARK)] * [-1, 1]])
    people = np.array([one.person for one in pictures])
    return np.clip(both, -0.1, 0.1).reshape(len(both), 136), np.concatenate([people, -1 - people])


def shrunk(rows: Array64) -> Array64:
    """The covariance (K, K) of rows (N, K) whose mean is zero, a tenth of the way to a diagonal one."""
    covariance = rows.T @ rows / len(rows)
    part: Array64 = 0.9 * covariance + 0.1 * np.diag(np.diag(covariance))
    return part


def calibrate(plain: list[Picture], refined: list[Picture], offsets: Array64) -> Calibration:
    """How the detector errs, and how landmarks err that were looked for again."""
    errors, people = errors_of(refined, offsets)
    deviation = np.array([one.found.deviation for one in refined])
    deviation = np.repeat(np.concatenate([deviation, deviation[:, list(MIRROR_LANDMARK)]]), 2, axis=1)
    # What a person's pictures have in common, and the rest.
    own, rest = [], []
    for name in np.unique(people):
        theirs = errors[people == name]
        own.append(theirs.mean(axis=0))
        spread = (theirs - theirs.mean(axis=0)) * np.sqrt(len(theirs) / max(len(theirs) - 1, 1))
        rest.append(spread / deviation[people == name])
    between, within = np.array(own), shrunk(np.concatenate(rest))
    # The main modes of what is constant; the rest is an error like another one.
    values, vectors = np.linalg.eigh(between.T @ between / len(between))
    biases = (vectors[:, -MODES:] * np.sqrt(values[-MODES:])).T[::-1]
    left = np.diag(between.T @ between) / len(between) - (biases**2).sum(axis=0)
    within += np.diag(np.maximum(left, 0) / np.median(deviation, axis=0) ** 2)
    return Calibration(offsets, shrunk(errors_of(plain, offsets)[0]), CORRELATED**2 * within, biases)


def example_of(one: Picture, x: Array64, face: FrontalFace, offsets: Array64) -> Example:
    """What the network learns from a picture."""
    small = cv2.resize(one.image, None, fx=COARSER, fy=COARSER, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(small, one.image.shape[1::-1])
    views = [FrontalView(face, image, one.found, x) for image in (one.image, coarse)]
    depth = face.rest[INNER, 2]
    detected, true = (views[0].place(points[INNER], depth) for points in (one.found.points, one.pixels(offsets)))
    grey = [np.clip(view.pixels, 0, 255).astype(np.uint8) for view in views]
    return Example((grey[0], grey[1]), detected, true)


@click.command()
@click.argument("datasets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parents[2] / "assets" / "fit")
@click.option("--epochs", type=int, default=EPOCHS, show_default=True)
def main(datasets: tuple[Path, ...], out: Path, epochs: int) -> None:
    model, detector = load_head("open"), FaceDetector()
    pictures: list[Picture] = []
    for dataset in datasets:
        first = 1 + max((one.person for one in pictures), default=-1)
        pictures += [replace(one, person=first + one.person) for one in look(dataset, model, detector)]
    offsets, prior = seen_at(pictures), frame_prior(model)
    reduced = LandmarkModel(model, n_betas=N_BETAS, columns=prior.columns, offsets=offsets)
    problem = Problem(reduced, prior, replace(calibration("open"), detected=shrunk(errors_of(pictures, offsets)[0])))
    starts = [first_guess(problem, one.found) for one in pictures]
    face = FrontalFace(reduced)
    examples = [example_of(one, x, face, offsets) for one, x in zip(pictures, starts, strict=True)]
    learned = [
        example
        for one, example in zip(pictures, examples, strict=True)
        if one.person % HELD_OUT and np.median(np.abs(example.detected - example.true)) < WRONG
    ]
    write_onnx(learn(learned, epochs), out / "landmarks.onnx")
    refiner = LandmarkRefiner(reduced, out / "landmarks.onnx")
    others = [(one, x) for one, x in zip(pictures, starts, strict=True) if one.person % HELD_OUT == 0]
    again = [replace(one, found=refiner(one.image, one.found, x)) for one, x in others]
    again = [one for one in again if one.found.deviation is not None]
    known = calibrate(pictures, again, offsets)
    np.savez_compressed(out / "open.npz", **{name: getattr(known, name).astype(np.float32) for name in ARRAYS})
    for name, some in (("detected", [one for one, _ in others]), ("looked for again", again)):
        off = 100 * np.linalg.norm(errors_of(some, offsets)[0].reshape(-1, 68, 2)[:, INNER], axis=-1)
        print(f"{len(some)} of {len(others)} {name}: {np.median(off):.2f}% off in the median")


if __name__ == "__main__":
    main()
