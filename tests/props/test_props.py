from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from ffngen.appearance.skin import look_of
from ffngen.errors import HeadModelError
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.props.dressing import make_props
from ffngen.props.prop import KINDS, Prop, dress
from ffngen.props.wardrobe import Wardrobe, sample_wardrobe

LOOK = look_of(1)
WARDROBE = sample_wardrobe(np.random.default_rng(1), LOOK)
#: Metres: float32 vertices of a head that is half a metre across.
ROUNDING = 3e-7


def worn(**changes: object) -> Wardrobe:
    return Wardrobe(**{**WARDROBE.to_json(), "hair": "short", "glasses": "clear", "collar": "round", **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head("open")


@pytest.fixture(scope="module")
def neutral(model: HeadModel) -> NDArray[np.float64]:
    betas = np.random.default_rng(2).normal(0, 0.7, min(model.shape_count, 10))
    return model.with_shape(betas).neutral


@pytest.fixture(scope="module")
def props(model: HeadModel, neutral: NDArray[np.float64]) -> dict[str, Prop]:
    made = make_props(model, neutral, LOOK, worn(glasses="dark"), KINDS, seed=3)
    return {f"{prop.kind}-{prop.material}-{len(prop.faces)}": prop for prop in made}


def test_a_prop_lies_where_it_was_made_and_turns_with_the_head(
    props: dict[str, Prop], neutral: NDArray[np.float64]
) -> None:
    turn, shift = Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix(), np.array([0.02, -0.01, 0.3])
    heads = np.stack([neutral, neutral @ turn.T + shift]).astype(np.float32)
    for prop in props.values():
        still, moved = prop.vertices(heads).astype(np.float64)
        # Fixed to three neighbours, what stands far off the skin is as exact as their directions are.
        reach = 1 + np.linalg.norm(prop.offsets, axis=1) / 0.004
        assert (np.linalg.norm(still @ turn.T + shift - moved, axis=1) < ROUNDING * reach).all()


def test_what_the_skull_carries_stays_rigid_whatever_the_expression(
    model: HeadModel, props: dict[str, Prop], neutral: NDArray[np.float64]
) -> None:
    expressions = np.random.default_rng(0).uniform(0, 1, (3, model.expression_count))
    heads = np.stack([neutral + model.expression_basis_64 @ e for e in expressions]).astype(np.float32)
    rigid = [prop for prop in props.values() if prop.kind in ("hair", "glasses")]
    assert len(rigid) == 4
    for prop in rigid:
        placed = prop.vertices(heads).astype(np.float64)
        chosen = np.random.default_rng(1).choice(placed.shape[1], (200, 2))
        lengths = np.linalg.norm(placed[:, chosen[:, 0]] - placed[:, chosen[:, 1]], axis=2)
        assert np.ptp(lengths, axis=0).max() < 1e-6


def test_lashes_close_with_the_lids(model: HeadModel, props: dict[str, Prop], neutral: NDArray[np.float64]) -> None:
    lashes = next(prop for prop in props.values() if prop.kind == "lashes")
    blink = np.zeros((2, model.expression_count))
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        blink[1, model.expression_names.index(name)] = 1
    heads = np.stack([neutral + model.expression_basis_64 @ b for b in blink]).astype(np.float32)
    open_, closed = lashes.vertices(heads)
    fall = open_[:, 1] - closed[:, 1]
    assert np.percentile(fall, 75) > 0.003 and abs(np.percentile(fall, 5)) < 0.004


def test_hair_and_clothes_lie_outside_the_head_and_near_it(
    model: HeadModel, props: dict[str, Prop], neutral: NDArray[np.float64]
) -> None:
    tree = cKDTree(neutral)
    bounds = {"lashes": 0.012, "brows": 0.008, "hair": 0.045, "glasses": 0.05, "collar": 0.2}
    for prop in props.values():
        points = prop.vertices(neutral[None].astype(np.float32))[0]
        assert np.isfinite(points).all() and prop.faces.max() < len(points) and prop.faces.min() >= 0
        assert tree.query(points)[0].max() < bounds[prop.kind], prop.kind
    hair = next(prop for prop in props.values() if prop.kind == "hair")
    points = hair.vertices(neutral[None].astype(np.float32))[0]
    crown = points[points[:, 1] > np.percentile(points[:, 1], 80)]
    assert crown[:, 1].mean() > neutral[:, 1].max() - 0.03


def test_normals_of_hair_point_outwards(props: dict[str, Prop], neutral: NDArray[np.float64]) -> None:
    hair = next(prop for prop in props.values() if prop.kind == "hair")
    points = hair.vertices(neutral[None].astype(np.float32))[0]
    a, b, c = (points[hair.faces[:, k]] for k in range(3))
    outward = (np.cross(b - a, c - a) * (a - neutral.mean(axis=0))).sum(axis=1)
    assert (outward > 0).mean() > 0.9


def test_the_same_seed_makes_the_same_props_and_one_kind_off_changes_no_other(
    model: HeadModel, neutral: NDArray[np.float64]
) -> None:
    first = make_props(model, neutral, LOOK, worn(), KINDS, seed=5)
    again = make_props(model, neutral, LOOK, worn(), ("brows", "hair"), seed=5)
    assert [prop.kind for prop in again] == ["brows", "hair", "hair"]
    same = [prop for prop in first if prop.kind in ("brows", "hair")]
    for one, other in zip(same, again, strict=True):
        assert one.offsets.tobytes() == other.offsets.tobytes() and one.tints.tobytes() == other.tints.tobytes()
    other = make_props(model, neutral, LOOK, worn(), ("brows",), seed=6)
    assert other[0].offsets.shape != again[0].offsets.shape or (other[0].offsets != again[0].offsets).any()


@pytest.mark.parametrize("style", ["none", "cropped", "short", "fringe", "long"])
def test_every_cut_can_be_made(model: HeadModel, neutral: NDArray[np.float64], style: str) -> None:
    wardrobe = worn(hair=style, hair_length=90.0 if style == "long" else 0.0)
    made = make_props(model, neutral, LOOK, wardrobe, ("hair",), seed=0)
    points = [prop.vertices(neutral[None].astype(np.float32))[0] for prop in made]
    assert all(np.isfinite(some).all() for some in points)
    assert bool(made) == (style != "none")
    if style == "long":
        ears = neutral[np.unique(model.faces[model.regions["ears"]])]
        assert points[0][:, 1].min() < ears[:, 1].min() - 0.03


def test_dressing_appends_and_never_touches_the_head(model: HeadModel, props: dict[str, Prop]) -> None:
    dressed = dress(model, list(props.values()))
    np.testing.assert_array_equal(dressed.faces[: len(model.faces)], model.faces)
    head = np.repeat(model.template[None], 2, axis=0).astype(np.float32)
    vertices = dressed.vertices(head)
    np.testing.assert_array_equal(vertices[:, : model.vertex_count], head)
    assert dressed.faces.max() == vertices.shape[1] - 1 == len(dressed.tints) - 1
    assert dressed.uv_faces.max() == len(dressed.uv_coordinates) - 1
    ranges = dressed.face_ranges()
    assert ranges[0][1] == len(model.faces) and ranges[-1][2] == len(dressed.faces)
    bare = dress(model, [])
    assert bare.vertices(head).tobytes() == head.tobytes()


def test_a_model_without_landmarks_is_refused_by_name(model: HeadModel, neutral: NDArray[np.float64]) -> None:
    from dataclasses import replace

    without = replace(model, landmarks=None)
    with pytest.raises(HeadModelError, match=r"no landmarks.*leave glasses out"):
        make_props(without, neutral, LOOK, worn(), ("glasses",), seed=0)
    assert make_props(without, neutral, LOOK, worn(), (), seed=0) == []
