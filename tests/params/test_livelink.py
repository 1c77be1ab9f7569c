"""Live Link Face recordings: what they say of the open head's face and pose, and what is refused."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffngen.errors import InputFileError
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.livelink import read_livelink
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.read import read_parameter_sets

# The app's own columns, in its order, written out from a recording of it.
_SHAPES = (
    "EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft EyeBlinkRight "
    "EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight JawForward JawRight "
    "JawLeft JawOpen MouthClose MouthFunnel MouthPucker MouthRight MouthLeft MouthSmileLeft MouthSmileRight "
    "MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight "
    "MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight MouthLowerDownLeft "
    "MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft "
    "BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut"
)
SHAPES = _SHAPES.split()
ANGLES = [
    *("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll"),
    *("RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
]
HEADER = ["Timecode", "BlendshapeCount", *SHAPES, *ANGLES]


def row(code: str = "10:00:00:00.000", **values: float) -> list[str]:
    """One frame; what is not named is 0."""
    return [code, "61", *(f"{values.get(name, 0.0):.10f}" for name in HEADER[2:])]


def lost(code: str) -> list[str]:
    """A frame in which the app saw no face."""
    return [code, "0", *[""] * (len(HEADER) - 2)]


def write(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head("open")


def one(folder: Path, **values: float) -> ParameterSet:
    (parameters,) = read_livelink(write(folder / "take.csv", [row(**values)]))
    return parameters


def landmarks(model: HeadModel, parameters: ParameterSet) -> np.ndarray[Any, Any]:
    assert model.landmarks is not None
    vertices = model.vertices(parameters.betas, parameters.expression[None], parameters.pose[None])
    return model.landmarks.evaluate(vertices)[0]


def test_actions_come_by_name_in_the_open_heads_order(model: HeadModel, tmp_path: Path) -> None:
    assert model.expression_names == ARKIT_ACTIONS
    values = {name: (index + 1) / 100 for index, name in enumerate(SHAPES)}
    expression = one(tmp_path, **values).expression
    for index, name in enumerate(model.expression_names):
        assert expression[index] == pytest.approx(values[name[0].upper() + name[1:]], abs=1e-9), name


def test_what_a_frame_states(tmp_path: Path) -> None:
    rows = [row("10:00:00:00.000"), lost("10:00:00:01.000"), row("10:00:00:02.000", JawOpen=0.5)]
    write(tmp_path / "happy" / "take_1.csv", rows)
    (tmp_path / "happy" / "notes.csv").write_text("a,b\n1,2\n")
    sets = read_parameter_sets(tmp_path)
    assert [(s.frame, s.identity, s.emotion, s.family, s.fps) for s in sets] == [
        (0, "happy/take_1", "happy", "open", None),
        (2, "happy/take_1", "happy", "open", None),
    ]
    assert {s.track for s in sets} == {(tmp_path / "happy" / "take_1.csv").as_posix()}
    assert sets[1].expression[ARKIT_ACTIONS.index("jawOpen")] == 0.5
    assert sets[1].source.endswith("take_1.csv, frame 2")
    assert not sets[0].pose.any()
    assert sets[0].betas.size == 0
    assert len(read_parameter_sets(tmp_path / "happy" / "take_1.csv", "livelink")) == 2


@pytest.mark.parametrize("header", [[name.swapcase() for name in HEADER], [f" {name}" for name in HEADER]])
def test_case_and_spaces_of_the_header_do_not_matter(header: list[str], tmp_path: Path) -> None:
    (parameters,) = read_livelink(write(tmp_path / "take.csv", [row(JawOpen=1)], header))
    assert parameters.expression[ARKIT_ACTIONS.index("jawOpen")] == 1


def test_byte_order_mark_blank_lines_and_missing_angles(tmp_path: Path) -> None:
    path = write(tmp_path / "take.csv", [row(JawOpen=1)[:54], [], row()[:54]], HEADER[:54])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    sets = read_livelink(path)
    assert [s.frame for s in sets] == [0, 1]
    assert not sets[0].pose.any()


def test_values_beyond_one_are_kept(tmp_path: Path) -> None:
    # A recording has 1.0591764450 for EyeLookInRight.
    expression = one(tmp_path, EyeLookInRight=1.059176445).expression
    assert expression[ARKIT_ACTIONS.index("eyeLookInRight")] == pytest.approx(1.059176445)


def test_positive_yaw_turns_the_face_to_the_subjects_left(model: HeadModel, tmp_path: Path) -> None:
    rest, turned = landmarks(model, one(tmp_path)), landmarks(model, one(tmp_path, HeadYaw=0.3))
    assert turned[30, 0] - rest[30, 0] > 0.02
    # The bridge and the tip of the nose point where the head does.
    assert np.arctan2(*(turned[30] - turned[[0, 16]].mean(axis=0))[[0, 2]]) == pytest.approx(0.3, abs=0.05)


def test_positive_pitch_raises_the_face(model: HeadModel, tmp_path: Path) -> None:
    rest, raised = landmarks(model, one(tmp_path)), landmarks(model, one(tmp_path, HeadPitch=0.3))
    assert raised[30, 1] - rest[30, 1] > 0.02
    assert abs(raised[30, 0] - rest[30, 0]) < 1e-3


def test_positive_roll_tips_the_head_to_the_right_shoulder(model: HeadModel, tmp_path: Path) -> None:
    tipped = landmarks(model, one(tmp_path, HeadRoll=0.3))
    # Landmarks 36 and 45: the outer corners of the right and the left eye.
    assert tipped[45, 1] - tipped[36, 1] > 0.02
    assert tipped[27, 0] < -0.02


def test_neck_and_trunk_together_turn_the_head_by_what_is_written(model: HeadModel, tmp_path: Path) -> None:
    yaw, pitch, roll = 0.5, -0.3, 0.2
    parameters = one(tmp_path, HeadYaw=yaw, HeadPitch=pitch, HeadRoll=roll)
    rest = model.vertices([], np.zeros((1, 52)), np.zeros((1, 15)))[0].astype(np.float64)
    posed = model.vertices([], np.zeros((1, 52)), parameters.pose[None])[0].astype(np.float64)
    # Pose correctives move skin but not the eyeballs, which are rigid in the skull.
    eyes = np.unique(model.faces[model.regions["eyeballs"]])
    a, b = rest[eyes] - rest[eyes].mean(axis=0), posed[eyes] - posed[eyes].mean(axis=0)
    u, _, v = np.linalg.svd(b.T @ a)
    found = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    c, s = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]])
    about_x = np.array([[1, 0, 0], [0, c[1], s[1]], [0, -s[1], c[1]]])  # upwards
    about_z = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    np.testing.assert_allclose(found, about_y @ about_x @ about_z, atol=1e-4)


def test_actions_move_what_they_name(model: HeadModel, tmp_path: Path) -> None:
    rest = landmarks(model, one(tmp_path))
    assert landmarks(model, one(tmp_path, JawOpen=1.0))[8, 1] < rest[8, 1] - 0.01
    # 48 and 54: the corners of the mouth on the right and on the left.
    left = landmarks(model, one(tmp_path, MouthSmileLeft=1.0)) - rest
    assert rest[54, 0] > 0
    assert left[54, 1] > 0.004
    assert np.linalg.norm(left[54]) > 5 * np.linalg.norm(left[48])
    right = landmarks(model, one(tmp_path, BrowOuterUpRight=1.0)) - rest
    assert right[17:20, 1].max() > 0.002
    assert np.abs(right[24:27]).max() < 5e-4


def test_gaze_is_moved_once_by_the_blendshapes(model: HeadModel, tmp_path: Path) -> None:
    recorded = one(tmp_path, EyeLookInLeft=0.5, LeftEyeYaw=0.2, LeftEyePitch=0.1, RightEyeRoll=0.3)
    assert not recorded.pose[9:].any()
    pupils = np.unique(model.faces[model.regions["pupil"]])
    rest = model.vertices([], np.zeros((1, 52)), np.zeros((1, 15)))[0]
    moved = model.vertices([], recorded.expression[None], recorded.pose[None])[0] - rest
    left, right = pupils[rest[pupils, 0] > 0], pupils[rest[pupils, 0] < 0]
    # In, for the left eye, is to the subject's right.
    assert -0.006 < moved[left, 0].mean() < -0.001
    assert np.abs(moved[right]).max() == 0


def test_a_phone_on_its_side_is_refused(tmp_path: Path) -> None:
    upright, sideways = row(HeadRoll=0.3), row(HeadRoll=-1.5)
    assert len(read_livelink(write(tmp_path / "take.csv", [upright, upright, sideways]))) == 3
    path = write(tmp_path / "take.csv", [upright, sideways, sideways])
    with pytest.raises(InputFileError) as caught:
        read_livelink(path)
    _assert_one_line(caught.value, path, "the phone was held sideways")


def timecodes(count: int, base: int, step: float = 1.0, start: str = "10:00:00", drop: bool = False) -> list[str]:
    """What a clock with ``base`` numbers a second shows at every ``step``-th of them."""
    hour, minute, second = (int(part) for part in start.split(":"))
    first = ((hour * 60 + minute) * 60 + second) * base
    codes = []
    for index in range(count):
        number = first + index * step
        whole, frame = divmod(number, base)
        whole = int(whole) % 86400
        clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        codes.append(f"{clock}{';' if drop else ':'}{frame:06.3f}")
    return codes


@pytest.mark.parametrize(
    ("codes", "fps"),
    [
        (timecodes(200, 60, 1.0013), 60 * 1000 / 1001),
        (timecodes(200, 60, 1.9996), 30.0),
        (timecodes(100, 30), 30.0),
        (timecodes(100, 25), 25.0),
        (timecodes(100, 24), 24.0),
        (timecodes(200, 60, start="23:59:59"), 60.0),
        (timecodes(100, 30, start="10:07:01", drop=True), 30 * 1000 / 1001),
        ([f"10:00:{index // 10:02d}.{index % 10}00" for index in range(100)], 10.0),
        (timecodes(40, 60), None),  # less than a second: who knows how many frames it has
        ([str(index) for index in range(100)], None),
        (["10:00:00:00.000"] * 100, None),
    ],
)
def test_frame_rate(codes: list[str], fps: float | None, tmp_path: Path) -> None:
    sets = read_livelink(write(tmp_path / "take.csv", [row(code) for code in codes]))
    assert len(sets) == len(codes)
    assert sets[0].fps == (None if fps is None else pytest.approx(fps, rel=1e-9))


def test_frames_dropped_at_the_minute_do_not_change_the_rate(tmp_path: Path) -> None:
    before = [f"10:00:{second:02d};{frame:02d}" for second in (57, 58, 59) for frame in range(30)]
    after = [f"10:01:00;{frame:02d}" for frame in range(2, 30)]
    sets = read_livelink(write(tmp_path / "take.csv", [row(code) for code in before + after]))
    assert sets[0].fps == pytest.approx(30000 / 1001)


def _cell(column: str, text: str) -> Callable[[], list[list[str]]]:
    def rows() -> list[list[str]]:
        rows = [row(), row()]
        rows[1][HEADER.index(column)] = text
        return rows

    return rows


#: name -> (rows, a part of the message).
HOSTILE: dict[str, tuple[Callable[[], list[list[str]]], str]] = {
    "a word": (_cell("JawOpen", "open"), "row 3, column JawOpen: 'open' is not a number"),
    "nothing": (_cell("TongueOut", ""), "row 3, column TongueOut: '' is not a number"),
    "NaN": (_cell("BrowInnerUp", "nan"), "row 3, column BrowInnerUp: nan is no activation"),
    "infinity": (_cell("BrowInnerUp", "-inf"), "row 3, column BrowInnerUp: -inf is no activation"),
    "percents": (_cell("CheekPuff", "57"), "row 3, column CheekPuff: 57 is no activation, which goes from 0 to 1"),
    "degrees": (_cell("HeadYaw", "-25.5"), "row 3, column HeadYaw: -25.5 is no angle in radians"),
    "an angle that is not a number": (_cell("HeadRoll", "nan"), "row 3, column HeadRoll: nan is no angle"),
    "an overlong number": (_cell("JawOpen", "1" * 5000), "row 3, column JawOpen: "),
    "a control code": (_cell("JawOpen", "\x1b[2J"), "row 3, column JawOpen: "),
    "a count that is a word": (_cell("BlendshapeCount", "many"), "row 3, column BlendshapeCount: 'many' is no count"),
    "a negative count": (_cell("BlendshapeCount", "-1"), "row 3, column BlendshapeCount: '-1' is no count"),
    "a huge count": (_cell("BlendshapeCount", "9" * 5000), "row 3, column BlendshapeCount: "),
    "a bad timecode": (_cell("Timecode", "yesterday"), "row 3, column Timecode: 'yesterday' is no timecode"),
    "no time of day": (_cell("Timecode", "25:00:00:00"), "row 3, column Timecode: '25:00:00:00' is no time of day"),
    "a short row": (lambda: [row(), row()[:30]], "row 3 has 30 columns, not 63"),
    "a long row": (lambda: [row(), [*row(), "1"]], "row 3 has 64 columns, not 63"),
    "a row of one cell": (lambda: [row(), ["10:00:00:00"]], "row 3 has 1 columns, not 63"),
    "no face at all": (lambda: [lost("10:00:00:00"), lost("10:00:00:01")], "has no row with a face"),
    "no rows": (list, "has no row with a face"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_rows_are_one_line(name: str, tmp_path: Path) -> None:
    rows, message = HOSTILE[name]
    path = write(tmp_path / "take.csv", rows())
    with pytest.raises(InputFileError) as caught:
        read_parameter_sets(path)
    _assert_one_line(caught.value, path, message)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([name for name in HEADER if name != "JawOpen"], "has no column JawOpen"),
        ([name for name in HEADER if name != "BlendshapeCount"], "has no column BlendshapeCount"),
        ([name for name in HEADER if name != "HeadPitch"], "has no column HeadPitch"),
        (["Timecode", "BlendshapeCount", "JawOpen"], "and 46 more"),
        ([*HEADER, "jawopen"], "has the column JawOpen twice"),
    ],
)
def test_hostile_headers_are_one_line(header: list[str], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "take.csv", [row()], header)
    with pytest.raises(InputFileError) as caught:
        read_parameter_sets(path)
    _assert_one_line(caught.value, path, message)


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (b"\xff\xfe\xfd\n", "is not UTF-8 text"),
        (b"1," * 60_000, "row of more than"),
        (b'"' + b"x\n" * 100_000, "is no table after row 1"),
        (b"\x00\n", "row 2 has 1 columns"),
    ],
)
def test_hostile_bytes_are_one_line(tail: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    path.write_bytes(",".join(HEADER).encode() + b"\n" + tail)
    with pytest.raises(InputFileError) as caught:
        read_parameter_sets(path)
    _assert_one_line(caught.value, path, message)


def test_other_files_are_not_recordings(tmp_path: Path) -> None:
    for name, content in {"empty.csv": b"", "table.csv": b"Timecode,x\n1,2\n", "binary.csv": bytes(range(256))}.items():
        (tmp_path / name).write_bytes(content)
        assert read_livelink(tmp_path / name) == []
        with pytest.raises(InputFileError, match="holds no parameters of the format livelink"):
            read_parameter_sets(tmp_path / name, "livelink")
    with pytest.raises(InputFileError, match="Live Link Face"):
        read_parameter_sets(tmp_path)


def test_too_many_rows_or_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write(tmp_path / "take.csv", [row()] * 20)
    monkeypatch.setattr("ffngen.params.livelink.MAX_FRAMES", 19)
    with pytest.raises(InputFileError, match="has more than 19 rows"):
        read_livelink(path)
    monkeypatch.setattr("ffngen.params.recording.MAX_BYTES", 100)
    with pytest.raises(InputFileError, match="more than the 100 that are read"):
        read_livelink(path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = write(tmp_path / "secret.csv", [row()])
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "take.csv").symlink_to(outside)
    with pytest.raises(InputFileError, match="a link that leads out of the folder"):
        read_livelink(tmp_path / "takes")


def test_memory_grows_with_the_sets_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "take.csv", [row()] * 2000)
    tracemalloc.start()
    sets = read_livelink(path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sets) == 2000
    assert kept < 4000 * 2000
    assert peak < 20_000 * 2000


def _assert_one_line(error: InputFileError, path: Path, message: str) -> None:
    text = str(error)
    assert text.startswith(str(path))
    assert message in text
    assert text.isprintable()
    assert len(text) < 400
