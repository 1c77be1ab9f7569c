"""All props of one identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ffngen.appearance.look import Look
from ffngen.errors import HeadModelError
from ffngen.head.model import HeadModel
from ffngen.props.collar import collar
from ffngen.props.glasses import glasses
from ffngen.props.hair import scalp_hair
from ffngen.props.lashes import brows, lashes
from ffngen.props.prop import Array64, Prop
from ffngen.props.site import Site
from ffngen.props.wardrobe import Wardrobe
from ffngen.seeds import derive_generator

#: Kinds that are placed by the 68 landmarks, and kinds that need the region ``neck``.
_BY_LANDMARKS = frozenset({"lashes", "brows", "glasses"})
_BY_NECK = frozenset({"collar"})


def missing_for(kind: str, model: HeadModel) -> str | None:
    """What a head model lacks for a kind of prop, in words; None where it has all."""
    if model.uv is None or not {"left_eyeball", "right_eyeball"} <= model.regions.keys():
        return "the head model has no texture coordinates or no eyeballs"
    if kind in _BY_LANDMARKS and model.landmarks is None:
        return "the head model has no landmarks"
    if kind in _BY_NECK and "neck" not in model.regions:
        return "the head model has no region 'neck'"
    return None


def make_props(
    model: HeadModel, neutral: Array64, look: Look, wardrobe: Wardrobe, kinds: Sequence[str], seed: int
) -> list[Prop]:
    """The props of an identity, of the kinds that are asked for and that its wardrobe holds.

    :param neutral: (V, 3) float64, metres: the identity's neutral head.
    :param seed: of what look and wardrobe leave open; each kind has its own stream, so that switching one off
        changes no other.
    :raises HeadModelError: the model lacks what a kind needs (:func:`missing_for`).
    """
    for kind in kinds:
        lack = missing_for(kind, model)
        if lack is not None:
            raise HeadModelError(lack, where=model.path, mend=f"leave {kind} out of props")
    if not kinds:
        return []
    site = Site.of(model, neutral)
    makers: dict[str, Callable[[], list[Prop]]] = {
        "lashes": lambda: [lashes(site, derive_generator(seed, "lashes"))],
        "brows": lambda: [brows(site, look, derive_generator(seed, "brows"))],
        "hair": lambda: scalp_hair(site, look, wardrobe, derive_generator(seed, "hair")),
        "glasses": lambda: glasses(site, wardrobe),
        "collar": lambda: [collar(site, wardrobe, derive_generator(seed, "collar"))],
    }
    worn = {"hair": wardrobe.hair, "glasses": wardrobe.glasses, "collar": wardrobe.collar}
    made: list[Prop] = []
    for kind in kinds:
        if worn.get(kind) != "none":
            made += makers[kind]()
    return made
