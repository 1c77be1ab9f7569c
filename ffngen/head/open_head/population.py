"""Random adults, as weights of MakeHuman's targets.

A human of MakeHuman is ``base mesh + sum of weight * target``. The *macro* targets describe whole bodies
(sex, age, muscle, weight, height, proportions, ancestry); one human mixes them by the product of the interpolation
weights of its attributes. The *detail* targets change one part (a nose's width, a cheek's volume) and come in opposite
pairs, often for the left and the right side.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.head.open_head.source import MakeHumanData

#: Attribute values in MakeHuman's file names, evenly spaced from 0 to 1. Children are left out.
LEVELS: dict[str, tuple[str, ...]] = {
    "gender": ("female", "male"),
    "age": ("young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
    "ancestry": ("african", "asian", "caucasian"),
}

#: Each family of macro targets: its folder and file-name prefix, and the attributes in its file names.
MACRO_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("macrodetails/universal-", ("gender", "age", "muscle", "weight")),
    ("macrodetails/", ("ancestry", "gender", "age")),
    ("macrodetails/height/", ("gender", "age", "muscle", "weight", "height")),
    ("macrodetails/proportions/", ("gender", "age", "muscle", "weight", "proportions")),
)

#: The parts of the body whose detail targets shape the head, with the standard deviation of a detail's weight.
DETAIL_SPREAD = {
    "cheek": 0.24,
    "chin": 0.24,
    "ears": 0.25,
    "eyebrows": 0.24,
    "eyes": 0.2,
    "forehead": 0.24,
    "head": 0.14,
    "mouth": 0.22,
    "neck": 0.2,
    "nose": 0.18,
}
#: Standard deviation of the difference between a face's halves, as a share of the detail's own.
ASYMMETRY = 0.2
#: Details that shift the whole head or neck sideways or along the body: a pose, not a shape.
LEFT_OUT = ("head-trans", "neck-trans", "measure-neck")


@dataclass(frozen=True)
class Detail:
    """One detail of one or both sides: targets for positive and negative weights, per side.

    :param sides: (positive, negative) target names for each side that the detail has (one or two).
    :param spread: standard deviation of the weight.
    """

    sides: tuple[tuple[str, str], ...]
    spread: float


@dataclass(frozen=True)
class Population:
    """Sampled humans.

    :param targets: target names, in the order of the columns of ``weights``.
    :param weights: (S, len(targets)) float64.
    """

    targets: tuple[str, ...]
    weights: NDArray[np.float64]


def head_details(data: MakeHumanData) -> list[Detail]:
    """All details that shape the head, in a fixed order."""
    details = []
    categories = data.target_categories()
    for part, spread in DETAIL_SPREAD.items():
        for category in categories[part]:
            opposites = category.get("opposites")
            if not isinstance(opposites, dict) or str(category["name"]).startswith(LEFT_OUT):
                continue
            sides = tuple(
                (f"{part}/{opposites[f'positive-{side}']}", f"{part}/{opposites[f'negative-{side}']}")
                for side in ("left", "right", "unsided")
                if opposites[f"positive-{side}"]
            )
            details.append(Detail(sides, spread))
    return details


def sample_population(details: Iterable[Detail], count: int, rng: np.random.Generator) -> Population:
    """Draw ``count`` adults: attributes by plausible ranges, details from normal distributions clipped to [-1, 1]."""
    attributes = _sample_attributes(count, rng)
    names: list[str] = []
    columns: list[NDArray[np.float64]] = []
    for prefix, keys in MACRO_FAMILIES:
        for indices in itertools.product(*(range(len(LEVELS[key])) for key in keys)):
            names.append(prefix + "-".join(LEVELS[key][index] for key, index in zip(keys, indices, strict=True)))
            columns.append(
                np.prod([attributes[key][:, index] for key, index in zip(keys, indices, strict=True)], axis=0)
            )
    for detail in details:
        common = rng.normal(0.0, detail.spread, count)
        for positive, negative in detail.sides:
            own = rng.normal(0.0, ASYMMETRY * detail.spread, count) if len(detail.sides) > 1 else 0.0
            weight = np.clip(common + own, -1.0, 1.0)
            names += [positive, negative]
            columns += [np.maximum(weight, 0.0), np.maximum(-weight, 0.0)]
    return Population(tuple(names), np.stack(columns, axis=1))


def _sample_attributes(count: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Interpolation weights (count, levels) of each attribute; each row sums to 1."""
    values = {
        "gender": rng.uniform(0.0, 1.0, count),
        # Young is about 25 and old about 90 years; few people look the latter.
        "age": rng.beta(1.2, 2.2, count),
        "muscle": rng.normal(0.5, 0.15, count),
        "weight": rng.normal(0.5, 0.17, count),
        "height": rng.normal(0.5, 0.15, count),
        "proportions": rng.uniform(0.2, 0.8, count),
    }
    weights = {key: _hat_weights(np.clip(value, 0.0, 1.0), len(LEVELS[key])) for key, value in values.items()}
    weights["ancestry"] = rng.dirichlet((0.7, 0.7, 0.7), count)
    return weights


def _hat_weights(value: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """Linear interpolation weights (S, levels) of values in [0, 1] between evenly spaced levels."""
    position = value[:, None] * (levels - 1)
    return np.maximum(0.0, 1.0 - np.abs(position - np.arange(levels)))
