"""Reading models in FLAME's schema: what is read, what lies beside it, and what is refused."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffngen.errors import FfngenError, HeadModelError, InputFileError
from ffngen.head.flame import read_model
from ffngen.head.npz import read_npz

VERTICES, FACES = 12, 10
Arrays = dict[str, Any]


def small_model() -> Arrays:
    """The smallest thing that is a model: few vertices, 4 identity and 2 expression coefficients."""
    rng = np.random.default_rng(0)
    return {
        "v_template": rng.normal(size=(VERTICES, 3)),
        "f": rng.integers(0, VERTICES, size=(FACES, 3)).astype(np.uint32),
        "shapedirs": rng.normal(size=(VERTICES, 3, 6)),
        "posedirs": rng.normal(size=(VERTICES, 3, 36)),
        "J_regressor": np.full((5, VERTICES), 1.0 / VERTICES),
        "weights": np.full((VERTICES, 5), 0.2),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], dtype=np.uint32),
        "shape_count": np.array(4),
        "ffngen_family": np.array("open"),
        "ffngen_version": np.array("1"),
    }


def _with(key: str, value: Any) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.__setitem__(key, value)


def _without(key: str) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.__delitem__(key)


def _spoiled(key: str, index: Any, value: Any) -> Callable[[Arrays], None]:
    return lambda arrays: arrays[key].__setitem__(index, value)


def _as(key: str, dtype: str) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.__setitem__(key, arrays[key].astype(dtype))


#: name -> (what spoils the model, a part of the message).
MALFORMED: dict[str, tuple[Callable[[Arrays], None], str]] = {
    **{f"no {key}": (_without(key), f"has no '{key}'") for key in ("v_template", "f", "shapedirs", "kintree_table")},
    "NaN in the template": (_spoiled("v_template", (3, 1), np.nan), "'v_template' holds a value that is not finite"),
    "infinite basis": (_spoiled("shapedirs", (0, 0, 5), np.inf), "'shapedirs' holds a value that is not finite"),
    "basis beyond float32": (_spoiled("shapedirs", (0, 0, 5), 1e300), "'shapedirs' holds a value beyond float32"),
    "NaN in the pose basis": (_spoiled("posedirs", (0, 0, 0), np.nan), "'posedirs' holds a value"),
    "NaN in the weights": (_spoiled("weights", (0, 0), np.nan), "'weights' holds a value that is not finite"),
    "NaN in the regressor": (_spoiled("J_regressor", (0, 0), np.nan), "'J_regressor' holds a value"),
    "flat template": (_with("v_template", np.zeros((VERTICES, 2))), r"'v_template' has shape \(12, 2\)"),
    "no vertices": (_with("v_template", np.zeros((0, 3))), r"'v_template' has shape \(0, 3\)"),
    "no faces": (_with("f", np.zeros((0, 3), dtype=np.uint32)), r"'f' has shape \(0, 3\)"),
    "quads": (_with("f", np.zeros((4, 4), dtype=np.uint32)), r"'f' has shape \(4, 4\)"),
    "basis of other vertices": (_with("shapedirs", np.zeros((9, 3, 6))), r"'shapedirs' has shape \(9, 3, 6\)"),
    "pose basis of other joints": (_with("posedirs", np.zeros((VERTICES, 3, 207))), "'posedirs' has shape"),
    "SMPL's joints": (_with("weights", np.full((VERTICES, 24), 1 / 24)), "'weights' has shape"),
    "regressor of other vertices": (_with("J_regressor", np.zeros((5, 9))), "'J_regressor' has shape"),
    "face index out of range": (
        _spoiled("f", (2, 2), VERTICES),
        "'f' holds indices from 0 to 12; they must be 0 to 11",
    ),
    "negative face index": (_with("f", np.full((FACES, 3), -1)), "'f' holds indices from -1"),
    "faces of fractions": (_as("f", "f8"), "'f' holds float64, not whole numbers"),
    "complex template": (_as("v_template", "c16"), "not plain numbers"),
    "text template": (_as("v_template", "U8"), "'v_template' holds <U8, not numbers"),
    "weights that do not sum to 1": (_spoiled("weights", (0, 0), 0.3), "'weights' must be positive and sum to 1"),
    "negative weights": (_spoiled("weights", 0, [1.2, -0.2, 0, 0, 0]), "'weights' must be positive"),
    "another tree": (_spoiled("kintree_table", (0, 3), 2), "'kintree_table' is not FLAME's tree"),
    "a root with a parent": (_spoiled("kintree_table", (0, 0), 1), "'kintree_table' is not FLAME's tree"),
    "an unknown split": (_without("shape_count"), "no 'shape_count' says"),
    "a split beyond the basis": (_with("shape_count", np.array(7)), "'shape_count' holds indices from 7"),
    "a negative split": (_with("shape_count", np.array(-1)), "'shape_count' holds indices from -1"),
    "objects": (_with("v_template", np.array([{}] * VERTICES, dtype=object)), "not plain numbers"),
    "names for other expressions": (_with("expression_names", np.array(["a"])), "'expression_names' has shape"),
    "names that are numbers": (_with("expression_names", np.zeros(2)), "'expression_names' holds float64, not text"),
    "an unknown family": (_with("ffngen_family", np.array("smpl")), "unknown model family 'smpl'"),
    "a family without version": (_without("ffngen_version"), "has no 'ffngen_version'"),
    "texture coordinates without faces": (_with("vt", np.zeros((4, 2))), "has no 'ft'"),
    "texture coordinates out of range": (
        lambda arrays: arrays.update(vt=np.full((4, 2), 3.0), ft=np.zeros((FACES, 3), dtype=int)),
        "texture coordinates outside 0 to 1",
    ),
    "texture faces out of range": (
        lambda arrays: arrays.update(vt=np.zeros((4, 2)), ft=np.full((FACES, 3), 4)),
        "'ft' holds indices from 4 to 4",
    ),
    "regions without faces": (_with("region_names", np.array(["lips"])), "has no 'region_faces'"),
    "regions that are numbers": (
        lambda arrays: arrays.update(region_names=np.array(["lips"]), region_faces=np.zeros((1, FACES))),
        "'region_faces' holds float64, not booleans",
    ),
    "landmarks without coordinates": (_with("lmk_face_idx", np.zeros(68, dtype=int)), "has no"),
    "landmarks off their faces": (
        lambda arrays: arrays.update(lmk_face_idx=np.zeros(68, dtype=int), lmk_b_coords=np.ones((68, 3))),
        "'lmk_b_coords' must sum to 1",
    ),
}


def _assert_one_line(error: FfngenError, path: Path) -> None:
    assert str(error).startswith(str(path))
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_model_is_one_line(name: str, tmp_path: Path) -> None:
    spoil, message = MALFORMED[name]
    arrays = small_model()
    spoil(arrays)
    path = tmp_path / "model.npz"
    np.savez(path, **arrays)
    with pytest.raises((HeadModelError, InputFileError), match=message) as caught:
        read_model(path)
    _assert_one_line(caught.value, path)


def _npy(shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def _zip(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def _saved(arrays: Arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "text": b"not a model",
    "truncated": _saved(small_model())[:-400],
    "flipped bits": _saved(small_model()).replace(small_model()["weights"].tobytes(), bytes(VERTICES * 5 * 8)),
    "an array longer than its data": _zip(v_template=_npy("(1000000000000, 3)")),
    "an array of negative length": _zip(v_template=_npy("(-1, -3)")),
    "an array without a header": _zip(v_template=b"12345678" * 9),
    "a header with code": _zip(v_template=_npy("__import__('os').getpid()")),
    "a deep header": _zip(v_template=_npy("(" * 5000)),
    "a thousand arrays": _zip(**{f"a{number}": b"" for number in range(1000)}),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_npz_is_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(InputFileError) as caught:
        read_model(path)
    _assert_one_line(caught.value, path)


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    path.write_bytes(_zip(v_template=bytes(20_000_000)))
    assert path.stat().st_size < 100_000
    with pytest.raises(InputFileError, match="unpacks to 20000000 bytes, more than 1000000"):
        read_npz(path, ("v_template",), max_bytes=1_000_000)


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("model.obj", "absent.npz", "absent.pkl"):
        with pytest.raises(InputFileError):
            read_model(tmp_path / name)


def test_all_optional_keys_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arrays = small_model()
    masks = rng.random((2, FACES)) < 0.5
    barycentric = rng.dirichlet(np.ones(3), size=68)
    arrays.update(
        vt=rng.random((20, 2)).astype(np.float32),
        ft=rng.integers(0, 20, size=(FACES, 3)),
        expression_names=np.array(["jawOpen", "mouthClose"]),
        region_names=np.array(["lips", "face"]),
        region_faces=masks,
        lmk_face_idx=rng.integers(0, FACES, size=68),
        lmk_b_coords=barycentric,
    )
    np.savez(tmp_path / "open.npz", **arrays)
    model = read_model(tmp_path / "open.npz")
    assert (model.family, model.version, model.shape_count, model.expression_count) == ("open", "1", 4, 2)
    assert model.expression_names == ("jawOpen", "mouthClose")
    assert model.uv is not None
    assert model.landmarks is not None
    np.testing.assert_array_equal(model.uv.per_corner(), arrays["vt"][arrays["ft"]])
    np.testing.assert_array_equal(model.regions["lips"], np.flatnonzero(masks[0]))
    np.testing.assert_array_equal(model.landmarks.face_index, arrays["lmk_face_idx"])
    np.testing.assert_array_equal(model.shape_basis, arrays["shapedirs"][:, :, :4].astype(np.float32))
    np.testing.assert_array_equal(model.expression_basis, arrays["shapedirs"][:, :, 4:].astype(np.float32))


def test_digest_is_of_the_numbers(tmp_path: Path) -> None:
    arrays = small_model()
    np.savez(tmp_path / "a.npz", **arrays)
    turned = {key: value.copy(order="F") for key, value in arrays.items()}
    np.savez_compressed(tmp_path / "b.npz", **turned)
    (tmp_path / "c.pkl").write_bytes(pickle.dumps({k: v for k, v in arrays.items() if not k.startswith("ffngen")}))
    digests = {read_model(tmp_path / name).digest for name in ("a.npz", "b.npz")}
    digests.add(read_model(tmp_path / "c.pkl", family="flame2020").digest)
    assert len(digests) == 1
    arrays["v_template"][0, 0] = np.nextafter(arrays["v_template"][0, 0], 1.0)
    np.savez(tmp_path / "d.npz", **arrays)
    assert read_model(tmp_path / "d.npz").digest not in digests


def _obj(faces: np.ndarray, line: str = "f {0}/{3} {1}/{4} {2}/{5}") -> str:
    texture = np.arange(3 * len(faces)).reshape(-1, 3)
    corners = [line.format(*(face + 1), *(corner + 1)) for face, corner in zip(faces, texture, strict=True)]
    places = [f"vt {number / (3 * len(faces))} 0.25" for number in range(3 * len(faces))]
    return "\n".join(["# a template", "v 0 0 0", *places, *corners, ""])


def test_texture_coordinates_come_from_the_template_beside_the_model(tmp_path: Path) -> None:
    arrays = small_model()
    np.savez(tmp_path / "model.npz", **arrays)
    (tmp_path / "head_template.obj").write_text(_obj(arrays["f"].astype(int)))
    uv = read_model(tmp_path / "model.npz").uv
    assert uv is not None
    np.testing.assert_allclose(uv.per_corner()[4, 2], [14 / 30, 0.25], atol=1e-7)


def test_texture_coordinates_come_from_arrays_beside_the_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", **small_model())
    np.save(tmp_path / "flame_vt.npy", np.full((5, 2), 0.5))
    np.save(tmp_path / "flame_ft.npy", np.full((FACES, 3), 4, dtype=np.uint32))
    uv = read_model(tmp_path / "model.npz").uv
    assert uv is not None
    assert len(uv.coordinates) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("f 1", "f 2").replace("f 2", "f 3"), "has other faces than the head model"),
        (lambda text: text + "f 1/1 2/2 3/3 4/4\n", "a face that is not a triangle"),
        (lambda text: text + "f 1 2 3\n", "not an .obj file of textured triangles"),
        (lambda text: text + "vt one two\n", "could not convert"),
        (lambda text: text.replace("vt 0.0 0.25", "vt nan 0.25"), "outside 0 to 1"),
        (lambda text: text.replace("/30", "/31"), "texture index out of range"),
        (lambda text: text.replace("/30", "/99999999999999999999"), "not an .obj file"),
        (lambda text: "", "not an .obj file|other faces"),
    ],
)
def test_damaged_template_is_one_line(change: Callable[[str], str], message: str, tmp_path: Path) -> None:
    arrays = small_model()
    np.savez(tmp_path / "model.npz", **arrays)
    (tmp_path / "head_template.obj").write_text(change(_obj(arrays["f"].astype(int))))
    with pytest.raises((InputFileError, HeadModelError), match=message) as caught:
        read_model(tmp_path / "model.npz")
    _assert_one_line(caught.value, tmp_path / "head_template.obj")
