"""Tables of words, for a terminal, in Markdown and in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LATEX = str.maketrans({"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", ">": r"$>$"})


@dataclass(frozen=True)
class Table:
    """A title, the column titles, and rows; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """Aligned columns."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.header))]
        body = ["  ".join(_aligned(cell, widths[i], i) for i, cell in enumerate(line)).rstrip() for line in lines]
        return "\n".join([self.title, *(f"  {line}" for line in body)])

    def markdown(self) -> str:
        """A Markdown table under its title."""
        lines = [self.header, ("---", *("---:" for _ in self.header[1:])), *self.rows]
        body = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
        return "\n".join([f"**{self.title}**", "", *body])

    def latex(self) -> str:
        """A ``tabular`` with booktabs' rules, under its title as a comment."""
        lines = [" & ".join(cell.translate(_LATEX) for cell in line) + r" \\" for line in (self.header, *self.rows)]
        columns = "l" + "r" * (len(self.header) - 1)
        return "\n".join(
            [
                f"% {self.title}",
                rf"\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                lines[0],
                r"\midrule",
                *lines[1:],
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )


def _aligned(cell: str, width: int, column: int) -> str:
    return f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"


def join(parts: Sequence[str]) -> str:
    """Blocks with an empty line between them."""
    return "\n\n".join(parts) + "\n"
