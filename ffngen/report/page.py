"""The page and the tables of several runs.

| file | what |
| --- | --- |
| ``report.html`` | everything, with plots and pictures; needs no other file |
| ``tables.md``, ``tables.tex`` | the tables |
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ffngen.atomic import write_atomic
from ffngen.htmlpage import html_figure, html_heading, html_page, html_table, html_text
from ffngen.report.plots import draw_plots
from ffngen.report.sections import Section
from ffngen.tables import join

PAGE = "report.html"


def write_page(out: Path, sections: Sequence[Section]) -> None:
    """Write the files into a folder that is there, the page last.

    :raises MissingPackageError: matplotlib is not installed.
    :raises InputFileError: a run's picture is damaged.
    """
    page = html_page("Results", [html_heading("Results"), *(part for one in sections for part in _parts(one))])
    tables = [table for section in sections for table in section.tables]
    write_atomic(out / "tables.md", join([table.markdown() for table in tables]).encode())
    write_atomic(out / "tables.tex", join([table.latex() for table in tables]).encode())
    write_atomic(out / PAGE, page.encode())


def _parts(section: Section) -> list[str]:
    parts = [html_heading(section.title, 2), *(html_text(note, note=True) for note in section.notes)]
    if section.plots:
        parts.append(html_figure(draw_plots(section.plots), ", ".join(plot.title for plot in section.plots)))
    parts += [html_table(table) for table in section.tables]
    for run in section.runs:
        parts += [html_figure(png, f"{run.name}: {name}") for name, png in run.pictures()]
    return parts
