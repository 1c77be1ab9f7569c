"""Files of expressions: a user's own, and faulty ones."""

from pathlib import Path

import pytest

from ffngen.errors import InputFileError
from ffngen.params.expression_file import default_expressions, read_expressions
from ffngen.resources import resource

GOOD = """
action_units:
  AU12: {mouthSmile: 1.0, cheekSquintLeft: 0.5}
  AU26: {jawOpen: 1}
exclusions:
  - {pair: [mouthSmile, mouthFrown], slack: 0.3}
asymmetry: 0.1
variation: {count: [0, 1], intensity: [0, 0.1], among: [AU26]}
expressions:
  wide_grin:
    units:
      AU12: [0.5, 1.0]
      AU26: {intensity: [0.1, 0.2], probability: 0.5}
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_own_file(tmp_path: Path) -> None:
    file = read_expressions(write(tmp_path, GOOD))
    assert list(file.expressions) == ["wide_grin"]
    assert file.expressions["wide_grin"].units["AU12"].intensity == (0.5, 1.0)
    assert file.expressions["wide_grin"].units["AU12"].probability == 1.0
    assert file.actions == {"mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft", "jawOpen"}


def test_exclusion_pairs_are_of_one_side(tmp_path: Path) -> None:
    (exclusion,) = read_expressions(write(tmp_path, GOOD)).exclusions
    assert exclusion.action_pairs() == (("mouthSmileLeft", "mouthFrownLeft"), ("mouthSmileRight", "mouthFrownRight"))


def test_default_file_is_read_once_and_equals_the_file() -> None:
    assert default_expressions() is default_expressions()
    assert default_expressions() == read_expressions(resource("assets", "expressions", "affectnet.yaml"))


#: (text of the good file, what stands there instead, what the fault must say)
FAULTS = {
    "unknown action": ("jawOpen: 1", "jawOpens: 1", "'jawOpens' is no facial action"),
    "half an action": ("jawOpen: 1", "jaw: 1", "'jaw' is no facial action"),
    "unknown unit": ("      AU12: [0.5", "      AU99: [0.5", "'AU99' is not among action_units"),
    "unknown unit in variation": ("among: [AU26]", "among: [AU99]", "'AU99' is not among action_units"),
    "unknown key": ("asymmetry:", "assymetry:", "assymetry"),
    "unknown key of a unit": ("probability: 0.5", "chance: 0.5", "chance"),
    "unknown side": ("probability: 0.5", "side: up", "side"),
    "no such sides": ("probability: 0.5", "side: left", "AU26 has no sides"),
    "weight above 1": ("jawOpen: 1", "jawOpen: 1.5", "less than or equal to 1"),
    "negative intensity": ("[0.5, 1.0]", "[-0.5, 1.0]", "greater than or equal to 0"),
    "NaN": ("[0.5, 1.0]", "[.nan, 1.0]", "wide_grin"),
    "infinite": ("slack: 0.3", "slack: .inf", "slack"),
    "backwards": ("[0.5, 1.0]", "[1.0, 0.5]", "1.0 to 0.5 runs backwards"),
    "one number": ("[0.5, 1.0]", "[0.5]", "wide_grin.units.AU12"),
    "three numbers": ("[0.5, 1.0]", "[0.5, 0.7, 1.0]", "wide_grin.units.AU12"),
    "text for a number": ("[0.5, 1.0]", "[0.5, 'high']", "wide_grin.units.AU12"),
    "bool for a number": ("slack: 0.3", "slack: true", "slack"),
    "probability above 1": ("probability: 0.5", "probability: 5", "probability"),
    "fraction of a unit": ("count: [0, 1]", "count: [0, 0.5]", "variation.count"),
    "more units than there are": ("count: [0, 1]", "count: [0, 2]", "count 2 is more than the 1 units"),
    "a unit twice": ("among: [AU26]", "among: [AU26, AU26]", "names a unit twice"),
    "pair of one": ("[mouthSmile, mouthFrown]", "[mouthSmile]", "exclusions.0.pair"),
    "pair with itself": ("[mouthSmile, mouthFrown]", "[jawOpen, jawOpen]", "never two actions"),
    "pair across sides": ("[mouthSmile, mouthFrown]", "[mouthSmileLeft, mouthFrownRight]", "never two actions"),
    "name that is a path": ("wide_grin:", "../grin:", "../grin"),
    "name that is a number": ("wide_grin:", "7:", "expressions"),
    "key twice": ("  AU26: {jawOpen: 1}", "  AU12: {jawOpen: 1}", "given twice"),
    "missing part": ("action_units:", "units:", "action_units"),
    "no expressions": ("expressions:\n  wide_grin:", "expressions: {}\nx:", "expressions"),
    "not YAML": ("{jawOpen: 1}", "{jawOpen: 1", "YAML"),
    "tab": ("  AU26: {jaw", "\tAU26: {jaw", "YAML"),
    "alias": ("{jawOpen: 1}", "&a {jawOpen: 1}\n  AU27: *a", "aliases"),
    "code": ("{jawOpen: 1}", "!!python/object/apply:os.system ['echo ran > ran']", "YAML"),
    "long number": ("jawOpen: 1", "jawOpen: " + "1" * 5000, "YAML"),
    "deep": ("{jawOpen: 1}", "[" * 5000 + "]" * 5000, "YAML"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_file_is_one_line(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old, new, said = FAULTS[fault]
    assert GOOD.count(old) == 1
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputFileError) as caught:
        read_expressions(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert "\n" not in line
    assert len(line) < 600
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content", [b"", b"42", b"[1, 2]", b"\xff\xfe\x00", b"\x00", b"# " + b"x" * 3_000_000], ids=range(6)
)
def test_not_such_a_file_at_all(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputFileError) as caught:
        read_expressions(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(InputFileError, match=str(path)):
            read_expressions(path)
