from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb, srgb_to_linear
from ffngen.appearance.look import Look
from ffngen.appearance.pigment import skin_albedo
from ffngen.appearance.relief import STEP
from ffngen.appearance.skin import generate_texture, look_of, paint
from ffngen.errors import HeadModelError
from ffngen.head.model import HeadModel
from ffngen.head.uv_map import UvMap

SIZE = 512
EYE = np.array([0.0315, 0.0, 0.015])

#: A person without anything that hides the skin.
PLAIN = Look(
    melanin=0.3,
    haemoglobin=0.5,
    blotchiness=1.0,
    freckles=0.0,
    moles=0,
    lip_strength=1.0,
    hair=(0.02, 0.012, 0.008),
    hair_cover=1.0,
    hairline=66.0,
    recession=0.0,
    brow_thickness=1.0,
    brow_density=1.0,
    beard=0.0,
    iris=(0.10, 0.16, 0.26),
    redness_of_eyes=1.0,
    age=0.5,
    pores=1.0,
)


def lookup(atlas: NDArray[np.uint8], uv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear lookup of colour as a renderer does it: (K, 2) texture coordinates, v up, to (K, 3) in 0..255."""
    atlas, size = atlas[..., :3], len(atlas)
    x, y = uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    at = lambda row, column: atlas[np.clip(row, 0, size - 1), np.clip(column, 0, size - 1)].astype(float)  # noqa: E731
    upper = at(top, left) * (1 - fx) + at(top, left + 1) * fx
    lower = at(top + 1, left) * (1 - fx) + at(top + 1, left + 1) * fx
    return upper * (1 - fy) + lower * fy


def at_place(model: HeadModel, atlas: NDArray[np.uint8], place: tuple[float, float, float]) -> NDArray[np.float64]:
    """Linear albedo (3,) around the face of the template that is nearest to a place, metres."""
    assert model.uv is not None
    middles = model.template[model.faces].mean(axis=1)
    nearest = np.argsort(((middles - np.array(place)) ** 2).sum(axis=1))[:3]
    encoded = lookup(atlas, model.uv.per_corner()[nearest].mean(axis=1).astype(np.float64))
    return srgb_to_linear(np.round(encoded).astype(np.uint8)).mean(axis=0).astype(np.float64)


def typology_angle(albedo: NDArray[np.float64]) -> float:
    """The individual typology angle in degrees, ``atan((L* - 50) / b*)``, of linear sRGB (Chardon et al. 1991)."""
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    relative = to_xyz @ albedo / to_xyz.sum(axis=1)
    f = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return float(np.degrees(np.arctan2(116 * f[1] - 16 - 50, 200 * (f[1] - f[2]))))


def test_same_seed_same_bytes_other_seed_other_person(made_head: HeadModel) -> None:
    first = generate_texture(made_head, seed=0, size=128)
    assert first.shape == (128, 128, 4) and first.dtype == np.uint8
    assert first.tobytes() == generate_texture(made_head, seed=0, size=128).tobytes()
    other = generate_texture(made_head, seed=1, size=128)
    assert np.abs(first.astype(int) - other).mean() > 3


def test_sizes_show_the_same_person(made_head: HeadModel) -> None:
    small = generate_texture(made_head, seed=3, size=128).astype(float)
    large = generate_texture(made_head, seed=3, size=256).astype(float)
    halved = large.reshape(128, 2, 128, 2, 4).mean(axis=(1, 3))
    assert np.median(np.abs(halved - small)[..., :3]) < 4


def test_no_seam_where_the_atlas_is_cut(made_head: HeadModel) -> None:
    atlas = paint(made_head, PLAIN, np.random.default_rng(0), SIZE)
    v = np.random.default_rng(1).uniform(0.1, 0.7, 300)
    left, right = (lookup(atlas, np.column_stack([np.full_like(v, u), v])) for u in (0.02, 0.98))
    inside = lookup(atlas, np.column_stack([np.full_like(v, 0.02 + 2.0 / SIZE), v]))
    difference = np.abs(left - right).max(axis=1)
    # The seam's two sides differ by less than places two texels apart do.
    assert difference.mean() < 0.5 * np.abs(left - inside).max(axis=1).mean()
    assert np.quantile(difference, 0.99) < 12


def test_pigments_cover_the_range_of_human_skin() -> None:
    melanin = np.linspace(0.08, 1.0, 12, dtype=np.float32)
    for blood in (0.1, 0.5, 0.9):
        albedo = skin_albedo(melanin, np.full_like(melanin, blood)).astype(np.float64)
        angles = [typology_angle(colour) for colour in albedo]
        assert np.all(np.diff(angles) < 0)
        assert angles[0] > 50 and angles[-1] < -30
        assert (albedo[:, 0] > albedo[:, 1]).all() and (albedo[:, 1] > albedo[:, 2]).all()
        assert albedo[:, 0].min() > 0.13 and albedo[:, 0].max() < 0.76


def test_skin_of_many_people_is_plausible(made_head: HeadModel) -> None:
    cheek = (0.03, -0.04, 0.02)
    lightness = []
    for seed in range(16):
        albedo = at_place(made_head, generate_texture(made_head, seed=seed, size=128), cheek)
        assert 0.10 < albedo[0] < 0.78
        assert albedo[0] > albedo[1] > albedo[2] > 0.01
        lightness.append(albedo[1])
    assert max(lightness) > 2 * min(lightness)


def test_features_lie_where_they_should(made_head: HeadModel) -> None:
    atlas = paint(made_head, PLAIN, np.random.default_rng(0), SIZE)

    def at(x: float, y: float, z: float) -> NDArray[np.float64]:
        return at_place(made_head, atlas, (x, y, z))

    forehead, lips, brow = at(0.0, 0.05, 0.05), at(0.0, -0.068, 0.02), at(0.026, 0.0215, 0.03)
    crown, back = at(0.0, 0.13, -0.06), at(0.0, 0.02, -0.15)
    assert lips[0] / lips[1] > 1.15 * forehead[0] / forehead[1]
    assert brow.mean() < 0.8 * forehead.mean()
    assert crown.mean() < 0.25 * forehead.mean() and back.mean() < 0.25 * forehead.mean()
    # The left brow lies on the subject's left and the right one on the right.
    assert at(-0.026, 0.0215, 0.03).mean() < 0.8 * forehead.mean()


def test_eyes_look_forward(made_head: HeadModel) -> None:
    atlas = paint(made_head, PLAIN, np.random.default_rng(0), SIZE)

    def off_axis(sine: float) -> NDArray[np.float64]:
        places = [
            EYE + 0.012 * np.array([sine * np.cos(a), sine * np.sin(a), np.sqrt(1 - sine**2)])
            for a in np.linspace(0, 2 * np.pi, 8, endpoint=False)
        ]
        x_y_z = [(float(p[0]), float(p[1]), float(p[2])) for p in places]
        return np.mean([at_place(made_head, atlas, place) for place in x_y_z], axis=0)

    pupil, iris, sclera = off_axis(0.0), off_axis(0.33), off_axis(0.75)
    assert pupil.max() < 0.03
    assert iris[2] > iris[0] and 0.03 < iris.mean() < 0.3
    assert sclera.min() > 0.3
    behind = at_place(made_head, atlas, (float(EYE[0]), float(EYE[1]), float(EYE[2] - 0.012)))
    assert behind.min() > 0.2


def test_what_the_look_says_is_seen(made_head: HeadModel) -> None:
    def painted(**changes: object) -> NDArray[np.uint8]:
        look = dataclasses.replace(PLAIN, **changes)  # type: ignore[arg-type]
        return paint(made_head, look, np.random.default_rng(0), 256)

    chin, crown = (0.0, -0.10, -0.01), (0.0, 0.13, -0.06)
    plain = painted()
    assert at_place(made_head, painted(beard=1.0), chin).mean() < 0.7 * at_place(made_head, plain, chin).mean()
    assert at_place(made_head, painted(hair_cover=0.0), crown).mean() > 3 * at_place(made_head, plain, crown).mean()
    assert at_place(made_head, painted(melanin=0.9), chin).mean() < 0.5 * at_place(made_head, plain, chin).mean()
    assert (painted(moles=60) != plain).any(axis=2).mean() > 1e-4


def test_relief_is_the_skins_alone_and_age_carves_it(made_head: HeadModel) -> None:
    def heights(**changes: object) -> NDArray[np.float64]:
        look = dataclasses.replace(PLAIN, **changes)  # type: ignore[arg-type]
        return (paint(made_head, look, np.random.default_rng(0), 256)[..., 3].astype(float) - 128) * STEP

    young, old, smooth = heights(age=0.0), heights(age=1.0), heights(age=0.0, pores=0.0)
    # The lower four fifths of the atlas are skin, and above them lie the eyeballs.
    assert np.abs(young[:40]).max() == 0 and np.abs(young[64:]).max() > 0.02
    assert -0.5 < old.min() < young.min() - 0.05 and old.max() < 0.3
    assert (old < young - 0.03).mean() > 0.001 and (old > young + 0.01).mean() < 1e-3
    assert young[64:].std() > 1.3 * smooth[64:].std()


def test_inner_parts_have_their_colours(made_head: HeadModel) -> None:
    # The front of the head, which lies 15 mm deep at most.
    middles = made_head.template[made_head.faces].mean(axis=1)
    teeth = np.argsort(-middles[: 48 * 72 * 2, 2])[:40].astype(np.int32)
    model = dataclasses.replace(made_head, regions={**made_head.regions, "teeth": teeth})
    atlas = paint(model, PLAIN, np.random.default_rng(0), SIZE)
    assert model.uv is not None
    places = model.uv.per_corner()[teeth].mean(axis=1).astype(np.float64)
    colours = srgb_to_linear(np.round(lookup(atlas, places)).astype(np.uint8))
    assert colours.mean(axis=0) == pytest.approx([0.62, 0.57, 0.47], abs=0.08)


def test_look_of_a_seed_is_what_is_painted_and_json_ready(made_head: HeadModel) -> None:
    look = look_of(5)
    assert json.loads(json.dumps(look.to_json())) == {
        **look.to_json(),
        "hair": list(look.hair),
        "iris": list(look.iris),
    }
    darkest = max(range(12), key=lambda seed: look_of(seed).melanin)
    lightest = min(range(12), key=lambda seed: look_of(seed).melanin)
    forehead = (0.0, 0.05, 0.05)
    dark, light = (
        at_place(made_head, generate_texture(made_head, seed=seed, size=128), forehead) for seed in (darkest, lightest)
    )
    assert dark.mean() < light.mean()


def test_refuses_models_that_cannot_be_painted(made_head: HeadModel) -> None:
    cases = {
        "no region 'left_eyeball'": dataclasses.replace(made_head, regions={}),
        "no region 'right_eyeball'": dataclasses.replace(
            made_head, regions={"left_eyeball": made_head.regions["left_eyeball"]}
        ),
        "no texture coordinates": dataclasses.replace(made_head, uv=None),
        "cover no part": dataclasses.replace(
            made_head, uv=UvMap(np.zeros_like(made_head.uv.coordinates), made_head.uv.faces) if made_head.uv else None
        ),
        "no skull": dataclasses.replace(made_head, template=made_head.template * [1, 0.001, 1]),
        "cannot both be": dataclasses.replace(
            made_head, regions=dict.fromkeys(("left_eyeball", "right_eyeball"), made_head.regions["left_eyeball"])
        ),
    }
    for words, model in cases.items():
        with pytest.raises(HeadModelError, match=words) as caught:
            generate_texture(model, seed=0, size=64)
        assert "\n" not in str(caught.value)


def test_srgb_there_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert (linear_to_srgb(srgb_to_linear(levels)) == levels).all()
    # IEC 61966-2-1 at a few places.
    assert srgb_to_linear(np.uint8([0, 118, 255])) == pytest.approx([0, 0.1812, 1], abs=1e-4)
    assert linear_to_srgb(np.float32([-1, 0.5, 2, np.inf])).tolist() == [0, 188, 255, 255]
