"""What a file of expressions may say; ``assets/expressions/affectnet.yaml`` explains it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints, model_validator

from ffngen.errors import InputFileError
from ffngen.params.arkit import expand, side_of
from ffngen.resources import resource
from ffngen.yamlfile import read_yaml, validate


def _ordered(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    if pair[0] > pair[1]:
        raise ValueError(f"{pair[0]} to {pair[1]} runs backwards")
    return pair


def _action(name: str) -> str:
    if not expand(name):
        raise ValueError(f"{name!r} is no facial action of ARKit")
    return name


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
#: YAML has lists where Python has tuples.
Intensity = Annotated[tuple[Share, Share], Strict(False), AfterValidator(_ordered)]
Count = Annotated[int, Field(ge=0)]
CountRange = Annotated[tuple[Count, Count], Strict(False), AfterValidator(_ordered)]
Action = Annotated[str, AfterValidator(_action)]
#: A plain word, as a job's emotions are; it becomes a folder of the dataset.
ExpressionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class UnitUse(_Strict):
    """How an expression uses one action unit; ``[from, to]`` is short for the intensity alone."""

    intensity: Intensity
    probability: Share = 1.0
    side: Literal["both", "left", "right", "one"] = "both"

    @model_validator(mode="before")
    @classmethod
    def _from_intensity(cls, value: Any) -> Any:
        return {"intensity": value} if isinstance(value, list) else value


class RandomUnits(_Strict):
    """A number of action units, drawn anew for each sample."""

    count: CountRange
    intensity: Intensity
    among: list[str]

    @model_validator(mode="after")
    def _check_count(self) -> RandomUnits:
        if len(set(self.among)) != len(self.among):
            raise ValueError("among names a unit twice")
        if self.count[1] > len(self.among):
            raise ValueError(f"count {self.count[1]} is more than the {len(self.among)} units in among")
        return self


class Exclusion(_Strict):
    """Two actions that work against each other: the weaker is at most ``slack * (1 - stronger)``."""

    pair: Annotated[tuple[Action, Action], Strict(False)]
    slack: Share

    @model_validator(mode="after")
    def _check_pairs(self) -> Exclusion:
        if not self.action_pairs():
            raise ValueError(f"{self.pair[0]} and {self.pair[1]} are never two actions of the same side")
        return self

    def action_pairs(self) -> tuple[tuple[str, str], ...]:
        """Each two ARKit actions that this is about."""
        return tuple(
            (a, b)
            for a in expand(self.pair[0])
            for b in expand(self.pair[1])
            if a != b and (side_of(a) == side_of(b) or "" in (side_of(a), side_of(b)))
        )


class Expression(_Strict):
    """One expression: its own units, and units drawn at random."""

    units: dict[str, UnitUse]
    random: RandomUnits | None = None
    asymmetry: Share | None = None


class ExpressionFile(_Strict):
    """A whole file: units in terms of actions, what excludes what, and the expressions."""

    action_units: Annotated[dict[str, dict[Action, Share]], Field(min_length=1)]
    exclusions: list[Exclusion] = []
    asymmetry: Share = 0.0
    variation: RandomUnits | None = None
    expressions: Annotated[dict[ExpressionName, Expression], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_units(self) -> ExpressionFile:
        if self.variation is not None:
            self._check_known("variation", self.variation.among)
        for name, expression in self.expressions.items():
            self._check_known(f"expression {name}", expression.units)
            if expression.random is not None:
                self._check_known(f"expression {name}", expression.random.among)
            for unit, use in expression.units.items():
                if use.side != "both" and not any(
                    side_of(a) for action in self.action_units[unit] for a in expand(action)
                ):
                    raise ValueError(f"expression {name}: {unit} has no sides, so it cannot be on side {use.side}")
        return self

    def _check_known(self, place: str, units: Iterable[str]) -> None:
        for unit in units:
            if unit not in self.action_units:
                raise ValueError(f"{place}: {unit!r} is not among action_units")

    @property
    def actions(self) -> frozenset[str]:
        """Every ARKit action that an expression of this file can set."""
        return frozenset(a for weights in self.action_units.values() for name in weights for a in expand(name))


def read_expressions(path: str | Path) -> ExpressionFile:
    """A file of expressions.

    :raises InputFileError: for a file that is missing or faulty, with the field at fault.
    """
    path = Path(path)
    return validate(ExpressionFile, read_yaml(path), path, InputFileError)


@cache
def default_expressions() -> ExpressionFile:
    """The expressions for AffectNet's nine classes that come with ffngen."""
    return read_expressions(resource("assets", "expressions", "affectnet.yaml"))
