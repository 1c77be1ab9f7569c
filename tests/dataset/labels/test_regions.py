from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ffngen.dataset.labels.regions import PROPS, REGION_IDS, SKIN, face_ids
from ffngen.dataset.labels.sequence import prop_faces
from ffngen.errors import DatasetError
from ffngen.props.prop import KINDS


def sequence(props: Any) -> Any:
    return SimpleNamespace(scene={} if props is None else {"props": props}, sequence="made")


def test_what_the_head_wears_has_ids_of_its_own() -> None:
    worn = [
        {"kind": "brows", "faces": [10, 12]},
        {"kind": "hair", "faces": [12, 15]},
        {"kind": "hair", "faces": [15, 16]},
        {"kind": "hat", "faces": [16, 18]},
    ]
    head = {"brows": np.array([3], np.int32)}
    ids = face_ids({**head, **prop_faces(sequence(worn))}, 18, 10)
    skin, brows = [SKIN] * 3, REGION_IDS["brows"]
    hairs, hair = REGION_IDS["brow_hairs"], REGION_IDS["hair"]
    # A kind that the table does not know is a prop still.
    assert ids.tolist() == [*skin, brows, *[SKIN] * 6, hairs, hairs, *[hair] * 4, PROPS, PROPS]
    assert prop_faces(sequence(None)) == {} and prop_faces(sequence([])) == {}


def test_every_kind_of_prop_is_in_the_table() -> None:
    names = {"brow_hairs" if kind == "brows" else kind for kind in KINDS}
    assert names <= REGION_IDS.keys() and len(set(REGION_IDS.values())) == len(REGION_IDS)


@pytest.mark.parametrize("props", [[3], [{"kind": "hair"}], [{"kind": "hair", "faces": [0, 10**12]}], [{"faces": 1}]])
def test_damaged_metadata_is_one_line(props: Any) -> None:
    with pytest.raises(DatasetError, match="names props in another form"):
        prop_faces(sequence(props))
