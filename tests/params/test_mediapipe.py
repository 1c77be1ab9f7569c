"""Results of MediaPipe's Face Landmarker as people save them: Python's and JavaScript's, whole and damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.errors import InputFileError
from ffngen.head.load import load_head
from ffngen.params import json_stream
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.mediapipe import read_mediapipe
from ffngen.params.read import read_parameter_sets

# The task's categories, in its order: it has no tongueOut.
_NAMES = (
    "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft "
    "cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight "
    "eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight "
    "jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight "
    "mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker "
    "mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight "
    "mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight"
)
NAMES = _NAMES.split()
#: A head turned to its left and down, 40 cm from the camera.
TURN = Rotation.from_euler("YX", [0.4, 0.2])


def matrix(rotation: Rotation = TURN, scale: float = 1.0) -> np.ndarray[Any, Any]:
    full = np.eye(4)
    full[:3, :3] = scale * rotation.as_matrix()
    full[:3, 3] = [1.5, -2.0, -40.0]
    return full


def python_frame(**scores: float) -> dict[str, Any]:
    """FaceLandmarkerResult of the Python API, its lists made of dicts."""
    categories = [
        {"index": index, "score": scores.get(name, 0.9 if name == "_neutral" else 0.0), "display_name": "",
         "category_name": name}
        for index, name in enumerate(NAMES)
    ]  # fmt: skip
    return {
        "face_landmarks": [[{"x": 0.5, "y": 0.5, "z": 0.0}] * 478],
        "face_blendshapes": [categories],
        "facial_transformation_matrixes": [matrix().tolist()],
    }


def script_frame(**scores: float) -> dict[str, Any]:
    """FaceLandmarkerResult of the JavaScript API."""
    categories = [
        {"index": index, "score": scores.get(name, 0.0), "categoryName": name, "displayName": ""}
        for index, name in enumerate(NAMES)
    ]
    return {
        "faceLandmarks": [[{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 0}] * 478],
        "faceBlendshapes": [{"categories": categories, "headIndex": -1, "headName": ""}],
        "facialTransformationMatrixes": [{"rows": 4, "columns": 4, "data": matrix().T.ravel().tolist()}],
    }


def typed_array(**scores: float) -> dict[str, Any]:
    """The same, where JSON.stringify met a Float32Array."""
    frame = script_frame(**scores)
    data = frame["facialTransformationMatrixes"][0]["data"]
    frame["facialTransformationMatrixes"][0]["data"] = {str(index): value for index, value in enumerate(data)}
    return frame


def named_scores(**scores: float) -> dict[str, Any]:
    """The scores under their names, the one face's matrix in rows."""
    return {"blendshapes": {"_neutral": 0.1, **scores}, "transformation_matrix": matrix().tolist()}


def save(path: Path, frames: Any, *, lines: bool = False, indent: int | None = None) -> Path:
    path.write_text("\n".join(json.dumps(f) for f in frames) if lines else json.dumps(frames, indent=indent))
    return path


@pytest.mark.parametrize("make", [python_frame, script_frame, typed_array, named_scores])
@pytest.mark.parametrize("layout", ["list", "lines", "frames", "indented", "one"])
def test_every_form_says_the_same(make: Callable[..., dict[str, Any]], layout: str, tmp_path: Path) -> None:
    frames: Any = [make(jawOpen=0.25), make(mouthSmileLeft=0.5)]
    if layout == "one":
        frames = frames[0]
    path = save(
        tmp_path / "face.json",
        {"frames": frames} if layout == "frames" else frames,
        lines=layout == "lines",
        indent=1 if layout == "indented" else None,
    )
    sets = read_parameter_sets(path)
    assert [s.frame for s in sets] == ([0] if layout == "one" else [0, 1])
    expected = np.zeros(52)
    expected[ARKIT_ACTIONS.index("jawOpen")] = 0.25
    np.testing.assert_allclose(sets[0].expression, expected)
    head = sets[0].pose[0:3] + sets[0].pose[3:6]
    np.testing.assert_allclose(Rotation.from_rotvec(head).as_matrix(), TURN.as_matrix(), atol=1e-6)
    assert not sets[0].pose[6:].any()
    assert (sets[0].family, sets[0].identity, sets[0].track) == ("open", "face", path.as_posix())


def test_frames_that_are_lists_of_categories(tmp_path: Path) -> None:
    frames = [python_frame(jawOpen=0.5)["face_blendshapes"][0], []]
    (parameters,) = read_mediapipe(save(tmp_path / "face.json", frames))
    assert parameters.expression[ARKIT_ACTIONS.index("jawOpen")] == 0.5
    assert not parameters.pose.any()


def test_frames_without_a_face_are_left_out(tmp_path: Path) -> None:
    empty = {"face_landmarks": [], "face_blendshapes": [], "facial_transformation_matrixes": []}
    sets = read_mediapipe(save(tmp_path / "face.json", [empty, python_frame(), empty, python_frame(), None]))
    assert [s.frame for s in sets] == [1, 3]


def test_frame_rate_from_milliseconds(tmp_path: Path) -> None:
    frames = [{**python_frame(), "timestamp_ms": round(index * 1000 / 30)} for index in range(31)]
    assert read_mediapipe(save(tmp_path / "a.json", frames))[0].fps == pytest.approx(30, rel=1e-3)
    del frames[7]["timestamp_ms"]
    assert read_mediapipe(save(tmp_path / "b.json", frames))[0].fps is None


def test_a_folder_has_a_track_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "sad").mkdir()
    save(tmp_path / "sad" / "b.jsonl", [python_frame()] * 2, lines=True)
    save(tmp_path / "a.json", [script_frame()])
    save(tmp_path / "transforms.json", {"frames": [{"file_path": "x.png"}]})
    sets = read_parameter_sets(tmp_path)
    assert [(s.identity, s.emotion, s.frame) for s in sets] == [
        ("a", "none", 0),
        ("sad/b", "sad", 0),
        ("sad/b", "sad", 1),
    ]


def test_the_matrix_turns_the_head_as_the_camera_saw_it(tmp_path: Path) -> None:
    """A face that MediaPipe sees turned to the right of the picture has turned to its left."""
    model = load_head("open")
    assert model.landmarks is not None
    (parameters,) = read_mediapipe(save(tmp_path / "face.json", [python_frame()]))
    rest = model.landmarks.evaluate(model.vertices([], np.zeros((1, 52)), np.zeros((1, 15))))[0]
    posed = model.landmarks.evaluate(model.vertices([], np.zeros((1, 52)), parameters.pose[None]))[0]
    assert posed[30, 0] - rest[30, 0] > 0.02
    # TURN looks down as well.
    assert posed[30, 1] - rest[30, 1] < -0.01


def test_a_scale_in_the_matrix_is_taken_out(tmp_path: Path) -> None:
    frame = python_frame()
    frame["facial_transformation_matrixes"] = [matrix(scale=1.07).tolist()]
    (parameters,) = read_mediapipe(save(tmp_path / "face.json", [frame]))
    np.testing.assert_allclose(parameters.pose[0:3] + parameters.pose[3:6], TURN.as_rotvec(), atol=1e-6)


def _changed(change: Callable[[dict[str, Any]], Any]) -> str:
    frame = python_frame(jawOpen=0.5)
    replaced = change(frame)
    return json.dumps([python_frame(), frame if replaced is None else replaced])


def _score(value: Any) -> str:
    return _changed(lambda frame: frame["face_blendshapes"][0][25].update(score=value))


def _matrix(value: Any) -> str:
    return _changed(lambda frame: frame.update(facial_transformation_matrixes=value))


#: name -> (content of the file, a part of the message).
HOSTILE: dict[str, tuple[str, str]] = {
    "cut off": (json.dumps([python_frame()] * 3)[:-4000], "is no JSON at item 2"),
    "cut off between frames": (json.dumps([python_frame()])[:-1], "ends within its array, after item 0"),
    "no comma": (json.dumps([python_frame()])[:-1] + json.dumps(python_frame()) + "]", "no comma after item 0"),
    "a comma too many": (json.dumps([python_frame()])[:-1] + ",]", "is no JSON"),
    "text behind the array": (json.dumps([python_frame()]) + "x", "text after the end of its array"),
    "not JSON": ('{"face_blendshapes": oops', "is no JSON at item 0"),
    "NaN": (_score(float("nan")), "NaN is no number"),
    "infinity": (_score(float("inf")), "Infinity is no number"),
    "1e999": (_score(0.123).replace("0.123", "1e999"), "frame 1: jawOpen: inf is no activation"),
    "an integer of 4000 digits": (_score(0.123).replace("0.123", "9" * 4000), "frame 1: jawOpen: "),
    "an integer of 9000 digits": (_score(0.123).replace("0.123", "9" * 9000), "is no JSON at item 1"),
    "a score that is text": (_score("0.5"), "frame 1: jawOpen: '0.5' is not a number"),
    "a score that is true": (_score(True), "frame 1: jawOpen: 'True' is not a number"),
    "no score": (_score(None), "frame 1: jawOpen: 'None' is not a number"),
    "percents": (_score(57.0), "frame 1: jawOpen: 57 is no activation"),
    "an unknown name": (
        _changed(lambda frame: frame["face_blendshapes"][0][25].update(category_name="jaw\x1b[2JDrop")),
        "frame 1: 'jaw\\x1b[2JDrop' is none of ARKit's blendshapes",
    ),
    "a name twice": (
        _changed(lambda frame: frame["face_blendshapes"][0][25].update(category_name="jawLeft")),
        "frame 1: jawLeft is there twice",
    ),
    "no blendshapes of a face": (_changed(lambda frame: frame.update(face_blendshapes=[{}])), "has no blendshapes"),
    "a number for a face": (_changed(lambda frame: frame.update(face_blendshapes=[3])), "no list of categories"),
    "a number for a frame": (_changed(lambda frame: 3), "frame 1: its blendshapes are no list of categories"),
    "two faces": (
        _changed(lambda frame: frame.update(face_blendshapes=frame["face_blendshapes"] * 2)),
        "frame 1: blendshapes of 2 faces",
    ),
    "one frame's categories": (json.dumps(python_frame()["face_blendshapes"][0]), "is one list of categories"),
    "no face anywhere": (json.dumps([{"face_blendshapes": []}]), "has no frame with a face"),
    "a matrix of 3 rows": (_matrix([matrix()[:3].tolist()]), "its matrix has the shape (3, 4)"),
    "a matrix of text": (_matrix([[["a"] * 4] * 4]), "its matrix does not consist of numbers"),
    "a ragged matrix": (_matrix([[[1, 2], [3], [4], [5]]]), "its matrix does not consist of numbers"),
    "a matrix of zeros": (_matrix([[[0] * 4] * 4]), "its matrix is no rigid transformation"),
    "a mirror": (_matrix([np.diag([-1.0, 1, 1, 1]).tolist()]), "its matrix is no rotation"),
    "a shear": (_matrix([[[1, 0, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]]), "is no rotation"),
    "a matrix without data": (_matrix([{"rows": 4, "columns": 4}]), "its matrix has the shape ()"),
    "depth": ('{"face_blendshapes": ' + "[" * 200_000, "is no JSON at item 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_line(name: str, tmp_path: Path) -> None:
    content, message = HOSTILE[name]
    path = tmp_path / "face.json"
    path.write_text(content)
    with pytest.raises(InputFileError) as caught:
        read_parameter_sets(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert message in text
    assert text.isprintable()
    assert len(text) < 400


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "face.json").write_bytes(b'[{"face_blendshapes": "\xff\xfe"}]')
    with pytest.raises(InputFileError, match="is not UTF-8 text"):
        read_mediapipe(tmp_path / "face.json")


def test_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = save(tmp_path / "face.json", [python_frame()] * 3)
    monkeypatch.setattr("ffngen.params.mediapipe.MAX_FRAMES", 2)
    with pytest.raises(InputFileError, match="has more than 2 frames"):
        read_mediapipe(path)
    monkeypatch.setattr(json_stream, "MAX_ITEM", 1000)
    monkeypatch.setattr(json_stream, "_CHUNK", 600)
    with pytest.raises(InputFileError, match="item 0 has more than 1000 characters"):
        read_mediapipe(path)
    monkeypatch.setattr("ffngen.params.recording.MAX_BYTES", 100)
    with pytest.raises(InputFileError, match="more than the 100 that are read"):
        read_mediapipe(path)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("[]", []),
        (" [ ] \n", []),
        ("[1, 23 , 456]", [1, 23, 456]),
        ("1\n23\n456", [1, 23, 456]),
        ('[{"a": [1, 2]}, [3], "]"]', [{"a": [1, 2]}, [3], "]"]),
        ('{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("", []),
    ],
)
def test_items_do_not_depend_on_where_the_file_is_cut(
    chunk: int, text: str, items: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    (tmp_path / "items.json").write_text(text)
    assert [item for _, item in json_stream.read_items(tmp_path / "items.json")] == items


def test_other_files_are_no_results(tmp_path: Path) -> None:
    for name, content in {"a.json": "{}", "b.json": "not JSON", "c.json": "", "d.json": '["categoryNames"]'}.items():
        (tmp_path / name).write_text(content)
    assert read_mediapipe(tmp_path / "a.json") == read_mediapipe(tmp_path / "b.json") == []
    with pytest.raises(InputFileError, match="Face Landmarker"):
        read_parameter_sets(tmp_path / "c.json")
