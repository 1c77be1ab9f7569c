"""What was measured as one record, JSON-ready."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ffngen.dataset.manifest import SequenceRow
from ffngen.diversity.flow_lengths import EDGES
from ffngen.diversity.gather import Gathered
from ffngen.diversity.identities import closer_than, similarities, spread, told_apart
from ffngen.diversity.skin_tone import CLASSES, class_of, typology_angle
from ffngen.head.landmarks import JAW_COUNT

_QUANTILES = {"p05": 5, "median": 50, "p95": 95}
#: dlib's networks were trained for vectors of one person to lie closer than this.
_DLIB_SAME_PERSON = 0.6


def summarise(rows: Sequence[SequenceRow], gathered: Gathered, *, dlib_vectors: bool) -> dict[str, Any]:
    """All sections; one that was not measured is None.

    :param rows: of every sequence of the split, measured or not.
    :param dlib_vectors: the identity vectors are dlib's, and have its distances.
    """
    return {
        "identity": _identity(gathered, dlib_vectors),
        "detector": _detector(gathered),
        "expressions": _expressions(rows),
        "skin_tone": _skin_tone(gathered),
        "pose": _angles(gathered.poses, ("yaw", "pitch", "roll")),
        "light": _light(gathered),
        "flow": _flow(gathered),
    }


def _identity(gathered: Gathered, dlib_vectors: bool) -> dict[str, Any] | None:
    people = list(dict.fromkeys(gathered.people))
    if len(people) < 2:
        return None
    vectors = np.stack(gathered.vectors)
    firsts = vectors[[gathered.people.index(person) for person in people]]
    same, between = similarities(vectors, gathered.people)
    record: dict[str, Any] = {
        **spread(firsts),
        "people": len(people),
        "size": vectors.shape[1],
        "between_p95": float(np.percentile(between, 95)),
        "same_pairs": len(same),
        "same": float(same.mean()) if len(same) else None,
        "margin": float(same.mean()) - float(between.mean()) if len(same) else None,
        "told_apart": told_apart(same, between) if len(same) else None,
    }
    if dlib_vectors:
        record["between_seen_as_one"] = closer_than(firsts, _DLIB_SAME_PERSON)
    return record


def _detector(gathered: Gathered) -> dict[str, Any] | None:
    if not gathered.looked_at:
        return None
    record: dict[str, Any] = {
        "frames": gathered.looked_at,
        "hog": gathered.found["hog"],
        "cnn": gathered.found["cnn"],
        "share_hog": gathered.found["hog"] / gathered.looked_at,
        "share": (gathered.found["hog"] + gathered.found["cnn"]) / gathered.looked_at,
    }
    if gathered.landmark_errors:
        errors = np.stack(gathered.landmark_errors).astype(np.float64)
        means = {"all_68": errors.mean(axis=1), "inner_51": errors[:, JAW_COUNT:].mean(axis=1)}
        record["landmark_error"] = {
            name: {key: float(np.percentile(values, q)) for key, q in _QUANTILES.items()}
            for name, values in means.items()
        }
        record["landmark_error_by_point"] = np.median(errors, axis=0).tolist()
    return record


def _expressions(rows: Sequence[SequenceRow]) -> dict[str, Any]:
    sequences: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    people: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        sequences[row.emotion] += 1
        pairs[row.emotion] += row.pairs
        people[row.emotion].add(row.identity)
    return {
        name: {"people": len(people[name]), "sequences": sequences[name], "pairs": pairs[name]}
        for name in sorted(sequences)
    }


def _skin_tone(gathered: Gathered) -> dict[str, Any] | None:
    colours = {"rendered": gathered.skins, "albedo": list(gathered.albedos.values())}
    record: dict[str, Any] = {}
    for name, linear in colours.items():
        if linear:
            angles = typology_angle(np.array(linear)).tolist()
            counts = Counter(class_of(angle) for angle in angles)
            record[name] = {
                "count": len(angles),
                "angle": _quantiles(angles),
                "classes": {tone: counts[tone] for tone in CLASSES},
            }
    return record or None


def _light(gathered: Gathered) -> dict[str, Any] | None:
    record = _angles(gathered.lights, ("from_right", "from_above", "brightness"))
    return None if record is None else {**record, "surroundings": dict(sorted(gathered.hdris.items()))}


def _angles(values: Sequence[Sequence[float]], names: Sequence[str]) -> dict[str, Any] | None:
    if not values:
        return None
    return {name: _quantiles(column) for name, column in zip(names, np.array(values).T.tolist(), strict=True)}


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    array = np.array(values)
    found = {key: float(np.percentile(array, q)) for key, q in _QUANTILES.items()}
    return {"mean": float(array.mean()), "std": float(array.std()), **found}


def _flow(gathered: Gathered) -> dict[str, Any]:
    record: dict[str, Any] = {"edges": EDGES.tolist(), "lengths": {}}
    for (flow, scale, area), lengths in sorted(gathered.lengths.items(), key=lambda item: _order(item[0])):
        if lengths.pixels:
            record["lengths"].setdefault(flow, {}).setdefault(scale, {})[area] = {
                "pixels": lengths.pixels,
                "mean": lengths.mean,
                "median": lengths.quantile(0.5),
                "p90": lengths.quantile(0.9),
                "p99": lengths.quantile(0.99),
                "longest": lengths.longest,
                "counts": lengths.counts.tolist(),
            }
    return record


def _order(key: tuple[str, str, str]) -> tuple[int, float]:
    """Facial, head and expression flow; the smallest motion first, all of them last."""
    flow, scale, _ = key
    number = -float(scale.partition("/")[2]) if scale.startswith("1/") else float(scale == "all")
    return ("facial", "head", "expression").index(flow), number
