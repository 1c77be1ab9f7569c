"""Flow at landmarks: CK+'s layout, lists of pairs, their faults, and the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from real_sets import HEIGHT, WIDTH, flow, landmarks, moved, pictures, write_ck_landmarks, write_ck_sequence

from ffngen.cli import main
from ffngen.errors import InputFileError
from ffngen.flow.files import write_flow
from ffngen.images import read_image
from ffngen.realworld.ck_plus import open_ck_plus
from ffngen.realworld.landmark_files import read_landmarks
from ffngen.realworld.landmark_regions import REGIONS
from ffngen.realworld.pair_list import open_pair_list

HEADING = "image1,image2,landmarks1,landmarks2"
SEQUENCES = (("S005", "001", 1), ("S005", "002", 2), ("S010", "001", 3))


@pytest.fixture
def ck(tmp_path: Path) -> Path:
    root = tmp_path / "CK+"
    for subject, session, seed in SEQUENCES:
        write_ck_sequence(root, subject, session, seed)
    return root


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["evalreal", *map(str, arguments)])
    assert done.exit_code == code, done.output
    if code:
        assert len(done.output.strip().splitlines()) == 1 and "Traceback" not in done.output, done.output
    return done.output


def true_flows(folder: Path, off: float = 0.0) -> Path:
    for subject, session, seed in SEQUENCES:
        path = folder / subject / f"{session}.flo"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flow(path, flow(seed) + np.float32(off))
    return folder


def test_the_command_on_ck_plus(ck: Path, tmp_path: Path) -> None:
    flows = true_flows(tmp_path / "flows"), true_flows(tmp_path / "off", 0.5)
    out = tmp_path / "report"
    arguments = ["landmarks", ck, "--dataset", "ck+", "--model", "dis", "--out", out]
    text = run(*arguments, "--flows", f"true={flows[0]}", "--flows", f"off={flows[1]}")
    assert "3 pairs of 2 subjects" in text and "the paper's Table 3, CK+ (L.)" in text
    report = json.loads((out / "report.json").read_text())
    assert report["kind"] == "landmarks" and report["pairs"] == 3 and report["left_out"] == []
    results = {name: flows["facial"] for name, flows in report["results"].items()}
    assert list(results) == ["zero", "dis", "true", "off"]
    # CK+'s files keep seven digits, flow files float32.
    assert results["true"]["epe"] < 1e-4
    assert results["off"]["epe"] == pytest.approx(0.5 * np.sqrt(2), abs=1e-4)
    lengths = [np.linalg.norm(moved(landmarks(s), s) - landmarks(s), axis=1) for _, _, s in SEQUENCES]
    assert results["zero"]["epe"] == pytest.approx(np.mean([one.mean() for one in lengths]), abs=1e-4)
    assert results["zero"]["epe"] == results["zero"]["motion"]
    for name, members in REGIONS.items():
        mean = np.mean([one[list(members)].mean() for one in lengths])
        assert results["zero"]["regions"][name] == pytest.approx(mean, abs=1e-4)
    assert results["dis"]["epe"] < 0.3 * results["zero"]["epe"]
    # Of two subjects each draw is one of three mixtures, whose ends are the subjects' own means.
    ends = sorted((np.mean([lengths[0].mean(), lengths[1].mean()]), lengths[2].mean()))
    assert results["zero"]["interval"] == pytest.approx(ends, abs=1e-4)
    # Head flow of the zero estimator is measured at steady landmarks alone.
    assert report["results"]["zero"]["head"]["points"] == 3 * 8
    rows = list(csv.DictReader((out / "pairs.csv").open()))
    assert [row["pair"] for row in rows if row["method"] == "dis"] == ["S005/001", "S005/002", "S010/001"]
    worst = sorted((out / "worst" / "dis").iterdir())
    assert [path.name for path in worst] == ["01.png", "02.png", "03.png"]
    assert np.asarray(Image.open(worst[0])).std() > 20


def test_what_real_copies_lack_is_left_out_and_listed(ck: Path) -> None:
    marks = ck / "Landmarks"
    (marks / "S005/001/S005_001_00000004_landmarks.txt").unlink()
    write_ck_sequence(ck, "S011", "001", 4, frames=1)
    write_ck_landmarks(marks / "S010/001/S010_001_00000009_landmarks.txt", landmarks(0))
    (marks / "S010/001/S010_001_00000002_landmarks.txt").unlink()  # between first and last: not needed
    found = open_ck_plus(ck)
    assert [pair.name for pair in found.pairs] == ["S005/002", "S010/001"]
    assert found.left_out == [
        "S005/001: no landmarks of S005_001_00000004.png",
        "S011/001: 1 images",
        "S010/001: landmarks of 1 images that are not there",
    ]
    assert found.facts == {"sequences": 4}
    assert "left out: 3" in run("landmarks", ck, "--dataset", "ck+")


def test_folders_as_archives_unpack_them(ck: Path) -> None:
    inner = ck / "extended-cohn-kanade-images"
    inner.mkdir()
    (ck / "cohn-kanade-images").rename(inner / "cohn-kanade-images")
    (ck / "Landmarks").rename(ck / "inner")
    (ck / "Landmarks").mkdir()
    (ck / "inner").rename(ck / "Landmarks" / "Landmarks")
    assert len(open_ck_plus(ck).pairs) == 3


def test_landmarks_outside_the_picture_are_counted(ck: Path) -> None:
    path = ck / "Landmarks/S005/001/S005_001_00000001_landmarks.txt"
    points = landmarks(1)
    points[[3, 60]] = [[-0.6, 20], [40, HEIGHT - 0.4]]
    write_ck_landmarks(path, points)
    report = json.loads(run("landmarks", ck, "--dataset", "ck+", "--json"))
    assert report["outside"] == 2
    assert report["results"]["zero"]["facial"]["points"] == 3 * 68 - 2
    assert any("2 landmarks lie outside" in note for note in report["notes"])


def test_where_pixels_are_counted_from(tmp_path: Path) -> None:
    """A set that counts from 1 is read a pixel off without the option."""
    root = tmp_path / "CK+"
    write_ck_sequence(root, "S005", "001", 1, origin=1.0)
    flows = tmp_path / "flows" / "S005"
    flows.mkdir(parents=True)
    write_flow(flows / "001.flo", flow(1))
    arguments = ["landmarks", root, "--dataset", "ck+", "--flows", f"true={flows.parent}", "--json"]
    errors = [
        json.loads(run(*arguments, "--pixel-origin", origin))["results"]["true"]["facial"]["epe"]
        for origin in ("0", "0.5", "1")
    ]
    assert errors[2] < 1e-4 < 0.001 < errors[1] < errors[0]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("lines", "S010_001_00000004_landmarks.txt: holds 67 landmarks, not 68"),
        ("words", "S010_001_00000004_landmarks.txt: line 5 is not a landmark's x and y"),
        ("size", "151 x 120 pixels, the other image of the pair has 150 x 120"),
        ("image", "not an image that can be read"),
        ("folder", "has no folder Landmarks"),
        ("path", "no such folder"),
    ],
)
def test_faults_are_one_line(ck: Path, damage: str, says: str) -> None:
    marks = ck / "Landmarks/S010/001/S010_001_00000004_landmarks.txt"
    image = ck / "cohn-kanade-images/S010/001/S010_001_00000004.png"
    match damage:
        case "lines":
            write_ck_landmarks(marks, landmarks(3)[:67])
        case "words":
            marks.write_text("1 2\n" * 4 + "1 nan\n" + "1 2\n" * 63)
        case "size":
            Image.fromarray(np.zeros((HEIGHT, WIDTH + 1), np.uint8)).save(image)
        case "image":
            image.write_bytes(b"not a picture")
        case "folder":
            (ck / "Landmarks").rename(ck / "elsewhere")
        case "path":
            ck = ck / "nowhere"
    assert says in run("landmarks", ck, "--dataset", "ck+", code=2)


def test_a_missing_flow_file_names_the_pair(ck: Path, tmp_path: Path) -> None:
    flows = true_flows(tmp_path / "flows")
    (flows / "S005" / "002.flo").unlink()
    says = run("landmarks", ck, "--dataset", "ck+", "--flows", f"mine={flows}", code=2)
    assert "has no flow of the pair S005/002; name it S005/002.flo" in says
    assert "is not NAME=FOLDER" in run("landmarks", ck, "--dataset", "ck+", "--flows", str(flows), code=2)


def write_list(folder: Path) -> list[dict[str, str]]:
    """Five landmarks in four kinds of files."""
    folder.mkdir()
    rows = []
    for seed in (1, 2):
        for number, image in enumerate(pictures(seed), 1):
            Image.fromarray(image).convert("RGB").save(folder / f"{seed}_{number}.png")
        before = landmarks(seed)[:5]
        after = moved(before, seed)
        lines = [f"{x!r},{y!r}" for x, y in before.tolist()]
        (folder / f"{seed}.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
        if seed == 1:
            np.save(folder / "1.npy", after)
        else:
            body = "\n".join(f"{x!r} {y!r}" for x, y in after.tolist())
            (folder / "2.pts").write_text(f"version: 1\nn_points: 5\n{{\n{body}\n}}\n")
        last = "1.npy" if seed == 1 else "2.pts"
        rows.append(
            {"image1": f"{seed}_1.png", "image2": f"{seed}_2.png", "landmarks1": f"{seed}.csv", "landmarks2": last}
        )
    return rows


def test_lists_of_pairs(tmp_path: Path) -> None:
    rows = write_list(tmp_path / "set")
    path = tmp_path / "set" / "pairs.csv"
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    flows = tmp_path / "flows"
    flows.mkdir()
    for number in (1, 2):
        write_flow(flows / f"{number:04d}.cflo", flow(number))
    report = json.loads(run("landmarks", path, "--dataset", "pairs", "--flows", f"true={flows}", "--json"))
    assert report["results"]["true"]["facial"]["epe"] < 1e-3
    assert report["results"]["zero"]["facial"]["regions"] == {}
    assert list(report["results"]["zero"]) == ["facial"]
    assert report["published"] is None and report["subjects"] == 2
    assert report["options"] == {"split": "all", "visible": "False", "pixel_origin": "0"}
    # The same as JSON, with names and one subject.
    named = tmp_path / "set" / "pairs.json"
    named.write_text(json.dumps([{**row, "subject": "a", "name": f"x/{i}"} for i, row in enumerate(rows)]))
    found = open_pair_list(named)
    assert [(pair.name, pair.subject) for pair in found.pairs] == [("x/0", "a"), ("x/1", "a")]
    named_once = tmp_path / "set" / "once.json"
    named_once.write_text(json.dumps([{**row, "subject": who} for row, who in zip(rows, ("a", ""), strict=True)]))
    once = open_pair_list(named_once)
    assert [pair.subject for pair in once.pairs] == ["a", "0002"]
    assert once.notes == ["1 of 2 pairs name no subject: each counts as one of its own"]
    assert (
        json.loads(run("landmarks", named, "--dataset", "pairs", "--json"))["results"]["zero"]["facial"]["interval"]
        is None
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image1,image2,landmarks1\na,b,c\n", "has no column landmarks2"),
        (f"{HEADING}\n1_1.png,1_2.png,1.csv,\n", "row 2 has no landmarks2"),
        (f"{HEADING}\n1_1.png,none.png,1.csv,1.npy\n", "row 2: image2 is not there: none.png"),
        (f"{HEADING}\n", "lists no pair"),
        (f"{HEADING},name\n1_1.png,1_2.png,1.csv,1.npy,../x\n", "leads out of a folder"),
        (f"{HEADING},name\n" + 2 * "1_1.png,1_2.png,1.csv,1.npy,x\n", "row 2 has the name 'x' too"),
    ],
)
def test_faults_of_lists(tmp_path: Path, text: str, says: str) -> None:
    write_list(tmp_path / "set")
    path = tmp_path / "set" / "pairs.csv"
    path.write_text(text)
    assert says in run("landmarks", path, "--dataset", "pairs", code=2)


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"image1": 3}', "[" * 100_000, "\x00\xff"])
def test_lists_that_are_no_json(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pairs.json"
    path.write_text(content)
    with pytest.raises(InputFileError):
        open_pair_list(path)


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".pts", ".npy", ".doc"])
def test_files_that_hold_no_landmarks(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"marks{suffix}"
    for content in (b"", b"\x93NUMPY", b"1 2\n3 4\n", b"{\n}\n", b"\xff\xfe\0", b"1e9 1e9\n" * 5, b"}\n{\n"):
        path.write_bytes(content)
        with pytest.raises(InputFileError):
            read_landmarks(path)
    with pytest.raises(InputFileError):
        read_landmarks(tmp_path)


def test_a_run_that_was_stopped_goes_on(ck: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third pair fails; what was measured of the others is not measured again, and the figures are the same."""
    out = tmp_path / "report"
    command = ("landmarks", ck, "--dataset", "ck+", "--model", "dis", "--out", out, "--worst", 0)
    whole = tmp_path / "whole"
    run(*command[:-3], whole, "--worst", 0)
    assert not (whole / "measured.jsonl").exists()
    image = ck / "cohn-kanade-images/S010/001/S010_001_00000004.png"
    content = image.read_bytes()
    image.write_bytes(b"")
    run(*command, code=2)
    journal = out / "measured.jsonl"
    assert len(journal.read_text().splitlines()) == 1 + 2 * 2
    journal.write_text(journal.read_text() + '{"method": "dis", "pa')  # cut off by a power cut
    image.write_bytes(content)
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr("ffngen.realworld.evaluate.read_image", lambda path: seen.append(1) or read_image(path))
    run(*command)
    assert len(seen) == 2 and not journal.exists()
    for name in ("pairs.csv", "tables.md", "report.json"):
        assert (out / name).read_text() == (whole / name).read_text()
    # Pictures of another report do not stay beside this one.
    run(*command[:-2], "--worst", 2)
    assert len(list(out.glob("worst/dis/*.png"))) == 2
    run("landmarks", ck, "--dataset", "ck+", "--worst", 1, "--out", out)
    assert [str(path.relative_to(out)) for path in out.glob("worst/*/*.png")] == ["worst/zero/01.png"]
    # Another set, or other settings, begin anew.
    run(*command, "--limit", 2)
    assert json.loads((out / "report.json").read_text())["pairs"] == 2
