"""Which family a model file belongs to."""

from pathlib import Path

import pytest

from ffngen.errors import HeadModelError
from ffngen.head.edition import Edition, find_edition


@pytest.mark.parametrize(
    ("path", "family", "version"),
    [
        ("FLAME2020/generic_model.pkl", "flame2020", "2020"),
        ("models/generic_model.pkl", "flame2020", "2020"),
        ("models/female_model.pkl", "flame2020", "2020 female"),
        ("models/flame2023.pkl", "flame2023", "2023"),
        ("models/flame2023_no_jaw.pkl", "flame2023", "2023 no jaw"),
        ("FLAME2023/flame2023_Open.pkl", "flame2023_open", "2023 open"),
        ("flame2023_open_lite/FLAME_NEUTRAL.npz", "flame2023_open", "2023 open"),
        ("FLAME 2020/model.npz", "flame2020", "2020"),
    ],
)
def test_family_by_name(path: str, family: str, version: str) -> None:
    assert find_edition(Path(path), family=None, stated=None) == Edition(family, version)


def test_the_users_word_beats_the_name_and_the_file_beats_both() -> None:
    path = Path("models/flame2023.pkl")
    assert find_edition(path, family="flame2020", stated=None).family == "flame2020"
    assert find_edition(path, family=None, stated=Edition("open", "1")) == Edition("open", "1")
    assert find_edition(path, family="open", stated=Edition("open", "1")) == Edition("open", "1")


@pytest.mark.parametrize(
    ("path", "family", "stated", "message"),
    [
        ("models/FLAME_NEUTRAL.npz", None, None, "cannot tell which FLAME this is; name the family"),
        ("flame2023/generic_model.pkl", None, None, "named as FLAME 2020 is, but lies in a folder of flame2023"),
        ("flame2023.pkl", "flame", None, "unknown model family 'flame'; use one of flame2020"),
        ("open.npz", "flame2020", Edition("open", "1"), "is a model of family open, not flame2020"),
    ],
)
def test_doubt_is_an_error(path: str, family: str | None, stated: Edition | None, message: str) -> None:
    with pytest.raises(HeadModelError, match=message):
        find_edition(Path(path), family=family, stated=stated)
