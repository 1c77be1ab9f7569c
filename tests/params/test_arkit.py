"""Names of facial actions."""

from ffngen.params.arkit import ARKIT_ACTIONS, expand, side_of


def test_names() -> None:
    assert len(ARKIT_ACTIONS) == len(set(ARKIT_ACTIONS)) == 52
    assert {name for name in ARKIT_ACTIONS if side_of(name) == "left"} == {
        name.replace("Right", "Left") for name in ARKIT_ACTIONS if side_of(name) == "right"
    }
    # ARKit has 18 actions with two sides and 16 without.
    assert sum(side_of(name) == "left" for name in ARKIT_ACTIONS) == 18
    assert sum(side_of(name) == "" for name in ARKIT_ACTIONS) == 16


def test_expand() -> None:
    assert expand("mouthSmile") == ("mouthSmileLeft", "mouthSmileRight")
    assert expand("mouthSmileLeft") == ("mouthSmileLeft",)
    assert expand("jawOpen") == ("jawOpen",)
    assert expand("jawLeft") == ("jawLeft",)
    for name in ("jaw", "mouth", "smile", "", "mouthsmile"):
        assert expand(name) == ()
