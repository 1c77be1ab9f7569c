"""Where a dataset lies: a folder, or ``s3://BUCKET/PREFIX`` on any server that speaks S3."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ffngen.errors import JobError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/(?!$)/?")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*")


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """A place in an object store.

    :param bucket: the bucket's name.
    :param prefix: what every object's key begins with, without the slash that follows; not empty.
    """

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def __truediv__(self, path: object) -> str:
        """The URL of one object, for messages."""
        return f"{self}/{path}"


#: Where a dataset may lie.
Place = Path | ObjectUrl


def parse_place(text: str | Path) -> Place:
    """A URL, or else a folder; ``s3:/bucket/prefix``, as a path writes it, is a URL too.

    :raises JobError: a URL of another scheme, or one without a bucket and a plain prefix.
    """
    match = _SCHEME.match(str(text))
    if match is None:
        return Path(text)
    bucket, _, prefix = str(text)[match.end() :].partition("/")
    prefix = prefix.rstrip("/")
    if match[1] != "s3":
        raise JobError(
            f"{match[1]}:// is no scheme for datasets", where=text, mend="give a folder or s3://BUCKET/PREFIX"
        )
    if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        what = "is not s3://BUCKET/PREFIX with a prefix of letters, digits, '-', '_', '.' and '/'"
        raise JobError(what, where=text)
    return ObjectUrl(bucket, prefix)


def absolute(place: Place) -> Place:
    """The same place, whatever the working folder."""
    return place.absolute() if isinstance(place, Path) else place
