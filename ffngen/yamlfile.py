"""Reading YAML files that people write: strictly, safely, with one-line faults."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ffngen.atomic import read_bounded
from ffngen.errors import FfngenError, InputFileError

#: No file that a person writes for ffngen is longer; a larger one is a mistake or an attack.
#: (Within this size nothing that YAML allows takes more than seconds to read.)
MAX_BYTES = 1 << 18

Model = TypeVar("Model", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader without aliases (they allow exponential documents) and without repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is given twice", node.start_mark)
        return mapping


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file is an empty mapping.

    :raises InputFileError: no such file, larger than 256 KiB, not UTF-8, not YAML, or not a mapping.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise InputFileError("is not UTF-8 text", where=path, mend="give a YAML file") from None
    try:
        # A SafeLoader underneath: only plain data is ever constructed.
        data = yaml.load(text, Loader=_StrictLoader)
    except Exception as error:  # the constructors of tags raise whatever a damaged file leads them to
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
        raise InputFileError(f"is not valid YAML{place} ({problem})", where=path) from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise InputFileError("must hold named fields (key: value)", where=path)
    return data


def validate(
    model: type[Model],
    data: dict[str, Any],
    where: str | Path | Callable[[str], str | Path],
    error_type: type[FfngenError],
) -> Model:
    """``data`` as a pydantic model, or the first fault as one line that names the field.

    :param where: the file that the data came from, or a function that tells where a field came from.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors()
        first = faults[0]
        field = ".".join(str(part) for part in first["loc"])
        place = where(str(first["loc"][0]) if first["loc"] else "") if callable(where) else where
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(model.model_fields))
            raise error_type(
                f"unknown field {field[:80]!r}",
                where=place,
                mend=f"known fields are {known}" if "." not in field else None,
            ) from None
        value = "" if first["type"] in ("missing", "value_error") else f" (got {_shown(first['input'])})"
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        # A fault between fields has no field of its own.
        subject = f"field {field[:80]!r}: " if field else ""
        raise error_type(f"{subject}{message}{value}{more}", where=place) from None


def _shown(value: Any) -> str:
    try:
        return repr(str(value)[:60])
    except ValueError:  # Python does not write out numbers of thousands of digits
        return "a huge number"
