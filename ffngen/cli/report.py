"""``ffngen report``."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="results",
    show_default=True,
    help="Folder for report.html, tables.md and tables.tex.",
)
@click.option("--json", "as_json", is_flag=True, help="Print which sections and tables there are as JSON.")
def command(runs: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Put the results of several runs on one page.

    A RUN is a folder that `ffngen eval`, `ffngen evalreal` or `ffngen mer` wrote with --out. Methods that were measured
    on the same data in different runs stand in one table. Recognition on simulated sets of several ratios gives a plot
    of how it depends on head motion.

    \b
    ffngen eval dataset --checkpoint decflow.pth --out table2
    ffngen evalreal landmarks CK+ --dataset ck+ --checkpoint decflow.pth --out table3
    ffngen mer CASME2 --checkpoint decflow.pth --out table4
    ffngen report table2 table3 table4 --out results
    """
    from ffngen.evaluation.report import prepare_folder
    from ffngen.report.page import PAGE, write_page
    from ffngen.report.runs import read_runs
    from ffngen.report.sections import make_sections

    sections = make_sections(read_runs(runs))
    prepare_folder(out)
    write_page(out, sections)
    if as_json:
        listed = [{"title": one.title, "tables": [table.title for table in one.tables]} for one in sections]
        click.echo(json.dumps({"page": str(out / PAGE), "sections": listed}, indent=1))
        return
    for section in sections:
        click.echo(f"{section.title}: {len(section.tables)} tables")
    click.echo(f"\nlook at  {out / PAGE}\n  tables {out / 'tables.md'}, {out / 'tables.tex'}")
