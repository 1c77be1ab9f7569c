"""The published sets' layouts, and what is wrong with them."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from made_micro import CASME2_HEADER, make_micro_set, write_frames, write_table
from published_sets import MMEW_EMOTIONS, composite_rows, make_casme2, make_mmew, make_samm, make_smic

from ffngen.errors import FfngenError, InputFileError, JobError
from ffngen.recognition import ReadOptions, SampleSet, apply_labels, open_label_map, read_samples
from ffngen.recognition.frames import ApexRule

pytest.importorskip("openpyxl")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sets")
    return {
        "casme2": make_casme2(root / "casme2"),
        "samm": make_samm(root / "samm"),
        "smic": make_smic(root / "smic"),
        "mmew": make_mmew(root / "mmew"),
        "table": write_table(root / "combined_3class_gt.csv", composite_rows()),
    }


def counted(found: SampleSet, labels: str) -> tuple[int, int, list[int]]:
    """Samples, subjects, and samples of each class."""
    chosen = open_label_map(labels)
    samples, numbers, _ = apply_labels(found.samples, chosen)
    return len(samples), len({s.person for s in samples}), [numbers.count(i) for i in range(len(chosen.classes))]


def test_casme2(sets: dict[str, Path]) -> None:
    found = read_samples(sets["casme2"])
    assert found.rows == len(found.samples) == 255
    assert counted(found, "casme2-5") == (246, 26, [32, 27, 63, 25, 99])
    assert counted(found, "casme2-3") == (156, 25, [32, 25, 99])
    assert len(found.remarks) == 21
    wrong = next(remark for remark in found.remarks if remark.row == 31)
    assert "the offset '9'" in wrong.what
    assert "last frame, 40" in wrong.what
    assert wrong.done == "frame 25 taken (middle)"
    sample = found.samples[0]
    assert (sample.key, sample.row) == ("casme2/sub01/EP01_00f", 2)
    assert (sample.onset.name, sample.apex.name) == ("reg_img10.jpg", "reg_img30.jpg")


def test_casme2_that_is_not_cropped(tmp_path: Path) -> None:
    rows = [CASME2_HEADER, ("01", "EP02_01f ", None, 46, 59, 86, None, "12", "Happiness")]
    table = write_table(tmp_path / "coding.csv", rows)
    write_frames(tmp_path / "raw" / "sub01" / "EP02_01f", ["img46.jpg", "img59.jpg", "Thumbs.db.jpg"])
    found = read_samples(tmp_path, options=ReadOptions(table, tmp_path / "raw"))
    assert [(s.emotion, s.onset.name, s.apex.name) for s in found.samples] == [("happiness", "img46.jpg", "img59.jpg")]


def test_samm(sets: dict[str, Path]) -> None:
    """Its column Duration holds formulas, which nobody asks for."""
    found = read_samples(sets["samm"], "samm")
    assert found.rows == 159
    assert counted(found, "composite") == (133, 28, [92, 26, 15])
    assert len(found.remarks) == 4
    assert found.samples[0].onset.name == "006_05562.jpg"
    assert found.samples[0].row == 15


def test_smic(sets: dict[str, Path]) -> None:
    found = read_samples(sets["smic"], "smic")
    assert counted(found, "composite") == (164, 16, [70, 51, 43])
    assert {(s.onset.name, s.apex.name) for s in found.samples} == {("reg_image000005.bmp", "reg_image000007.bmp")}
    assert len(found.remarks) == 1
    assert found.samples[0].key == "smic/s01/s01_ne_01"


def test_mmew(sets: dict[str, Path]) -> None:
    found = read_samples(sets["mmew"], "mmew")
    assert Counter(sample.emotion for sample in found.samples) == MMEW_EMOTIONS
    assert len({sample.person for sample in found.samples}) == 30
    assert len(found.remarks) == 10
    assert read_samples(sets["mmew"], "mmew", ReadOptions(apex=ApexRule.DROP)).rows == 300
    assert len(read_samples(sets["mmew"], "mmew", ReadOptions(apex=ApexRule.DROP)).samples) == 290


def test_mmew_whose_folder_has_another_word(tmp_path: Path) -> None:
    root = make_mmew(tmp_path)
    (root / "Micro_Expression" / "others").rename(root / "Micro_Expression" / "repression")
    assert len(read_samples(root, "mmew").samples) == 300


def test_composite(sets: dict[str, Path]) -> None:
    parts = {name: sets[name] for name in ("casme2", "samm", "smic")}
    found = read_samples(sets["table"], "megc2019", parts=parts)
    assert counted(found, "composite") == (442, 68, [250, 109, 83])
    by_set = {name: [s for s in found.samples if s.dataset == name] for name in parts}
    assert {name: len({s.person for s in samples}) for name, samples in by_set.items()} == {
        "casme2": 24,
        "samm": 28,
        "smic": 16,
    }
    assert Counter(s.emotion for s in by_set["casme2"]) == {"negative": 88, "positive": 32, "surprise": 25}
    # The remarks of the sets' own rows come along, but of the clips that are not in the composite.
    assert 0 < len(found.remarks) < 26
    alone = read_samples(sets["table"], "megc2019", parts={"smic": sets["smic"]})
    assert len(alone.samples) == 164
    assert sum("no --part names" in remark.what for remark in alone.remarks) == 2


def test_composite_with_header_and_frames(sets: dict[str, Path], tmp_path: Path) -> None:
    rows = [["Dataset", "Subject", "Filename", "Onset", "Apex", "Label"]]
    # Raw SMIC writes its subjects without a zero.
    rows += [["smic", "s1", "s1_ne_01", "6", "9", "negative"], ["smic", "s2", "s02_po_01", "", "", "positive"]]
    table = write_table(tmp_path / "table.csv", rows)
    found = read_samples(table, "megc2019", parts={"smic": sets["smic"]})
    assert [(s.onset.name[-5:], s.apex.name[-5:]) for s in found.samples] == [("6.bmp", "9.bmp"), ("5.bmp", "7.bmp")]
    rows[1][4] = "99"
    with pytest.raises(InputFileError, match=r"table.csv: row 2: the apex '99' is no frame"):
        read_samples(write_table(table, rows), "megc2019", parts={"smic": sets["smic"]})
    for change, message in (
        ((0, "casmeII"), "row 2: unknown set 'casmeii'"),
        ((5, "3"), "row 2: unknown class '3'"),
        ((2, "s1_ne_77"), "row 2: smic has no clip s1/s1_ne_77"),
        ((1, ""), "row 2: has no subject"),
    ):
        wrong = [*rows[1]]
        wrong[4] = ""
        wrong[change[0]] = change[1]
        with pytest.raises(InputFileError, match=message):
            read_samples(write_table(table, [rows[0], wrong]), "megc2019", parts={"smic": sets["smic"]})
    with pytest.raises(InputFileError, match="s01/s01_ne_01 is in row 2 already"):
        again = [rows[0], rows[2], rows[2]]
        again[1] = again[2] = ["smic", "s1", "s01_ne_01", "", "", "0"]
        read_samples(write_table(table, again), "megc2019", parts={"smic": sets["smic"]})
    with pytest.raises(JobError, match="--part"):
        read_samples(table, "megc2019")
    with pytest.raises(JobError, match="--part: unknown set 'CASME2'; known are casme2, samm, smic"):
        read_samples(table, "megc2019", parts={"CASME2": sets["casme2"]})


def test_a_simulated_set_reads_like_a_published_one(tmp_path: Path) -> None:
    for suffix in (".xlsx", ".csv"):
        found = read_samples(make_micro_set(tmp_path / suffix[1:], subjects=2, suffix=suffix))
        assert len(found.samples) == 12
        assert not found.remarks
        assert found.samples[-1].apex.name == "reg_img20.png"


def small(root: Path, *rows: tuple[object, ...], header: tuple[object, ...] = CASME2_HEADER) -> Path:
    write_table(root / "coding.xlsx", [header, *rows])
    write_frames(root / "sub01" / "a", [f"reg_img{i}.png" for i in (1, 2, 3, 4, 5)])
    return root


ROW = (1, "a", None, 1, 3, 5, None, "12", "happiness")


def changed(place: int, value: object) -> tuple[object, ...]:
    return tuple(value if i == place else cell for i, cell in enumerate(ROW))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([changed(1, "b")], r"coding.xlsx: row 2: its folder .*sub01/b is absent"),
        ([changed(3, 17)], r"coding.xlsx: row 2: its frame 17 is absent from .*sub01/a"),
        ([(1, "a", None, 1, 17, 20, None, "12", "x")], r"coding.xlsx: row 2: its frame 17 is absent"),
        ([ROW, changed(8, "sadness")], r"coding.xlsx: row 3: sub01/a is in row 2 already"),
        ([changed(0, None)], r"row 2: the column Subject holds ''"),
        ([changed(1, "../a")], r"row 2: the column Filename holds '../a'"),
        ([changed(4, "=1+2")], r"row 2: the column ApexFrame holds a formula"),
        ([], "holds no sample below its header"),
    ],
)
def test_faults_name_file_and_row(tmp_path: Path, rows: list[tuple[object, ...]], message: str) -> None:
    with pytest.raises(FfngenError, match=message) as caught:
        read_samples(small(tmp_path, *rows))
    assert "\n" not in str(caught.value)


def test_a_missing_column(tmp_path: Path) -> None:
    header = tuple("Apex!" if title == "ApexFrame" else title for title in CASME2_HEADER)
    with pytest.raises(InputFileError, match=r"coding.xlsx: lacks the column OffsetFrame"):
        read_samples(small(tmp_path, ROW, header=tuple("x" if t == "OffsetFrame" else t for t in header)))
    # Punctuation is not looked at.
    assert read_samples(small(tmp_path, ROW, header=header)).samples


def test_rules_for_rows(tmp_path: Path) -> None:
    def read(row: tuple[object, ...], rule: ApexRule = ApexRule.MIDDLE) -> SampleSet:
        other = (2, "c", None, 1, 2, 3, None, "12", "surprise")
        root = small(tmp_path, row, other)
        write_frames(root / "sub02" / "c", ["reg_img1.png", "reg_img2.png"])
        return read_samples(root, options=ReadOptions(apex=rule))

    assert not read(ROW).remarks
    for row, apex, what in (
        (changed(4, "/"), "reg_img3.png", "the apex is '/'"),
        (changed(4, 1), "reg_img3.png", "the apex is '1', the onset 1"),
        (changed(5, 2), "reg_img3.png", "the offset is '2', the apex 3"),
        (changed(5, "/"), "reg_img3.png", "the offset is '/'"),
    ):
        found = read(row)
        assert found.samples[0].apex.name == apex
        assert len(found.remarks) == 1
        assert what in found.remarks[0].what
        assert found.remarks[0].row == 2
    # An apex beyond the offset and beyond the clip is no apex.
    found = read(tuple(9 if i == 4 else 3 if i == 5 else cell for i, cell in enumerate(ROW)))
    assert found.samples[0].apex.name == "reg_img2.png"
    # Each frame is lighter than the one before it: the last one differs most.
    assert read(changed(4, "/"), ApexRule.DIFFERENCE).samples[0].apex.name == "reg_img5.png"
    for row, rule in ((changed(4, "/"), ApexRule.DROP), (changed(3, "/"), ApexRule.MIDDLE)):
        found = read(row, rule)
        assert [s.clip for s in found.samples] == ["c"]
        assert found.remarks[0].done == "left out"


def test_absent_clips_may_be_left_out(tmp_path: Path) -> None:
    root = small(tmp_path, ROW, changed(1, "gone"))
    found = read_samples(root, options=ReadOptions(skip_absent=True))
    assert len(found.samples) == 1
    assert [(r.row, r.done) for r in found.remarks] == [(3, "left out")]
    shutil.rmtree(root / "sub01")
    with pytest.raises(InputFileError, match="no sample is left"):
        read_samples(root, options=ReadOptions(skip_absent=True))


def test_which_table(tmp_path: Path) -> None:
    root = small(tmp_path, ROW)
    write_table(root / "notes.csv", [["name", "value"], ["a", 1]])
    assert len(read_samples(root).samples) == 1
    write_table(root / "other.csv", [CASME2_HEADER, ROW])
    with pytest.raises(InputFileError, match=r"more than one annotation table \(coding.xlsx, other.csv\)"):
        read_samples(root)
    assert len(read_samples(root, options=ReadOptions(root / "other.csv")).samples) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match="no annotation table"):
        read_samples(tmp_path / "empty")
    with pytest.raises(InputFileError, match="No such file"):
        read_samples(tmp_path / "nowhere")


def test_two_images_of_one_frame(tmp_path: Path) -> None:
    root = small(tmp_path, ROW)
    write_frames(root / "sub01" / "a", ["img03.jpg"])
    with pytest.raises(InputFileError, match=r"img03.jpg and reg_img3.png are both frame 3"):
        read_samples(root)


def test_smic_faults(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="holds no clips such as"):
        read_samples(tmp_path, "smic")
    write_frames(tmp_path / "HS" / "s01" / "micro" / "anger" / "s01_an_01", ["1.bmp", "2.bmp"])
    with pytest.raises(InputFileError, match="anger: not one of negative, positive, surprise"):
        read_samples(tmp_path, "smic")
