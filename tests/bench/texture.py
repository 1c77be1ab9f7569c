"""Texture extraction against textures that are known: ``ffngen render`` takes the pictures, of people made here.

python tests/bench/texture.py --make bench                # four people's textures, and the poses of their pictures
cd bench
ffngen render --params views.parquet --textures true --n-frames 2 --image-format png --out pictures
ffngen texture extract pictures/image/facial/*/*/*/0002.png textures --params pictures --size 512
ffngen render --params views.parquet --scene studio.yaml --textures true --n-frames 2 --image-format png --out studio
ffngen texture extract studio/image/facial/*/*/*/0002.png studio_textures --params studio --size 512
ffngen render --params poses.parquet --textures textures --n-frames 2 --image-format png --seed 9 --out again
ffngen render --params poses.parquet --textures true --n-frames 2 --image-format png --seed 9 --out true_again
cd ..
python tests/bench/texture.py bench [--json]

Other people than the four: --people 201,202,203,204 beside --make.

Each person is seen from the front and from 35 degrees to either side, each time in another light, of another colour
and up to a fifth too dim or too bright; and once more in a studio, exposed right. The pictures have 512 x 512 pixels,
which is why the textures have 512 texels. Each person is rendered again from the front and turned by 30 degrees, in
light of another seed. PSNR is that of sRGB values over all texels of the skin that a view shows; also after one gain
per colour channel, as no picture tells a dim or coloured light from dark or coloured skin. Similarity is the
cosine of dlib's descriptors (pip install -c constraints.txt dlib-bin face_recognition_models).
"""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb, srgb_to_linear
from ffngen.appearance.skin import faces_of_skin, generate_texture
from ffngen.appearance.uv_raster import rasterise
from ffngen.dataset.layout import Output, complete_sequences
from ffngen.dataset.metadata import read_sequence
from ffngen.head.load import load_head
from ffngen.images import encode_png, read_image
from ffngen.params.sampler import sample_parameter_set
from ffngen.params.table import write_parameter_sets
from ffngen.resources import resource

#: Seeds of people that no constant was chosen with.
PEOPLE = (101, 102, 103, 104)
VIEWS, POSES = (-35, 0, 35), (0, 30)


def make(folder: Path, people: Sequence[int]) -> None:
    """Write the true textures and the two tables of poses, of people of some seeds."""
    model = load_head("open")
    (folder / "true").mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[Any]] = {"views": [], "poses": []}
    for index, seed in enumerate(people):
        name = f"person{index}"
        (folder / "true" / f"{name}.png").write_bytes(encode_png(generate_texture(model, seed=seed)[..., :3]))
        base = sample_parameter_set(
            model.shape_count, model.expression_names, seed=seed, identity_index=0, emotion="neutral"
        )
        for table, angles in (("views", VIEWS), ("poses", POSES)):
            for angle in angles:
                pose = np.zeros(15)
                pose[1] = np.radians(angle)
                word = f"turned{angle + 100}"
                still = np.zeros_like(base.expression)
                tables[table].append(replace(base, identity=name, pose=pose, expression=still, emotion=word))
    preset = yaml.safe_load(resource("blender_scenes", "portrait.yaml").read_text(encoding="utf-8"))
    preset["lighting"] |= {"hdris": ["studio"], "strength": 1.0}
    (folder / "studio.yaml").write_text(yaml.safe_dump(preset), encoding="utf-8")
    for table, sets in tables.items():
        write_parameter_sets(folder / f"{table}.parquet", sets)


def psnr(folder: Path, textures: str) -> dict[str, tuple[float, float]]:
    """dB per person, over the texels of the skin that a view shows: as it is, and after one gain per colour channel.

    ``pooled`` is over the texels of all.
    """
    model = load_head("open")
    result, texels_of_all = {}, []
    for path in sorted((folder / textures).glob("*.png")):
        texture = read_image(path)
        size = len(texture)
        seen = read_image(path.with_suffix("") / "confidence.png")[..., 0].ravel() > 0
        raster = rasterise(model, size)
        texels = raster.texels[raster.covered & faces_of_skin(model)[raster.face]]
        texels = texels[seen[texels]]
        truth = cv2.resize(read_image(folder / "true" / path.name), (size, size), interpolation=cv2.INTER_AREA)
        ours, true = (image.reshape(-1, 3)[texels] for image in (texture, truth))
        light, true_light = srgb_to_linear(ours), srgb_to_linear(true)
        balanced = linear_to_srgb(light * np.median(true_light / np.maximum(light, 1e-3), axis=0))
        result[path.stem] = (_decibels(ours, true), _decibels(balanced, true))
        texels_of_all.append((ours, balanced, true))
    ours, balanced, true = (np.concatenate(images) for images in zip(*texels_of_all, strict=True))
    return result | {"pooled": (_decibels(ours, true), _decibels(balanced, true))}


def _decibels(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / ((one.astype(float) - other) ** 2).mean()))


def descriptors(root: Path) -> dict[str, dict[int, NDArray[np.float64]]]:
    """dlib's descriptor (128,) of each person's last facial frame, by person and angle; without faces not found."""
    import dlib

    (package,) = importlib.util.find_spec("face_recognition_models").submodule_search_locations
    networks = Path(package) / "models"
    detect = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(networks / "shape_predictor_68_face_landmarks.dat"))
    recognise = dlib.face_recognition_model_v1(str(networks / "dlib_face_recognition_resnet_model_v1.dat"))
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    for key in complete_sequences(root):
        metadata = read_sequence(root, key)
        image = read_image(root / metadata.layout.file(Output.FACIAL_IMAGE, metadata.n_frames))
        faces = detect(image, 1)
        if len(faces):
            face = max(faces, key=lambda one: one.area())
            value = np.array(recognise.compute_face_descriptor(image, landmarks(image, face)))
            angle = int(metadata.emotion.removeprefix("turned")) - 100
            found.setdefault(metadata.identity, {})[angle] = value / np.linalg.norm(value)
    return found


def similarities(folder: Path) -> dict[str, list[float]]:
    """Cosines between the frontal pictures and what was rendered again, of one person and of different ones."""
    pictures = descriptors(folder / "pictures")
    again, true = (descriptors(folder / name) for name in ("again", "true_again"))
    result: dict[str, list[float]] = {"extracted": [], "true": [], "others": []}
    for name, views in pictures.items():
        for kind, other in (("extracted", again), ("true", true)):
            result[kind] += [float(views[0] @ value) for value in other.get(name, {}).values() if 0 in views]
    for one, other in itertools.permutations(pictures, 2):
        if 0 in pictures[one] and 0 in again.get(other, {}):
            result["others"].append(float(pictures[one][0] @ again[other][0]))
    return result


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--make", "making", is_flag=True)
@click.option("--people", default=",".join(map(str, PEOPLE)), show_default=True, help="Seeds, with --make.")
@click.option("--json", "as_json", is_flag=True)
def main(folder: Path, making: bool, people: str, as_json: bool) -> None:
    """See the text of this file."""
    if making:
        make(folder, [int(seed) for seed in people.split(",")])
        return
    quality = {name: psnr(folder, name) for name in ("textures", "studio_textures")}
    cosines = similarities(folder)
    if as_json:
        click.echo(json.dumps({"psnr": quality, "similarity": cosines}, indent=1))
        return
    for folder_name, people in quality.items():
        for name, (value, balanced) in people.items():
            click.echo(f"{folder_name}/{name}  {value:5.1f} dB, {balanced:5.1f} dB after one gain per colour channel")
    for kind, values in cosines.items():
        click.echo(
            f"{kind:>9}  {np.mean(values):.3f} in the mean of {len(values)} ({min(values):.3f} to {max(values):.3f})"
        )


if __name__ == "__main__":
    main()
