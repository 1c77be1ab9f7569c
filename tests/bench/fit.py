"""The fit of photos, against renders of known faces: ``ffngen render`` made the pictures, its metadata is the truth.

python tests/bench/fit.py --write-mixed mixed.parquet --people 10 --faces 10 --seed 9191
ffngen render --params mixed.parquet --n-frames 2 --resolution 256 --samples 8 --seed 9192 --out mixed
python tests/bench/fit.py mixed [--fov 30] [--json]

Each person has 20 pictures of one to four actions, at any strength and at half of it. They are fitted together, as of
one person, and each one alone. What the fit knows of its detector was measured on other people
(``tests/bench/fit_learn.py``), and constants of it were chosen with ten others (seeds 747 and 748).

``--true-landmarks NOISE`` puts the true landmarks in the detector's place: what the fit could do at best.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ffngen.fit.calibration import calibration
from ffngen.fit.detect import Detector, FaceDetector, FoundFace, Rgb
from ffngen.fit.fit import FitOptions, FittedFrame, fit_images
from ffngen.fit.footage import Footage
from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.sampler import sample_parameter_set
from ffngen.params.table import write_parameter_sets

Array64 = NDArray[np.float64]
#: Fitted pictures, by file.
Frames = dict[Path, FittedFrame]

ACTIONS = (
    "jawOpen",
    "mouthSmile",
    "mouthFrown",
    "mouthPucker",
    "mouthFunnel",
    "mouthStretch",
    "mouthUpperUp",
    "mouthLowerDown",
    "browInnerUp",
    "browOuterUp",
    "browDown",
    "eyeBlink",
    "eyeWide",
    "eyeSquint",
    "noseSneer",
)


COMMON = (
    "jawOpen",
    "mouthSmile",
    "mouthFrown",
    "mouthPucker",
    "browInnerUp",
    "browDown",
    "browOuterUp",
    "eyeBlink",
)
RARER = ("eyeWide", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "noseSneer", "mouthFunnel")


@dataclass(frozen=True)
class Known:
    """A rendered sequence: its pictures, and what each shows."""

    name: str
    identity: str
    files: tuple[Path, ...]
    camera: Camera
    betas: Array64
    expression: Array64
    pose: Array64
    points: Array64

    def head(self, t: int) -> Array64:
        """The head's whole rotation in a frame (3,)."""
        turn: Array64 = (Rotation.from_rotvec(self.pose[t, :3]) * Rotation.from_rotvec(self.pose[t, 3:6])).as_rotvec()
        return turn


def read_known(dataset: Path, model: HeadModel) -> list[Known]:
    """The sequences of a dataset."""
    known = []
    for path in sorted(dataset.glob("metadata/*/*/*/metadata.json"), key=lambda path: path.parent.name):
        data = json.loads(path.read_text(encoding="utf-8"))
        parameters, n = data["parameters"], data["n_frames"]
        shares = np.arange(1, n + 1)[:, None] / n
        expression = shares * np.array(parameters["expression"])
        pose = shares * np.array(parameters["pose"])
        assert model.landmarks is not None
        points = model.landmarks.evaluate(model.vertices(parameters["betas"], expression, pose))
        place = path.parent.relative_to(dataset / "metadata")
        files = tuple(sorted((dataset / "image" / "facial" / place).glob("*.*")))
        camera = Camera.from_json(data["camera"])
        known.append(
            Known(
                path.parent.name,
                f"{dataset.name} {data['identity']}",
                files,
                camera,
                np.array(parameters["betas"]),
                expression,
                pose,
                points,
            )
        )
    return known


def mixed_actions(
    model: HeadModel, people: int, faces: int, seed: int, turned: float, tracks: bool
) -> list[ParameterSet]:
    """People with so many faces each, of one to three common actions and at times a rarer one.

    :param turned: the share of a sampled head's rotation that is kept.
    :param tracks: a person's faces, at any strength, are the frames of one recording.
    """
    names, rng = list(model.expression_names), np.random.default_rng([seed, 1])
    sets = []
    for person in range(people):
        for number in range(faces):
            plain = sample_parameter_set(
                model.shape_count, names, seed=seed, identity_index=person, emotion="neutral", expression_index=number
            )
            expression = np.zeros(len(names))
            chosen = rng.choice(COMMON, size=rng.integers(1, 4), replace=False).tolist()
            for unit in chosen + rng.choice(RARER, size=rng.integers(0, 2), replace=False).tolist():
                strength = rng.uniform(0.2, 0.9)
                for name in (unit, unit + "Left", unit + "Right"):
                    if name in names:
                        expression[names.index(name)] = np.clip(strength * (1 + rng.normal() * 0.1), 0, 1)
            one = replace(plain, expression=expression, pose=turned * plain.pose, emotion="none")
            sets.append(replace(one, track=one.identity, frame=number, fps=25.0) if tracks else one)
    if not tracks:
        return sets
    shares = np.random.default_rng([seed, 2]).uniform(0.35, 1, len(sets))
    return [replace(one, expression=share * one.expression) for one, share in zip(sets, shares, strict=True)]


def by_person(known: list[Known]) -> list[Footage]:
    """All pictures of a person as one footage."""
    files: dict[str, list[Path]] = {}
    for one in known:
        files.setdefault(one.identity, []).extend(one.files)
    return [Footage(name, tuple(paths)) for name, paths in files.items()]


def known_landmarks(known: list[Known], noise: float) -> Detector:
    """A detector that knows where the landmarks are, asked for the pictures of :func:`by_person` in their order.

    :param noise: deviation of its error, independent at each landmark, as a share of the inter-ocular distance.
        Its irises are the corners of the eyes, so that figures of the gaze mean nothing.
    """
    offsets, rng = calibration("open").offsets, np.random.default_rng(0)
    places: dict[Path, FoundFace] = {}
    for one in known:
        for t, file in enumerate(one.files):
            turn = Rotation.from_rotvec(one.head(t)).as_matrix()
            points = one.camera.project(one.points[t] + offsets @ turn.T)[0]
            points += noise * np.linalg.norm(points[36] - points[45]) * rng.normal(size=points.shape)
            places[file] = FoundFace(points, points[[45, 36]])
    order = [file for person in by_person(known) for file in person.files]
    calls = itertools.count()
    return lambda image, near: places[order[next(calls) % len(order)]]


def main_figures(known: list[Known], frames: Frames, model: HeadModel) -> dict[str, Any]:
    """Errors of the fitted faces against the true ones."""
    index = {name: i for i, name in enumerate(model.expression_names)}
    residual, true_error, true, fitted, head, gaze = [], [], [], [], [], []
    assert model.landmarks is not None
    for one in known:
        for t, file in enumerate(one.files):
            frame = frames.get(file)
            if frame is None:
                continue
            parameters = frame.parameters
            found = frame.found.points
            residual.append(np.linalg.norm(frame.fitted - found, axis=1) / np.linalg.norm(found[36] - found[45]))
            vertices = model.vertices(parameters.betas, parameters.expression[None], parameters.pose[None])[0]
            assert parameters.camera is not None
            here = parameters.camera.project(model.landmarks.evaluate(vertices + parameters.translation))[0]
            there = one.camera.project(one.points[t])[0]
            true_error.append(np.linalg.norm(here - there, axis=1) / np.linalg.norm(there[36] - there[45]))
            true.append(one.expression[t])
            fitted.append(parameters.expression)
            turn = Rotation.from_rotvec(np.array(parameters.pose[:3])) * Rotation.from_rotvec(
                np.array(parameters.pose[3:6])
            )
            head.append(np.degrees((turn.inv() * Rotation.from_rotvec(one.head(t))).magnitude()))
            gaze.append([*_angles(np.array(parameters.pose[9:12])), *_angles(one.pose[t, 9:12])])
    residuals, errors = np.array(residual), np.array(true_error)
    figures: dict[str, Any] = {
        "frames": len(residual),
        "of": sum(len(one.files) for one in known),
        "found_to_fitted_median_percent": 100 * float(np.median(residuals)),
        "found_to_fitted_inner_median_percent": 100 * float(np.median(residuals[:, 17:])),
        "true_to_fitted_median_percent": 100 * float(np.median(errors)),
        "true_to_fitted_inner_median_percent": 100 * float(np.median(errors[:, 17:])),
        "true_to_fitted_contour_median_percent": 100 * float(np.median(errors[:, :17])),
        "head_degrees_median": float(np.median(head)),
    }
    gazes = np.array(gaze)
    for axis, name in enumerate(("gaze_yaw", "gaze_pitch")):
        figures[name + "_correlation"] = float(np.corrcoef(gazes[:, axis], gazes[:, 2 + axis])[0, 1])
        figures[name + "_degrees_true_deviation"] = float(np.degrees(gazes[:, 2 + axis].std()))
        figures[name + "_degrees_median"] = float(np.degrees(np.median(np.abs(gazes[:, axis] - gazes[:, 2 + axis]))))
    a, b = np.array(true), np.array(fitted)
    figures["actions"] = {}
    height = [_brow_height(rows, index) for rows in (a, b)]
    figures["brow_height_correlation"] = float(np.corrcoef(*height)[0, 1])
    for name in ACTIONS:
        columns = [index[side] for side in (name, name + "Left", name + "Right") if side in index]
        x, y = a[:, columns].ravel(), b[:, columns].ravel()
        figures["actions"][name] = {
            "correlation": float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else None,
            "slope": float((x @ y) / max(x @ x, 1e-12)),
            "active": int((x > 0.1).sum()),
        }
    return figures


def _brow_height(rows: Array64, index: dict[str, int]) -> Array64:
    """Raised less lowered brows, which landmarks tell better than which part is raised."""
    up = sum(rows[:, index[name]] for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"))
    height: Array64 = up - rows[:, index["browDownLeft"]] - rows[:, index["browDownRight"]]
    return height


def _angles(rotvec: Array64) -> tuple[float, float]:
    x, y, z = Rotation.from_rotvec(rotvec).apply([0, 0, 1])
    return float(np.arctan2(x, z)), float(-np.arcsin(y))


def identity_figures(known: list[Known], alone: Frames, together: Frames, model: HeadModel) -> dict[str, Any]:
    """The spread of the betas of pictures that are fitted one by one, and how like the true ones a person's are."""
    truth = {one.identity: one.betas for one in known}
    rows = [
        [np.asarray(alone[path].parameters.betas) for path in person.files if path in alone]
        for person in by_person(known)
    ]
    both = {frame.parameters.identity: frame.parameters.betas for frame in together.values()}
    shapes, true = np.array(list(both.values())), [truth[name] for name in both]
    within = np.sqrt(np.mean([np.var(one, axis=0).sum() for one in rows if one]))
    between = np.sqrt(np.var([np.mean(one, axis=0) for one in rows if one], axis=0).sum())
    basis = model.shape_basis.astype(np.float64)
    face = np.unique(model.faces[model.regions["face"]])
    template, mean = model.template[face], np.mean(true, axis=0)
    errors, spreads = [], []
    for one, there in zip(shapes, true, strict=True):
        target = template + basis[face] @ there
        errors.append(_shape_error(template + basis[face][:, :, : len(one)] @ one, target))
        spreads.append(_shape_error(template + basis[face] @ mean, target))
    return {
        "betas_spread_within_over_between": float(within / between),
        "betas_correlation": [float(np.corrcoef(shapes[:, i], np.array(true)[:, i])[0, 1]) for i in range(8)],
        "face_shape_error_mm": 1e3 * float(np.mean(errors)),
        "face_shape_error_of_mean_face_mm": 1e3 * float(np.mean(spreads)),
    }


def _shape_error(points: Array64, target: Array64) -> float:
    """Mean distance, metres, of two shapes laid over each other; the size of a head cannot be seen in a photo."""
    points, target = points - points.mean(axis=0), target - target.mean(axis=0)
    U, sizes, V = np.linalg.svd(points.T @ target)
    return float(np.linalg.norm(sizes.sum() / (points**2).sum() * points @ (U @ V) - target, axis=1).mean())


@click.command()
@click.argument("datasets", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--write-mixed", type=click.Path(path_type=Path), help="Only write the table of mixed actions.")
@click.option("--people", type=int, default=10, help="For --write-mixed.")
@click.option("--faces", type=int, default=10, help="Of each person, for --write-mixed.")
@click.option("--seed", type=int, default=0, help="For --write-mixed.")
@click.option("--turned", type=float, default=0.6, help="Share of the usual head rotation, for --write-mixed.")
@click.option("--tracks", is_flag=True, help="For --write-mixed: each person's faces as one recording.")
@click.option("--true-landmarks", type=float, metavar="NOISE", help="No detector; such as 0.01 of the eyes' distance.")
@click.option("--detected", is_flag=True, help="Landmarks as detected: the pictures are not looked at again.")
@click.option("--fov", type=float, default=30.0)
@click.option("--json", "as_json", is_flag=True)
def main(
    datasets: tuple[Path, ...],
    write_mixed: Path | None,
    people: int,
    faces: int,
    seed: int,
    turned: float,
    tracks: bool,
    true_landmarks: float | None,
    detected: bool,
    fov: float,
    as_json: bool,
) -> None:
    if write_mixed is not None:
        write_parameter_sets(write_mixed, mixed_actions(load_head("open"), people, faces, seed, turned, tracks))
        return
    model = load_head("open")
    known = [one for path in datasets for one in read_known(path, model)]
    detector: Detector = FaceDetector() if true_landmarks is None else known_landmarks(known, true_landmarks)
    options = FitOptions(field_of_view=fov, refine=true_landmarks is None and not detected)
    looking = 0.0

    def timed(image: Rgb, near: FoundFace | None) -> FoundFace | None:
        nonlocal looking
        begin = time.process_time()
        found = detector(image, near)
        looking += time.process_time() - begin
        return found

    persons = by_person(known)
    figures: dict[str, Any] = {}
    fits: dict[str, Frames] = {}
    single = [Footage(str(file), (file,)) for person in persons for file in person.files]
    for name, footage in (("together", persons), ("alone", single)):
        start, looking = time.process_time(), 0.0
        result = fit_images(footage, model, timed, options)
        seconds = time.process_time() - start - looking
        fits[name] = {Path(frame.name): frame for frame in result.frames}
        figures[name] = main_figures(known, fits[name], model)
        figures[name]["core_seconds_per_frame_after_detection"] = seconds / len(result.frames)
    figures["identity"] = identity_figures(known, fits["alone"], fits["together"], model)
    print(json.dumps(figures, indent=None if as_json else 1))


if __name__ == "__main__":
    main()
