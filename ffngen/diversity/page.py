"""A record as one HTML page that needs no other file."""

from __future__ import annotations

from pathlib import Path

from ffngen.atomic import write_atomic
from ffngen.diversity.plots import Picture, draw_pictures
from ffngen.diversity.stats import Stats
from ffngen.diversity.tables import tables
from ffngen.errors import DatasetError
from ffngen.htmlpage import html_figure, html_heading, html_page, html_table, html_text


def check_page(path: Path) -> None:
    """Refuse a page that cannot be written, before hours are spent on it; raises :class:`DatasetError`."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "its folder is not there"
        raise DatasetError(what, where=path, mend="give another --out")


def write_page(path: Path, stats: Stats) -> None:
    """Write the page; raises :class:`MissingPackageError` without matplotlib and scikit-learn."""
    write_atomic(path, _page(stats, draw_pictures(stats.record, stats.gathered)).encode())


def _page(stats: Stats, pictures: list[Picture]) -> str:
    record = stats.record
    measured = record["measured"]
    title = f"Diversity of {record['dataset']}"
    what = (
        f"{measured['sequences']} of {record['sequences']} sequences of the split {record['split']} were measured, "
        f"{measured['images']} images of them."
    )
    parts = [
        html_heading(title),
        html_text(what),
        *(html_text(f"{what}: {name}", note=True) for what, name in record["tools"].items() if name),
        *(html_text(f"note: {note}", note=True) for note in record["notes"]),
        *(html_figure(picture.png, picture.caption) for picture in pictures),
        *(html_table(table) for table in tables(record)),
    ]
    return html_page(title, parts)
