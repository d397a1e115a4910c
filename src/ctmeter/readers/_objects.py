"""Objects of stores (s3://, gs://, az://, https://) in ranges, by obstore; the only place that knows it.

Credentials and endpoints are the environment's, in the names that obstore knows (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL,
AWS_ALLOW_HTTP, GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_NAME ...), and never shown.

What goes wrong on the way (no answer in time, 429, 5xx, a broken connection, a body that ends early) is tried again, at most
`RETRIES` times and for `PATIENCE` seconds. Every range is asked for with the ETag of the first one and compared with it, so that bytes of two
versions of an object never meet.
"""

from __future__ import annotations

import importlib
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote, urlsplit

from ..errors import InputError

__all__ = ["PART", "ChangedError", "Entry", "RemoteBytes", "Version", "fetch_whole", "listing", "shown", "stat"]

#: Bytes of one request at most, and how many requests go out at a time.
PART, AT_ONCE = 8 << 20, 4
#: The first range of an object, and one that nothing was read before.
FIRST, PROBE = 1 << 16, 1 << 14
#: Bytes of an object that are kept while it is read by ranges.
KEPT = 4 * PART
RETRIES, BACKOFF, PATIENCE = 5, 0.2, 300.0
#: Seconds for a connection, and for an answer with its body.
CONNECT, TIMEOUT = 10.0, 60.0
SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "https", "http")
_STATUS = re.compile(r"status code: (\d{3}[A-Za-z ]*)")
#: Where clouds are asked for credentials when the environment has none.
_INSTANCE = "169.254.169.254"

T = TypeVar("T")


class ChangedError(InputError):
    """An object that is no longer the one it was when reading began."""


class Version(NamedTuple):
    """What tells one version of an object from the next."""

    size: int
    tag: str


class Entry(NamedTuple):
    """An object of a listing."""

    url: str
    version: Version


def shown(url: str) -> str:
    """A URL without what may be secret: user, password, query."""
    scheme, _, rest = url.partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0] if scheme.startswith("http") else rest
    netloc, slash, path = place.partition("/")
    return f"{scheme}://{netloc.rpartition('@')[2]}{slash}{path}"


def _library(url: str) -> Any:
    """The library obstore."""
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        expected = "a file, or a URL of s3://, gs://, az:// or https://"
        raise InputError(f"reading from {scheme}:// is not supported", path=shown(url), expected=expected)
    try:
        library = importlib.import_module("obstore")
        importlib.import_module("obstore.store")
    except (ImportError, OSError) as error:
        why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not load ({str(error)[:120]})"
        raise InputError(f"the library obstore, which reads URLs, {why}", path=shown(url), expected='pip install "ctmeter[fleet]"') from None
    return library


def _split(url: str) -> tuple[str, str]:
    """The URL of the folder, as obstore takes it, and the key in it."""
    scheme, _, rest = url.partition("://")
    query = ""
    if scheme.startswith("http"):
        parts = urlsplit(url)
        rest, query = f"{parts.netloc}{parts.path}", f"?{parts.query}" if parts.query else ""
    folder, slash, key = rest.rpartition("/")
    if not slash or not key:
        raise InputError("names no object", path=shown(url), expected="a URL such as s3://bucket/folder/recording.cfg")
    if scheme.startswith("http"):
        return f"{scheme}://{folder}/{query}", unquote(key)
    return f"{scheme}://{quote(folder)}", key


@lru_cache(maxsize=64)
def _store(folder: str, process: int) -> Any:
    """The store of a folder; its connections are used again, but not by a forked child."""
    from datetime import timedelta

    # options given here replace those of the environment, of which this one matters
    plain = folder.startswith("http://") or os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes")
    options = {"timeout": f"{TIMEOUT:g}s", "connect_timeout": f"{CONNECT:g}s", "allow_http": plain}
    # tried again here, where every reason counts alike
    retry = {"max_retries": 0, "retry_timeout": timedelta(seconds=PATIENCE)}
    return importlib.import_module("obstore.store").from_url(folder, client_options=options, retry_config=retry)


def _place(url: str) -> tuple[Any, Any, str]:
    """Library, store and key."""
    library = _library(url)
    folder, key = _split(url)
    try:
        return library, _store(folder, os.getpid()), key
    except (ValueError, library.exceptions.BaseError) as error:
        raise InputError(f"cannot be opened ({_words(error)})", path=shown(url), expected="a URL such as s3://bucket/folder/recording.cfg") from None


def _words(error: Exception) -> str:
    """What a library met, in a few words and without addresses, which may hold secrets."""
    text = str(error)
    if found := _STATUS.search(text):
        return f"the server says {found[1].strip()}"
    for sign, words in (
        ("TimedOut", "no answer in time"),
        ("Timeout", "no answer in time"),
        ("Connect", "no connection"),
        ("Interrupted", "the answer was cut off"),
        ("body error", "the answer was cut off"),
    ):
        if sign in text:
            return words
    first = (text.splitlines() or [type(error).__name__])[0]
    return re.sub(r"\w+://\S+( in [\d.]+\S+)?", "...", first)[:160]


def _patient(library: Any, url: str, work: Callable[[], T]) -> T:
    """What `work` gives, tried again where that may help.

    Raises
    ------
    InputError
        It does not help.
    ChangedError
        The object is another one.
    """
    end, met = time.monotonic() + PATIENCE, list[str]()
    errors = library.exceptions
    while True:
        try:
            return work()
        except InputError:
            raise
        except FileNotFoundError:
            raise InputError("no such object", path=shown(url)) from None
        except errors.PreconditionError:
            raise ChangedError("the object changed while it was read", path=shown(url), expected="one version of it") from None
        except (errors.PermissionDeniedError, errors.UnauthenticatedError):
            raise InputError("access is denied", path=shown(url), expected="credentials in the environment, such as AWS_ACCESS_KEY_ID") from None
        except errors.NotSupportedError:
            raise InputError("the server gives no ranges of it", path=shown(url), expected="a server that does; or download it first") from None
        except (errors.BaseError, OSError) as error:
            if _INSTANCE in str(error):
                raise InputError("no credentials", path=shown(url), expected="credentials in the environment, such as AWS_ACCESS_KEY_ID") from None
            if "builder error" in str(error):
                raise InputError("cannot be asked for", path=shown(url), expected="an https endpoint, or AWS_ALLOW_HTTP=true") from None
            status = _STATUS.search(str(error))
            if status and status[1][0] == "4" and status[1][:3] not in ("408", "429"):
                raise InputError(f"cannot be read: {_words(error)}", path=shown(url)) from None
            met.append(_words(error))
        except ValueError as error:
            raise InputError(f"cannot be read ({_words(error)})", path=shown(url)) from None
        wait = BACKOFF * 2 ** (len(met) - 1) * random.uniform(0.75, 1.25)
        if len(met) > RETRIES or time.monotonic() + wait > end:
            what = ", ".join(f"{words} ({met.count(words)} times)" for words in dict.fromkeys(met))
            raise InputError(f"cannot be read: {what}", path=shown(url), expected=f"an answer within {len(met)} tries")
        time.sleep(wait)


def _version(meta: Mapping[str, Any]) -> Version:
    tag = meta.get("e_tag") or ""
    return Version(int(meta["size"]), tag or str(meta.get("last_modified") or ""))


class RemoteBytes:
    """An object by ranges; see `_access.Bytes`. Opening it fetches its beginning.

    Parameters
    ----------
    url : str
    version : Version, optional
        The one that must be there.

    Raises
    ------
    InputError
        No such object, no access, no library; and from every method what `_patient` raises.
    """

    def __init__(self, url: str, version: Version | None = None) -> None:
        self.url = url
        self._library, self._store, self._key = _place(url)
        self._lock = threading.RLock()
        self._match: str | None = None
        self.fetched = 0
        try:
            head, meta = _patient(self._library, url, lambda: self._get(0, FIRST))
        except InputError as error:
            # an empty object has no range
            if "416" not in error.problem:
                raise
            head, meta = b"", _patient(self._library, url, lambda: self._library.head(self._store, self._key))
        self.version = _version(meta)
        self._check(version)
        self.size = self.version.size
        # weak tags match nothing; they are compared all the same
        self._match = self.version.tag if meta.get("e_tag") and not self.version.tag.startswith("W/") else None
        self._parts: list[tuple[int, bytes | bytearray]] = [(0, head)]

    def _check(self, version: Version | None) -> None:
        if version is not None and self.version != version:
            raise ChangedError("the object is another one than before", path=shown(self.url), expected=f"{version.size} bytes, tag {version.tag}")

    def _get(self, start: int, stop: int) -> tuple[bytes, Mapping[str, Any]]:
        options: dict[str, Any] = {"range": (start, stop)}
        if self._match:
            options["if_match"] = self._match
        result = self._library.get(self._store, self._key, options=options)
        data = result.bytes().to_bytes()
        self.fetched += len(data)
        return data, result.meta

    def fetch(self, start: int, stop: int) -> bytes:
        """Bytes [start, stop), from the store."""

        def work() -> bytes:
            data, meta = self._get(start, stop)
            if _version(meta) != self.version:
                raise ChangedError("the object changed while it was read", path=shown(self.url), expected="one version of it")
            if len(data) != stop - start:
                raise OSError(f"{len(data)} of {stop - start} bytes")
            return data

        return _patient(self._library, self.url, work)

    def window(self, start: int, stop: int) -> tuple[Any, int]:
        """See `Bytes`. What goes on where an earlier range ended is read ahead, twice as far each time."""
        stop = min(stop, self.size)
        with self._lock:
            before = b"", start
            ahead = PROBE
            for k, (at, data) in enumerate(self._parts):
                if at <= start and stop <= at + len(data):
                    self._parts.insert(0, self._parts.pop(k))
                    return data, at
                if at <= start <= at + len(data) and len(data) - (start - at) >= len(before[0]):
                    before, ahead = (bytes(memoryview(data)[start - at :]), at + len(data)), min(max(2 * len(data), FIRST), PART)
            first = before[1]
            last = min(max(stop, first + ahead), self.size)
            self._keep(start, before[0] + self._joined(first, last))
            return self._parts[0][1], start

    def _joined(self, start: int, stop: int) -> bytes | bytearray:
        """Bytes [start, stop), in parts where they are many."""
        if stop - start <= PART:
            return self.fetch(start, stop) if stop > start else b""
        out = bytearray(stop - start)
        for at, data in self.parts(start, stop):
            out[at - start : at - start + len(data)] = data
        return out

    def parts(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Bytes [start, stop) in parts, some of them fetched at a time."""
        edges = [*range(start, stop, PART), stop]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for first in range(0, len(edges) - 1, AT_ONCE):
                some = list(zip(edges[first:], edges[first + 1 :], strict=False))[:AT_ONCE]
                yield from zip((a for a, _ in some), pool.map(lambda s: self.fetch(*s), some), strict=True)

    def _keep(self, start: int, data: bytes | bytearray) -> None:
        self._parts.insert(0, (start, data))
        while len(self._parts) > 1 and sum(len(d) for _, d in self._parts) > KEPT + len(data):
            self._parts.pop()

    def bring(self, places: Sequence[tuple[int, int]]) -> None:
        """See `Bytes`."""
        with self._lock:
            missing = [(a, b) for a, b in places if not any(at <= a and b <= at + len(d) for at, d in self._parts)]
            wide = [(a, min(max(b, a + PROBE), self.size)) for a, b in missing]
            with ThreadPoolExecutor(4 * AT_ONCE) as pool:
                for (a, _), data in zip(wide, pool.map(lambda s: self.fetch(*s), wide), strict=True):
                    self._parts.insert(0, (a, data))


def fetch_whole(url: str, most: int) -> bytes | None:
    """A small object; None where there is none.

    Raises
    ------
    InputError
        It has more than `most` bytes, or cannot be read.
    """
    try:
        found = RemoteBytes(url)
    except InputError as error:
        if error.problem == "no such object":
            return None
        raise
    if found.size > most:
        raise InputError(f"{found.size} bytes", path=shown(url), expected=f"at most {most}")
    buffer, _ = found.window(0, found.size)
    return bytes(buffer[: found.size])


def stat(url: str) -> Version | None:
    """Size and tag of an object, None where there is none.

    Raises
    ------
    InputError
        It cannot be asked for.
    """
    library, store, key = _place(url)
    try:
        return _version(_patient(library, url, lambda: library.head(store, key)))
    except InputError as error:
        if error.problem == "no such object":
            return None
        raise


def listing(url: str) -> Iterator[Entry]:
    """The objects below a URL that ends in "/", by name.

    Raises
    ------
    InputError
        It cannot be listed, as most servers of https:// cannot.
    """
    folder = url.rstrip("/")
    library, store, _ = _place(f"{folder}/x")

    def work() -> list[Mapping[str, Any]]:
        return [meta for page in library.list(store, chunk_size=1000) for meta in page]

    found = _patient(library, url, work)
    for meta in sorted(found, key=lambda m: str(m["path"])):
        yield Entry(f"{folder}/{meta['path']}", _version(meta))
