"""Files of every tracker's format that are damaged or set a trap: one line, nothing run, little memory."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation
from tracker_files import (
    deca_codes,
    metrical_frame,
    smirk_codes,
    tracker_camera,
    vhap_item,
    vhap_parameters,
    write_json,
)

from ffngen.errors import InputFileError
from ffngen.params.read import read_parameter_sets

torch = pytest.importorskip("torch")

#: Bytes. A file of 64 MiB may be held while it is read, and its numbers once more.
MOST_MEMORY = 300 << 20
NO_TURN = Rotation.identity()


class Bomb:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("echo ran > ran",)


class Eval:
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("open('ran', 'w').close()",)


class Loads:
    """Hides a pickle in a pickle, as plain pickles of tensors do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.storage._load_from_bytes, (pickle.dumps(Bomb()),)


def frame() -> dict[str, Any]:
    return metrical_frame(1, tracker_camera(), NO_TURN, (NO_TURN, NO_TURN))


def put(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return write


def later(name: str, make: Callable[[], bytes]) -> Callable[[Path], None]:
    return lambda folder: put(name, make())(folder)


def npz(name: str, arrays: dict[str, Any], **changes: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        kept = {key: value for key, value in {**arrays, **changes}.items() if value is not None}
        np.savez(folder / name, **kept)

    return write


def torch_file(name: str, content: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, folder / name)

    return write


def changed(**groups: Any) -> dict[str, Any]:
    """A tracker's frame with other entries; None removes one."""
    content = frame()
    for group, changes in groups.items():
        if isinstance(changes, dict):
            content[group] = {k: v for k, v in {**content[group], **changes}.items() if v is not None}
        elif changes is None:
            del content[group]
        else:
            content[group] = changes
    return content


def with_value(array: np.ndarray, index: Any, value: float) -> np.ndarray:
    array = array.copy()
    array[index] = value
    return array


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, data in members.items():
            file.writestr(f"a/{name}", data)
    return stream.getvalue()


def torch_pickle(pickled: bytes, **members: bytes) -> bytes:
    return archive({"data.pkl": pickled, "byteorder": b"little", **{f"data/{k[1:]}": v for k, v in members.items()}})


def tensor(storage: str, key: str, count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A pickle of {"flame": {"exp": tensor}} with any numbers in it."""

    def integer(n: int) -> bytes:
        return b"\x8a\x09" + n.to_bytes(9, "little", signed=True)

    def lengths(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(integer(n) for n in values) + b"t"

    text = b"X" + struct.pack("<I", len(key)) + key.encode()
    pid = b"(X\x07\0\0\0storagec" + storage.encode() + b"\n" + text + b"X\x03\0\0\0cpu" + integer(count) + b"tQ"
    made = (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + integer(offset) + lengths(size) + lengths(stride) + b"\x89}tR"
    )
    return b"\x80\x02}X\x05\0\0\0flame}X\x03\0\0\0exp" + made + b"ss."


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def claimed(text: str) -> bytes:
    """An .npz whose array 'shape' has this header and no data."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("shape.npy", header(text))
        for name in ("exp", "pose"):
            file.writestr(f"{name}.npy", header("{'descr':'<f4','fortran_order':False,'shape':(0,)}"))
    return stream.getvalue()


def npz_bomb() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **{**deca_codes(), "shape": np.zeros(20_000_000, np.float32)})
    return stream.getvalue()


def mat_element(kind: int, data: bytes, size: int | None = None) -> bytes:
    return struct.pack("<II", kind, len(data) if size is None else size) + data + b"\0" * (-len(data) % 8)


def mat(shape: tuple[int, ...], data: bytes, size: int | None = None) -> bytes:
    return mat_element(
        14,
        mat_element(6, struct.pack("<II", 7, 0))
        + mat_element(5, struct.pack(f"<{len(shape)}i", *shape))
        + mat_element(1, b"shape")
        + mat_element(7, data, size),
    )


MAT_HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)


def mat_bomb() -> bytes:
    whole = mat((25_000_000, 1), b"\0" * 100_000_000)
    return MAT_HEADER + struct.pack("<II", 15, len(packed := zlib.compress(whole))) + packed


def saved(content: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, content, allow_pickle=True)
    return stream.getvalue()


def long_name(folder: Path) -> None:
    """A timestep whose first array claims a name of 3000 bytes, which a message would repeat."""
    sequence()(folder)
    data = bytearray((folder / "flame_param/00000.npz").read_bytes())
    data[26:28] = struct.pack("<H", 3000)
    (folder / "flame_param/00000.npz").write_bytes(data)


def saved_as_before_1_6() -> bytes:
    stream = io.BytesIO()
    torch.save(frame(), stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def insta_with_a_trap(folder: Path) -> None:
    insta()(folder)
    torch_file("checkpoint/00000.frame", changed(flame={"exp": Bomb()}))(folder)


def sparse_terabyte(folder: Path) -> None:
    put("a.npz", b"")(folder)
    os.truncate(folder / "a.npz", 1 << 40)


def savemat(content: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, content)
    return stream.getvalue()


def sequence(item: dict[str, Any] | None = None, raw: bytes | None = None, **changes: Any) -> Callable[[Path], None]:
    """A GaussianAvatars folder with one timestep, its parameters or its cameras changed."""

    def write(folder: Path) -> None:
        npz("flame_param/00000.npz", vhap_parameters(0), **changes)(folder)
        if raw is not None:
            (folder / "transforms.json").write_bytes(raw)
        elif item is not None:
            whole = vhap_item(0, 0, np.eye(4), (1000, 1000, 250, 250), (500, 500))
            write_json(folder / "transforms.json", {"frames": [{**whole, **item}]})

    return write


def insta(**texts: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        numbers = {"exp": 100, "jaw": 6}
        for name, count in numbers.items():
            default = b"\n".join([b"1.0", b"0.0", b"0.0", b"0.0", b"1.0", b"0.0"] + [b"0.1"] * (count - 6))
            put(f"flame/{name}/00000.txt", texts.get(name, default))(folder)
        np.save(folder / "identity.npy", np.zeros(300, np.float32))
        item = {"transform_matrix": np.eye(4).tolist(), "exp_path": "flame/exp/00000.txt"}
        write_json(folder / "transforms.json", {"fl_x": 900, "w": 512, "h": 512, "frames": [item]})

    return write


def link(name: str, target: str, base: Callable[[Path], None] = lambda folder: None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        base(folder)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return write


def pipe(name: str, base: Callable[[Path], None] = lambda folder: None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        base(folder)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return write


def truncated(name: str, base: Callable[[Path], None], keep: float = 0.6) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        base(folder)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * keep)])

    return write


F, GA = "checkpoint/00001.frame", "gaussian-avatars"
GOOD = torch_file(F, frame())
D = deca_codes()
DEEP = b"[" * 200_000 + b"]" * 200_000
MANY_DICTS = b"\x80\x02" + b"}" * 2_000_000 + b"."
MANY_MEMOS = b"\x80\x02}" + b"".join(b"r" + struct.pack("<I", n) for n in range(300_000)) + b"."

#: what is written, the format that is named, a part of the message.
HOSTILE: dict[str, tuple[Callable[[Path], None], str | None, str]] = {
    # metrical-tracker
    "frame that runs a command": (torch_file(F, changed(flame={"exp": Bomb()})), None, "asks for"),
    "frame that evaluates": (torch_file(F, changed(flame={"exp": Eval()})), None, "asks for"),
    "frame that is a command": (later(F, lambda: torch_pickle(pickle.dumps(Bomb()))), None, "nothing in it was run"),
    "frame that hides a pickle": (torch_file(F, changed(camera={"x": Loads()})), None, "nothing in it was run"),
    "frame with a function": (torch_file(F, changed(camera={"x": os.system})), None, "asks for"),
    "frame by INST": (
        later(F, lambda: torch_pickle(b"(S'echo ran > ran'\nios\nsystem\n.")),
        None,
        "nothing in it was run",
    ),
    "frame by OBJ": (
        later(F, lambda: torch_pickle(b"(cos\nsystem\nS'echo ran > ran'\no.")),
        None,
        "nothing in it was run",
    ),
    "frame by BUILD": (
        later(F, lambda: torch_pickle(b"ctorch\nFloatStorage\n}S'x'\nK\x01sb.")),
        None,
        "nothing in it was run",
    ),
    "frame by extension": (later(F, lambda: torch_pickle(b"\x80\x02\x82\x01.")), None, "nothing in it was run"),
    "frame of half a pixel": (torch_file(F, changed(img_size=np.array([512, 512.5]))), None, "whole"),
    "frame of an infinite size": (torch_file(F, changed(img_size=np.array([512, np.inf]))), None, "whole"),
    "frame of nothing but dicts": (later(F, lambda: torch_pickle(MANY_DICTS)), None, "more instructions"),
    "frame of nothing but memos": (later(F, lambda: torch_pickle(MANY_MEMOS)), None, "more instructions"),
    "frame that is a whole module": (torch_file(F, torch.nn.Linear(2, 2)), None, "asks for torch.nn"),
    "frame that is a list": (torch_file(F, [1, 2]), None, "not a dict"),
    "frame of an old PyTorch": (
        later(F, saved_as_before_1_6),
        None,
        "PyTorch 1.6",
    ),
    "frame that is text": (put(F, b"hello"), None, "PyTorch 1.6"),
    "frame that is empty": (put(F, b""), None, "PyTorch 1.6"),
    "frame without a pickle": (put(F, archive({"data/0": b"1"})), None, "no data.pkl"),
    "frame that is truncated": (truncated(F, GOOD), None, "not a readable file of torch.save"),
    "frame of a packed pickle": (
        later(F, lambda: archive({"data.pkl": b"\0" * 200_000_000}, zipfile.ZIP_DEFLATED)),
        None,
        "compressed or larger",
    ),
    "frame of a packed storage": (
        later(
            F,
            lambda: archive(
                {"data.pkl": tensor("torch\nFloatStorage", "0", 10**7, 0, (10**7,), (1,)), "data/0": b"\0" * 4 * 10**7},
                zipfile.ZIP_DEFLATED,
            ),
        ),
        None,
        "compressed or larger",
    ),
    "frame of 4097 members": (later(F, lambda: archive({str(n): b"" for n in range(4097)})), None, "4097 members"),
    "frame that claims 10^9 rows": (
        later(F, lambda: torch_pickle(tensor("torch\nFloatStorage", "0", 10**9, 0, (10**9, 6), (6, 1)), _0=b"")),
        None,
        "beyond its storage",
    ),
    "frame that claims 10^18 numbers": (
        later(F, lambda: torch_pickle(tensor("torch\nFloatStorage", "0", 10**18, 0, (10**18,), (1,)), _0=b"")),
        None,
        "tensors of more than",
    ),
    "frame that spreads one number": (
        later(F, lambda: torch_pickle(tensor("torch\nFloatStorage", "0", 1, 0, (10**9,), (0,)), _0=b"\0" * 4)),
        None,
        "tensors of more than",
    ),
    "frame beyond its storage": (
        later(F, lambda: torch_pickle(tensor("torch\nFloatStorage", "0", 10, 5, (1, 100), (100, 1)), _0=b"\0" * 40)),
        None,
        "beyond its storage",
    ),
    "frame with a negative stride": (
        later(F, lambda: torch_pickle(tensor("torch\nFloatStorage", "0", 10, 9, (10,), (-1,)), _0=b"\0" * 40)),
        None,
        "impossible shape",
    ),
    "frame with a negative size": (
        later(F, lambda: torch_pickle(tensor("torch\nFloatStorage", "0", 10, 0, (-10,), (1,)), _0=b"\0" * 40)),
        None,
        "impossible shape",
    ),
    "frame with a lost storage": (
        later(F, lambda: torch_pickle(tensor("torch\nFloatStorage", "../0", 10, 0, (10,), (1,)), _0=b"\0" * 40)),
        None,
        "not there in its length",
    ),
    "frame of an unknown storage": (
        later(F, lambda: torch_pickle(tensor("torch\nQInt8Storage", "0", 10, 0, (10,), (1,)), _0=b"\0" * 40)),
        None,
        "asks for torch.QInt8Storage",
    ),
    "frame without a jaw": (torch_file(F, changed(flame={"jaw": None})), None, "has no flame.jaw"),
    "frame without a camera": (torch_file(F, changed(opencv=None)), None, "has no flame.R"),
    "frame without a size": (torch_file(F, changed(img_size=None)), None, "has no img_size"),
    "frame of no size": (torch_file(F, changed(img_size=np.array([0, 512]))), None, "two lengths from 1"),
    "frame of a huge size": (torch_file(F, changed(img_size=np.array([10**9, 512]))), None, "two lengths from 1"),
    "frame of 99 expressions": (torch_file(F, changed(flame={"exp": np.zeros((1, 99), np.float32)})), None, "(1, 99)"),
    "frame of axis-angles": (torch_file(F, changed(flame={"jaw": np.zeros((1, 3), np.float32)})), None, "(1, 3)"),
    "frame of no rotation": (torch_file(F, changed(flame={"jaw": np.zeros((1, 6), np.float32)})), None, "no rotation"),
    "frame with NaN": (torch_file(F, changed(flame={"exp": np.full((1, 100), np.nan, np.float32)})), None, "is nan"),
    "frame with an infinite jaw": (torch_file(F, changed(flame={"jaw": np.full((1, 6), np.inf)})), None, "is inf"),
    "frame with a mirrored camera": (
        torch_file(F, changed(opencv={"R": np.diag([1.0, 1.0, -1.0])[None]})),
        None,
        "no rotation",
    ),
    "frame with a focal length of 0": (
        torch_file(F, changed(opencv={"K": np.diag([0.0, 0.0, 1.0])[None]})),
        None,
        "focal",
    ),
    "frame of text": (torch_file(F, changed(flame={"exp": "abc"})), None, "something that is not an array"),
    "frame of objects": (torch_file(F, changed(flame={"exp": np.array([None] * 100)})), None, "not of plain numbers"),
    "frame that is a pipe": (pipe(F), None, "no such file"),
    "frame that links out": (link(F, "/etc/hostname"), None, "leads out of the folder"),
    "frame of no number": (torch_file("checkpoint/last.frame", frame()), None, "named after no frame"),
    # DECA and SMIRK
    "pkl that runs a command": (
        later("a.pkl", lambda: pickle.dumps({**D, "x": Bomb()})),
        None,
        "nothing in it was run",
    ),
    "npy that runs a command": (
        later("a.npy", lambda: saved({**D, "x": Bomb()})),
        None,
        "nothing in it was run",
    ),
    "npz of objects": (npz("a.npz", D, exp=np.array([Bomb()] * 50, dtype=object)), None, "not plain numbers"),
    "pt that runs a command": (torch_file("a.pt", {**D, "exp": Bomb()}), None, "nothing in it was run"),
    "pkl of nothing but dicts": (put("a.pkl", MANY_DICTS), "deca", "more instructions"),
    "pkl of tensors": (later("a.pkl", lambda: pickle.dumps({"shape": torch.ones(2)})), None, "nothing in it was run"),
    "pkl that claims 8 EB": (put("a.pkl", b"\x80\x04\x96" + b"\xff" * 7 + b"\x7f."), "deca", "not a readable pickle"),
    "pkl that is deep": (
        put("a.pkl", b"\x80\x02" + b"(" * 20_000 + b"t" * 20_000 + b"."),
        "deca",
        "holds no parameters",
    ),
    "npz that unpacks to 80 MB": (later("a.npz", npz_bomb), "deca", "unpacks to"),
    "npz that claims 10^9 rows": (
        later("a.npz", lambda: claimed("{'descr':'<f4','fortran_order':False,'shape':(1000000000, 100)}")),
        None,
        "truncated",
    ),
    "npz with a negative size": (
        later("a.npz", lambda: claimed("{'descr':'<f4','fortran_order':False,'shape':(-1, 100)}")),
        None,
        "negative length",
    ),
    "npz that is truncated": (truncated("a.npz", npz("a.npz", D)), None, "not a readable .npz file"),
    "npz that is text": (put("a.npz", b"hello"), "smirk", "not a readable .npz file"),
    "npz of no rows": (npz("a.npz", D, exp=np.zeros((0, 50), np.float32)), None, "(0, 50)"),
    "npz of other rows": (
        npz("a.npz", deca_codes(0, 3), exp=np.zeros((2, 50), np.float32)),
        None,
        "'exp' has 2 frames",
    ),
    "npz of two batches": (npz("a.npz", D, exp=np.zeros((2, 3, 50), np.float32)), None, "(2, 3, 50)"),
    "npz of whole numbers": (npz("a.npz", D, exp=np.zeros((1, 50), np.int64)), None, "not floats"),
    "npz of text": (npz("a.npz", D, exp=np.array(["a"] * 50)), None, "not floats"),
    "npz with NaN": (npz("a.npz", D, pose=with_value(D["pose"], (0, 2), np.nan)), None, "value 2 is nan"),
    "npz with a huge number": (npz("a.npz", D, pose=with_value(D["pose"], (0, 2), -1e30)), None, "value 2 is -1e+30"),
    "npz with a scale of 0": (npz("a.npz", D, cam=np.zeros((1, 3), np.float32)), None, "scale must be above 0"),
    "npz that is too large": (
        sparse_terabyte,
        None,
        "holds no parameters that are known",
    ),
    "smirk without a jaw": (npz("a.npz", smirk_codes(), jaw_params=None), None, "holds no parameters"),
    "smirk of 100 shapes": (
        npz("a.npz", smirk_codes(), shape_params=np.zeros(100)),
        None,
        "'shape_params' has the shape",
    ),
    "pipe": (pipe("a.npz"), None, "no such file"),
    "link out": (link("a.npz", "/etc/hostname"), None, "leads out of the folder"),
    "link to itself": (link("a.npz", "a.npz"), None, "leads nowhere"),
    "folder that links out": (link("more", "/etc", npz("a.npz", D)), None, "leads out of the folder"),
    "mat that unpacks to 100 MB": (later("a.mat", mat_bomb), "deca", "matrices of more than"),
    "mat that claims 10^9 rows": (put("a.mat", MAT_HEADER + mat((10**9, 100), b"\0" * 8)), "deca", "does not fit"),
    "mat with a negative size": (put("a.mat", MAT_HEADER + mat((-1, -100), b"\0" * 400)), "deca", "impossible shape"),
    "mat with a claimed element": (put("a.mat", MAT_HEADER + mat((1, 100), b"", 0xFFFFFFF0)), "deca", "not a readable"),
    "mat of a claimed matrix": (put("a.mat", MAT_HEADER + struct.pack("<II", 14, 0xFFFFFFF0)), "deca", "truncated"),
    "mat that is truncated": (truncated("a.mat", later("a.mat", lambda: savemat(D))), None, "not a readable MATLAB"),
    "mat of HDF5": (put("a.mat", b"\x89HDF\r\n\x1a\n" + b"\0" * 600), "deca", "version 7.3 is not read"),
    "mat of objects": (
        later("a.mat", lambda: savemat({**D, "exp": np.array([1, "x"], dtype=object)})),
        "deca",
        "holds no 'exp' of numbers",
    ),
    # MICA
    "identity of NaN": (later("identity.npy", lambda: saved(np.full(300, np.nan))), None, "nan"),
    "identity of 10^9 rows": (
        put("identity.npy", header("{'descr':'<f4','fortran_order':False,'shape':(1000000000, 300)}")),
        None,
        "truncated",
    ),
    "identity of a long type": (
        put("identity.npy", header("{'descr':'" + "z" * 8000 + "','fortran_order':False,'shape':(300,)}")),
        None,
        "not a readable .npy file",
    ),
    "identity that is a pipe": (pipe("identity.npy"), None, "no such file"),
    "identity that links out": (link("identity.npy", "/etc/hostname"), None, "leads out of the folder"),
    # VHAP and GaussianAvatars
    "timestep without a jaw": (sequence(jaw_pose=None), None, "has no jaw_pose"),
    "timestep of two": (npz("flame_param/00000.npz", vhap_parameters(0, 2)), None, "2 timesteps"),
    "timestep with NaN": (sequence(rotation=np.full((1, 3), np.nan, np.float32)), None, "is nan"),
    "timestep of 10 shapes": (sequence(shape=np.zeros(10, np.float32)), None, "'shape' has the shape (10,)"),
    "offset of other vertices": (sequence(static_offset=np.zeros((1, 7, 3), np.float32)), None, "'static_offset'"),
    "offset of objects": (sequence(static_offset=np.array([Bomb()], dtype=object)), None, "not plain numbers"),
    "offset with NaN": (sequence(static_offset=np.full((1, 5143, 3), np.nan)), None, "not finite"),
    "offset of kilometres": (sequence(static_offset=np.full((1, 5143, 3), 1e3)), None, "beyond 1 m"),
    "timestep with a long name": (long_name, None, "not a readable .npz file"),
    "timestep of 100 MB": (sequence(static_offset=np.zeros((30_000_000,), np.float32)), None, "than the 4194304"),
    "timestep that links out": (link("flame_param/00001.npz", "/etc/hostname", sequence()), None, "leads out"),
    "tracked that is truncated": (
        truncated("tracked_flame_params_0.npz", npz("tracked_flame_params_0.npz", vhap_parameters(0, 2))),
        None,
        "not a readable .npz file",
    ),
    "cameras that are deep": (sequence(raw=DEEP), GA, "too deeply nested"),
    "cameras of a million lists": (sequence(raw=b"[" + b"[]," * 1_000_001 + b"[]]"), GA, "more values than any"),
    "cameras of millions of numbers": (sequence(raw=b"[" + b"1," * 4_000_001 + b"1]"), GA, "more values than any"),
    "cameras of 33 MiB": (sequence(raw=b" " * (33 << 20)), GA, "at most"),
    "cameras that are no JSON": (sequence(raw=b"{'frames': []}"), GA, "is no JSON"),
    "cameras that are not UTF-8": (sequence(raw=b"\xff\xfe{"), GA, "is no JSON"),
    "cameras without frames": (sequence(raw=b'{"frames": []}'), GA, "no list of 'frames'"),
    "cameras that are a list": (sequence(raw=b"[1]"), GA, "no list of 'frames'"),
    "camera of a huge integer": (
        sequence(raw=b'{"frames": [{"timestep_index": 0, "w": ' + b"9" * 100_000 + b"}]}"),
        GA,
        "'transform_matrix'",
    ),
    "camera with a huge width": (sequence({"w": 10**30}), GA, "no number 'w'"),
    "camera with NaN": (sequence(raw=b'{"frames": [{"w": NaN}]}'), GA, "NaN is no number"),
    "camera of 1e999": (sequence({"fl_x": float("1e5")}, shape=None), GA, "has no shape"),
    "camera with a negative width": (sequence({"w": -5}), GA, "no length from 1"),
    "camera with half a pixel": (sequence({"h": 0.5}), GA, "no length from 1"),
    "camera of text": (sequence({"fl_x": "1000"}), GA, "no number 'fl_x'"),
    "camera of true": (sequence({"fl_x": True}), GA, "no number 'fl_x'"),
    "camera with a focal length of 0": (sequence({"fl_x": 0}), GA, "focal"),
    "camera of 3 x 3": (sequence({"transform_matrix": np.eye(3).tolist()}), GA, "'transform_matrix'"),
    "camera of lists": (sequence({"transform_matrix": [[[1]] * 4] * 4}), GA, "'transform_matrix'"),
    "camera that is scaled": (sequence({"transform_matrix": (2 * np.eye(4)).tolist()}), GA, "no rotation"),
    "camera of another folder's face": (sequence({"flame_param_path": "../../../etc/00000.npz"}), GA, "lie outside"),
    "camera of an absolute path": (sequence({"flame_param_path": "/etc/00000.npz"}), GA, "no relative path"),
    "camera of no name": (sequence({"flame_param_path": "a\0b"}), GA, "no relative path"),
    "camera of a lost face": (sequence({"flame_param_path": "flame_param/00009.npz"}), GA, "are missing"),
    # INSTA
    "expression of 99": (insta(exp=b"0.1 " * 99), "insta", "(99,)"),
    "expression of words": (insta(exp=b"0.1 " * 99 + b"x"), "insta", "no list of numbers"),
    "expression with NaN": (insta(exp=b"0.1 " * 99 + b"nan"), "insta", "is nan"),
    "expression of one long number": (insta(exp=b"0.1 " * 99 + b"1" * 60_000), "insta", "no face has"),
    "expression of a megabyte": (insta(exp=b"0.1 " * 300_000), "insta", "at most"),
    "expression that is not text": (insta(exp=b"\xff" * 100), "insta", "no list of numbers"),
    "jaw of no rotation": (insta(jaw=b"0 " * 6), "insta", "no rotation"),
    "expression that links out": (link("flame/exp/00000.txt", "/etc/hostname", insta()), "insta", "leads out"),
    "expression that is a pipe": (pipe("flame/exp/00000.txt", insta()), "insta", "not a file"),
    "checkpoint that runs a command": (
        insta_with_a_trap,
        "insta",
        "nothing in it was run",
    ),
    "cameras of no kind that is named": (insta(), None, "--params-format insta or --params-format gaussian-avatars"),
    "cameras of the other kind": (sequence({}), "insta", "give --params-format gaussian-avatars"),
    "transforms that link out": (link("transforms.json", "/etc/hostname", sequence()), GA, "leads out"),
    "transforms that are a pipe": (pipe("transforms.json", sequence()), GA, "not a file"),
}


def test_there_are_many() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("error")
def test_refused_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, asked, said = HOSTILE[name]
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "set"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        write(folder)
    tracemalloc.start()
    try:
        with pytest.raises(InputFileError) as caught:
            read_parameter_sets(folder, asked)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert said in message
    assert message.startswith(str(tmp_path))
    assert "\n" not in message
    assert len(message) < 800
    assert not (tmp_path / "ran").exists()
    assert peak < MOST_MEMORY


def test_the_traps_do_spring_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above shows more than that the files are damaged."""
    monkeypatch.chdir(tmp_path)
    torch_file("a.pt", changed(flame={"exp": Bomb()}))(tmp_path)
    torch.load(tmp_path / "a.pt", weights_only=False)
    assert (tmp_path / "ran").exists()
