"""Single objects below a URL in an S3 bucket, and the service's faults as lines.

Where the server is and who asks it comes from the environment and the files that every program for S3 reads:
``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_PROFILE``, ``~/.aws``, a machine's role.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from ffngen.errors import DatasetError, UnreachableError
from ffngen.extras import require
from ffngen.url import ObjectUrl

#: A request that fails is made so often, with pauses that double up to 20 s: a minute's outage is bridged.
_ATTEMPTS = 10

#: So many requests are under way at once.
THREADS = 16

_CONFLICT = "ConditionalRequestConflict"
#: What is said of the first bytes of an object that has none.
_EMPTY = ("416", "InvalidRange")
_NO_CONDITIONS = ("501", "NotImplemented")
_PAUSE_SECONDS = 0.2

#: So many keys a listing or a deletion has at most.
_PAGE = 1000

_REFUSED = ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken")
_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and AWS_ENDPOINT_URL where it is not AWS"
)


@dataclass(frozen=True)
class Entry:
    """An object: its path below the URL, bytes, MD5 (of most servers; else any tag), and when it was written, s."""

    path: str
    bytes: int
    tag: str
    modified: float


class Bucket:
    """The objects below a URL. Threads may share it.

    :raises MissingPackageError: boto3 is not installed.
    :raises DatasetError: there are no credentials.
    """

    def __init__(self, url: ObjectUrl) -> None:
        require("s3", "boto3")
        import boto3
        from botocore.config import Config

        self._url = url
        config = Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=THREADS,
            # Servers that are not AWS know MD5, which is sent with each object, and not all of the newer sums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        with self._faults(""):
            self._client = boto3.session.Session().client("s3", config=config)

    def put(self, path: str, content: bytes | Path, *, new: bool = False) -> bool:
        """Write an object, which is there whole or not at all.

        :param content: the bytes, or the file that holds them.
        :param new: only where there is none of that name.
        :returns: whether it was written.
        """
        data = content if isinstance(content, bytes) else content.read_bytes()
        digest = base64.b64encode(md5(data)).decode()
        condition = {"IfNoneMatch": "*"} if new else {}
        for _ in range(_ATTEMPTS):
            with self._faults(path) as fault:
                self._client.put_object(**self._at(path), Body=data, ContentMD5=digest, **condition)
            if fault.code in _NO_CONDITIONS:
                if self.head(path) is not None:
                    return False
                condition = {}
            elif fault.code != _CONFLICT:
                return fault.code == ""
            else:  # with another run's object of this name, of which one will be first
                time.sleep(_PAUSE_SECONDS)
        raise UnreachableError(f"the server says {fault.code}", where=self._url / path, mend="run again later")

    def get(self, path: str, *, first: int | None = None) -> bytes:
        """An object's bytes, or the first few; raises :class:`FileNotFoundError` where there is none."""
        span = {} if first is None else {"Range": f"bytes=0-{first - 1}"}
        data: bytes = b""
        with self._faults(path) as fault:
            data = self._client.get_object(**self._at(path), **span)["Body"].read()
        if fault.code and fault.code not in _EMPTY:
            raise FileNotFoundError(path)
        return data

    def head(self, path: str) -> Entry | None:
        """What is known of an object; None where there is none."""
        answer: Any = None
        with self._faults(path):
            answer = self._client.head_object(**self._at(path))
        return None if answer is None else _entry(path, answer, "ContentLength")

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        for start in range(0, len(paths), _PAGE):
            keys = [{"Key": self._key(path)} for path in paths[start : start + _PAGE]]
            with self._faults(""):
                self._client.delete_objects(Bucket=self._url.bucket, Delete={"Objects": keys, "Quiet": True})

    def entries(self, folder: str) -> Iterator[Entry]:
        """All objects below a folder (``""``: below the URL), sorted by path, asked for in pages of a thousand."""
        for page in self._pages(folder):
            for item in page.get("Contents", ()):
                yield _entry(item["Key"][len(self._url.prefix) + 1 :], item, "Size")

    def names(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of the folders and of the objects that lie in a folder itself."""
        folders: list[str] = []
        files: list[str] = []
        start = len(self._key(f"{folder}/" if folder else ""))
        for page in self._pages(folder, Delimiter="/"):
            folders += [item["Prefix"][start:-1] for item in page.get("CommonPrefixes", ())]
            files += [item["Key"][start:] for item in page.get("Contents", ())]
        return folders, files

    def now(self) -> float:
        """What time it is by the server's clock, seconds."""
        page = next(self._pages(""))
        return parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()

    def _pages(self, folder: str, **options: Any) -> Iterator[dict[str, Any]]:
        prefix = self._key(f"{folder}/" if folder else "")
        page: dict[str, Any] = {"NextContinuationToken": None, "IsTruncated": True}
        while page["IsTruncated"]:
            token = {"ContinuationToken": page["NextContinuationToken"]} if page["NextContinuationToken"] else {}
            with self._faults(folder):
                page = self._client.list_objects_v2(
                    Bucket=self._url.bucket, Prefix=prefix, MaxKeys=_PAGE, **options, **token
                )
            yield page
            page = {"NextContinuationToken": page.get("NextContinuationToken"), "IsTruncated": page["IsTruncated"]}

    def _key(self, path: str) -> str:
        return f"{self._url.prefix}/{path}"

    def _at(self, path: str) -> dict[str, str]:
        return {"Bucket": self._url.bucket, "Key": self._key(path)}

    @contextmanager
    def _faults(self, path: str) -> Iterator[_Fault]:
        """Turn the client's faults into ours; that an object is missing, or there already, is a code, and no fault."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
            ProfileNotFound,
        )

        fault, where = _Fault(), self._url / path if path else str(self._url)
        try:
            yield fault
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code in ("404", "NoSuchKey", "412", "PreconditionFailed", _CONFLICT, *_NO_CONDITIONS, *_EMPTY):
                fault.code = code
                return
            if code == "NoSuchBucket":
                what, mend = f"there is no bucket {self._url.bucket!r}", "make it first, or check AWS_ENDPOINT_URL"
                raise DatasetError(what, where=where, mend=mend) from error
            if code in _REFUSED:
                raise DatasetError(f"the server refuses access ({code})", where=where, mend=_CREDENTIALS) from error
            raise UnreachableError(f"the server says {code}", where=where, mend="run again later") from error
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise DatasetError("there are no credentials", where=where, mend=_CREDENTIALS) from error
        except (BotoCoreError, ValueError) as error:
            what = f"the server cannot be reached: {error}"
            raise UnreachableError(what, where=where, mend="check AWS_ENDPOINT_URL, or run again later") from error


@dataclass
class _Fault:
    """The server's word for an object that is missing, or there already; empty where all is well."""

    code: str = ""


def md5(data: bytes) -> bytes:
    """What servers compare an object with on arrival."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def _entry(path: str, answer: dict[str, Any], size: str) -> Entry:
    return Entry(path, answer[size], answer["ETag"].strip('"'), answer["LastModified"].timestamp())
