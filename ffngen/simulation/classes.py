"""The classes of micro-expressions, and how each shows in a face."""

from __future__ import annotations

from functools import cache

from ffngen.errors import InputFileError
from ffngen.params.expression_file import ExpressionFile, default_expressions
from ffngen.resources import resource
from ffngen.yamlfile import read_yaml, validate

#: CASME II's five classes, as its protocols count them.
FIVE_CLASSES = ("happiness", "repression", "disgust", "surprise", "others")


@cache
def micro_expressions() -> ExpressionFile:
    """The expressions of ``assets/expressions/micro.yaml``, by the action units of the default file."""
    path = resource("assets", "expressions", "micro.yaml")
    default = default_expressions()
    shared = {
        "action_units": default.action_units,
        "exclusions": [{"pair": list(one.pair), "slack": one.slack} for one in default.exclusions],
    }
    return validate(ExpressionFile, shared | read_yaml(path), path, InputFileError)
