"""What the fit of photos knows of its detector, from renders of known faces: ``assets/fit/open.npz`` and ``brows.npz``.

python tests/bench/fit.py --write-mixed train.parquet --people 46 --faces 1 --seed 31
ffngen render --params train.parquet --n-frames 2 --resolution 256 --samples 8 --seed 32 --out train
python tests/bench/fit.py --write-mixed turned.parquet --people 36 --faces 1 --seed 33 --turned 1.1
ffngen render --params turned.parquet --n-frames 2 --resolution 256 --samples 8 --seed 34 --out turned
python tests/bench/fit_calibrate.py train turned

The first file says where the detector sees the landmarks and how it errs, the second finds the brows in the picture
(:mod:`ffngen.fit.brows`). The errors of found brows are those of regressions that were learned from other people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np
from fit import Known, read_known
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ffngen.fit.brows import LEFT, BrowFinder, Cascade, likeness, mirrored, patches
from ffngen.fit.calibration import Calibration
from ffngen.fit.detect import FaceDetector
from ffngen.fit.forehead import Array32, Strip
from ffngen.fit.observation import BROWS, FLIP, Brows, Observation
from ffngen.fit.prior import N_BETAS, frame_prior
from ffngen.fit.reduced import LandmarkModel
from ffngen.fit.solve import Problem
from ffngen.fit.start import first_guess
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.head.open_head.landmarks import MIRROR_LANDMARK
from ffngen.images import read_image

Array64 = NDArray[np.float64]
Images = NDArray[np.uint8]

#: Modes of a person's constant error that are kept.
MODES = 16
#: By how much the detector's errors, but not those of brows, are taken for larger than measured: they go along
#: with pose and expression, and are no noise that many pictures even out. On ten people (seed 747 of ``fit.py``) brows,
#: jaws, lids and smiles are told better with any value of 1.6 to 3 than with 1; large ones make expressions small.
CORRELATED = 2.0
#: Steps of the cascade, components of the patches, and the ridge's weight.
STEPS, COMPONENTS, RIDGE = 3, 120, 100.0
#: How often each brow is learned from, from starts that differ by so many millimetres, together and each point.
COPIES, SHIFT, SCATTER = 3, 1.5, 0.5
#: A start further off is a face that the detector got wrong, millimetres.
WRONG = 8.0
#: Pictures are learned from as they are and at this share of their resolution.
COARSER = 0.6
#: Parts into which people are divided: each part's brows are found by what was learned from the others.
PARTS = 8
#: The share of brows that look less like brows than those that are relied on. Found points of people whom nothing was
#: learned from are nearer than guessed ones down to about this.
UNLIKE = 0.005


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a known face in which the detector found one."""

    identity: str
    image: Images
    found: Observation
    #: (68, 2) pixels, (68, 3) in the camera's axes.
    pixels: Array64
    places: Array64
    head: Array64


@dataclass(frozen=True, eq=False)
class Sample:
    """A left brow, or a right one mirrored, in a strip: (rows, columns), and (5, 2) column and row."""

    pixels: Array32
    detected: Array64
    true: Array64


def look(known: list[Known], detector: FaceDetector) -> list[Picture]:
    """Detect the faces of all pictures."""
    pictures = []
    for one in known:
        for t, file in enumerate(one.files):
            image = read_image(file)
            found = detector(image)
            if found is not None:
                seen = Observation(found.points, one.camera.K[0, 0], one.camera.K[:2, 2])
                true = one.camera.project(one.points[t])[0]
                at = one.camera.to_camera(one.points[t])
                pictures.append(Picture(one.identity, image, seen, true, at, one.head(t)))
    return pictures


def measure(pictures: list[Picture]) -> Calibration:
    """Where the landmarks are seen, in the head frame, and how surely; both sides alike."""
    slopes, errors = [], []
    for one in pictures:
        seen = one.found
        level = seen.level / seen.scale
        slope = np.zeros((68, 2, 3))
        slope[:, 0, 0] = slope[:, 1, 1] = seen.focal / one.places[:, 2]
        slope[:, :, 2] = -seen.focal * one.places[:, :2] / one.places[:, 2:] ** 2
        slopes.append(level @ (slope * FLIP) @ Rotation.from_rotvec(one.head).as_matrix())
        errors.append((seen.points - one.pixels) @ level.T)
    slope, error = np.array(slopes), np.array(errors)
    people = [one.identity for one in pictures]
    mirror = list(MIRROR_LANDMARK)
    # A mirrored picture of a mirrored face: x changes its sign in both.
    slope_2 = slope[:, mirror] * np.array([[-1], [1]]) * np.array([-1, 1, 1])
    error_2 = error[:, mirror] * np.array([-1, 1])
    slope, error = np.concatenate([slope, slope_2]), np.concatenate([error, error_2])
    offsets = np.zeros((68, 3))
    ridge = 0.02 * len(slope) * np.diag([1.0, 1.0, 4.0])
    for _ in range(10):  # robust: an error beyond 3% counts by its size
        left = error - np.einsum("nlij,lj->nli", slope, offsets)
        weight = np.minimum(1, 0.03 / np.maximum(np.linalg.norm(left, axis=2), 1e-9))
        matrix = np.einsum("nl,nlij,nlik->ljk", weight, slope, slope) + ridge
        offsets = np.linalg.solve(matrix, np.einsum("nl,nlij,nli->lj", weight, slope, error)[..., None])[..., 0]
    left = np.clip(error - np.einsum("nlij,lj->nli", slope, offsets), -0.1, 0.1)
    # What a person's pictures have in common, and the rest.
    names = np.array(people + [f"mirrored {name}" for name in people])
    own, rest = [], []
    for name in sorted(set(names)):
        theirs = left[names == name]
        own.append(theirs.mean(axis=0))
        rest.append((theirs - theirs.mean(axis=0)) * np.sqrt(len(theirs) / max(len(theirs) - 1, 1)))
    within, between = (np.concatenate(rows).reshape(-1, 136) for rows in (rest, [np.array(own)]))
    covariance = within.T @ within / len(within)
    covariance = 0.9 * covariance + 0.1 * np.diag(np.diag(covariance))
    # The main modes of what is constant; the rest is an error like another one.
    values, vectors = np.linalg.eigh(between.T @ between / len(between))
    biases = (vectors[:, -MODES:] * np.sqrt(values[-MODES:])).T[::-1]
    rest_of_it = np.diag(between.T @ between) / len(between) - (biases**2).sum(axis=0)
    covariance += np.diag(np.maximum(rest_of_it, 0))
    rows = slice(2 * BROWS.start, 2 * BROWS.stop)
    everything = left.reshape(-1, 136)[:, rows]
    return Calibration(offsets, covariance, biases, everything.T @ everything / len(everything))


def samples_of(pictures: list[Picture], starts: list[Array64], finder: BrowFinder) -> list[list[Sample]]:
    """Each picture's brows: left and right, and both again of a coarser picture."""
    forehead, width = finder.forehead, finder.forehead.size[1] - 1
    samples = []
    for one, x in zip(pictures, starts, strict=True):
        seen = one.found
        size = one.image.shape[1::-1]
        small = cv2.resize(one.image, None, fx=COARSER, fy=COARSER, interpolation=cv2.INTER_AREA)
        strips = [Strip(forehead, image, seen, x) for image in (one.image, cv2.resize(small, size))]
        detected = finder.detected(strips[0], seen)
        true = forehead.rest[BROWS, :2]
        for _ in range(3):
            true = strips[0].to_face(one.pixels[BROWS], forehead.depth_at(true))
        true = forehead.column_row(true)
        samples.append([])
        for strip in strips:
            turned = np.ascontiguousarray(strip.pixels[:, ::-1])
            samples[-1].append(Sample(strip.pixels, detected[LEFT], true[LEFT]))
            samples[-1].append(Sample(turned, mirrored(detected, width)[LEFT], mirrored(true, width)[LEFT]))
    return samples


def learn(samples: list[Sample], start: Array64, rng: np.random.Generator) -> Cascade:
    """A cascade for brows like these."""
    good = [one for one in samples if np.abs(one.detected - one.true).max() < WRONG]
    pixels = [one.pixels for one in good] * COPIES
    true = np.array([one.true for one in good] * COPIES)
    points = np.array([one.detected for one in good] * COPIES)
    moved = points[len(good) :]
    moved += SHIFT * rng.normal(size=(len(moved), 1, 2)) + SCATTER * rng.normal(size=moved.shape)
    means, weights = [], []
    for _ in range(STEPS):
        table = np.array([patches(*both) for both in zip(pixels, points, strict=True)])
        mean = table.mean(axis=0)
        axes = np.linalg.eigh((table - mean).T @ (table - mean))[1][:, -COMPONENTS:]
        inside = np.column_stack([(table - mean) @ axes, np.ones(len(table))])
        ridge = RIDGE * np.eye(inside.shape[1])
        ridge[-1, -1] = 0
        solved = np.linalg.solve(inside.T @ inside + ridge, inside.T @ (true - points).reshape(-1, 10))
        means.append(mean)
        weights.append(np.vstack([axes @ solved[:-1], solved[-1:]]))
        points = points + (inside @ solved).reshape(-1, 5, 2)
    typical = np.mean([patches(one.pixels, one.true) for one in good], axis=0)
    likely = [likeness(patches(*both), typical) for both in zip(pixels, points, strict=True)]
    return Cascade(start, np.array(means), np.array(weights), typical, float(np.quantile(likely, UNLIKE)))


def find(pictures: list[Picture], starts: list[Array64], finder: BrowFinder) -> list[Picture]:
    """The pictures with the brows that a finder finds."""
    return [replace(one, found=finder(one.image, one.found, x)) for one, x in zip(pictures, starts, strict=True)]


def calibrate(pictures: list[Picture], model: HeadModel) -> tuple[Calibration, Cascade, list[Picture]]:
    """What is known of the detector and of brows, and the pictures with brows found by what others' taught."""
    prior, plain = frame_prior(model), measure(pictures)
    reduced = LandmarkModel(model, n_betas=N_BETAS, columns=prior.columns, offsets=plain.offsets)
    problem = Problem(reduced, prior, plain)
    starts = [first_guess(problem, replace(one.found, brows=Brows.UNKNOWN)) for one in pictures]
    nothing = np.zeros((0, 0), dtype=np.float32)
    off = plain.offsets[BROWS][LEFT]
    samples = samples_of(pictures, starts, BrowFinder(reduced, Cascade(off, nothing, nothing, nothing, 0)))
    numbers = {name: number for number, name in enumerate(sorted({one.identity for one in pictures}))}
    part = np.array([numbers[one.identity] % PARTS for one in pictures])
    again = list(pictures)
    for held in range(PARTS):
        others = [one for i in np.flatnonzero(part != held) for one in samples[i]]
        finder = BrowFinder(reduced, learn(others, off, np.random.default_rng(held)))
        theirs = np.flatnonzero(part == held)
        found = find([pictures[i] for i in theirs], [starts[i] for i in theirs], finder)
        for i, one in zip(theirs, found, strict=True):
            again[i] = one
    cascade = learn([one for both in samples for one in both], off, np.random.default_rng(PARTS))
    known = measure([one for one in again if one.found.brows is Brows.FOUND])
    # Brows that are not found are the detector's, moved by what it errs by on average.
    guessed = measure(find(pictures, starts, BrowFinder(reduced, replace(cascade, least=2.0)))).guessed
    larger = np.full(2 * 68, CORRELATED)
    larger[2 * BROWS.start : 2 * BROWS.stop] = 1
    covariance = known.covariance * np.outer(larger, larger)
    return replace(known, covariance=covariance, guessed=guessed), cascade, again


@click.command()
@click.argument("datasets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def main(datasets: tuple[Path, ...]) -> None:
    model, detector = load_head("open"), FaceDetector()
    pictures = look([one for path in datasets for one in read_known(path, model, head_only=True)], detector)
    known, cascade, again = calibrate(pictures, model)
    errors = {Brows.FOUND: [], Brows.GUESSED: []}
    for one in again:
        errors[one.found.brows].append(np.linalg.norm((one.found.points - one.pixels)[BROWS], axis=1) / one.found.scale)
    for brows, rows in errors.items():
        if rows:
            print(f"{len(rows)} of {len(again)} brows {brows.value}: {100 * np.median(rows):.2f}% off in the median")
    folder = Path(__file__).parents[2] / "assets" / "fit"
    arrays = {name: getattr(known, name).astype(np.float32) for name in ("offsets", "covariance", "biases", "guessed")}
    np.savez_compressed(folder / "open.npz", **arrays)
    np.savez_compressed(
        folder / "brows.npz",
        start=cascade.start.astype(np.float32),
        mean=cascade.mean.astype(np.float16),
        weights=cascade.weights.astype(np.float32),
        typical=cascade.typical.astype(np.float16),
        least=np.float32(cascade.least),
    )


if __name__ == "__main__":
    main()
