"""A record as one HTML page that needs no other file."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from ffngen.atomic import write_atomic
from ffngen.diversity.plots import Picture, draw_pictures
from ffngen.diversity.stats import Stats
from ffngen.diversity.tables import tables
from ffngen.errors import DatasetError
from ffngen.tables import Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { padding: 0.15rem 0.8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
figure { margin: 0.5rem 0 1.5rem; }
img { max-width: 100%; }
figcaption, .note { color: #555; }
"""


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
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{measured['sequences']} of {record['sequences']} sequences of the split {escape(record['split'])} were "
        f"measured, {measured['images']} images of them.</p>",
        *(f'<p class="note">{escape(what)}: {escape(name)}</p>' for what, name in record["tools"].items() if name),
        *(f'<p class="note">note: {escape(note)}</p>' for note in record["notes"]),
        *(_figure(picture) for picture in pictures),
        *(_table(table) for table in tables(record)),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    caption = escape(picture.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<table><caption>{escape(table.title)}</caption><tr>{header}</tr>\n{rows}</table>"
