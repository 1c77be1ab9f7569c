import sys

import pytest
from click.testing import CliRunner

from ffngen.cli import main
from ffngen.errors import MissingPackageError
from ffngen.extras import require


def test_what_is_there_is_fine() -> None:
    require("render", "numpy", "click")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingPackageError, match=r'nothing_of_this_name not installed; pip install "ffngen\[train\]"'):
        require("train", "numpy", "nothing_of_this_name")


@pytest.mark.parametrize("command", [["train", "."], ["eval", ".", "--checkpoint", "a.pth"], ["predict", "a.png"]])
def test_commands_without_the_extra(command: list[str], monkeypatch: pytest.MonkeyPatch, made_dataset) -> None:
    """As if safetensors were not installed."""
    monkeypatch.setitem(sys.modules, "safetensors", None)
    arguments = [str(made_dataset) if part == "." else part for part in command]
    if command[0] == "predict":
        picture = next(made_dataset.rglob("0001.png"))
        arguments = ["predict", str(picture), str(picture), "--checkpoint", "a.pth"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert 'safetensors not installed; pip install "ffngen[train]"' in done.output
