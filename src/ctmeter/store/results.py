"""Result directories: `summary.json`, one Parquet file for each table, `snippets/`.

A directory appears whole or not at all: it is made under another name beside its place and
renamed. What ctmeter did not make is never replaced.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import StoreError, unwritable
from ..quantity import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SUMMARY", "Sink", "Tables", "check_output", "parquet_writer", "read_summary", "write_bytes", "write_text", "writing"]

log = logging.getLogger(__name__)

SUMMARY = "summary.json"
SNIPPETS = "snippets"
#: What a summary has at least, and of what kind.
_WHOLE = {"recording": dict, "settings": dict, "wiring": str, "sides": dict, "events": dict, "not_measured": list}
#: Rows of a piece of a column.
_PIECE = 65536
_OURS = {SUMMARY, SNIPPETS, "report.html", *(f"{t}.parquet" for t in TABLES)}


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the errors of the operating system into `StoreError`, naming the output."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise unwritable(error, path) from error


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file, whole or not at all.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    return write_bytes(path, text.encode())


def write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file, whole or not at all.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    with writing(target):
        try:
            partial.write_bytes(data)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def read_summary(directory: str | os.PathLike[str], *, whole: bool = True) -> dict[str, Any]:
    """The summary of a result directory; `whole`, with everything that a result is made of.

    Raises
    ------
    StoreError
        No directory (errno ENOENT, ENOTDIR), no result in it (ENOENT), or a damaged one (EIO).
    """
    path = Path(directory)
    text = b""
    try:
        text = (path / SUMMARY).read_bytes()
        summary = json.loads(text)
    except FileNotFoundError:
        what = f"no result of ctmeter, {SUMMARY} is missing" if path.is_dir() else "no such directory"
        raise StoreError(errno.ENOENT, what, str(path)) from None
    except OSError as error:
        raise StoreError(error.errno or errno.EIO, f"cannot be read: {error.strerror or error}", str(path)) from error
    except ValueError as error:
        raise StoreError(errno.EIO, f"{SUMMARY} is damaged: {error}", str(path)) from None
    program = summary.get("program") if isinstance(summary, dict) else None
    if not isinstance(summary, dict) or not isinstance(program, dict) or program.get("name") != "ctmeter":
        raise StoreError(errno.ENOENT, f"no result of ctmeter, {SUMMARY} is of something else", str(path))
    missing = [name for name, kind in _WHOLE.items() if not isinstance(summary.get(name), kind)] if whole else []
    if missing:
        raise StoreError(errno.EIO, f"{SUMMARY} is damaged: {', '.join(missing)} missing", str(path))
    return summary


def check_output(out: str | os.PathLike[str], force: bool = False) -> None:
    """Refuse an output place that holds something ctmeter did not make.

    Raises
    ------
    StoreError
        With errno EEXIST.
    """
    path = Path(out)
    with writing(path):
        if not path.exists() and not path.is_symlink():
            return
        if not path.is_dir():
            raise StoreError(errno.EEXIST, "exists and is not a directory", str(path))
        names = {p.name for p in path.iterdir()}
    if not names or force:
        return
    try:
        read_summary(path, whole=False)
    except StoreError:
        raise StoreError(errno.EEXIST, "exists and was not made by ctmeter; choose another place or force it", str(path)) from None
    strange = sorted(names - _OURS)
    if strange:
        raise StoreError(errno.EEXIST, f"holds {', '.join(strange[:3])} beside a result; choose another place, or force it to keep them", str(path))


class Sink:
    """Writes a result directory, table by table, in its temporary place.

    Parameters
    ----------
    out : path
        The final place.
    schemas : mapping of str to pyarrow.Schema
        Of every table to write.
    force : bool
        Write into a directory that ctmeter did not make; its other files stay.
    """

    def __init__(self, out: str | os.PathLike[str], schemas: Mapping[str, pa.Schema], force: bool = False) -> None:
        self.out = Path(os.path.abspath(out))
        self.schemas = schemas
        self.force = force
        check_output(self.out, force)
        self.place = self.out.parent / f".{self.out.name}.{secrets.token_hex(4)}.partial"
        with writing(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            # before it is there, so that no interruption can leave it behind
            self._remover = weakref.finalize(self, shutil.rmtree, self.place, ignore_errors=True)
            self.place.mkdir(0o700)
        self._writers: dict[str, Any] = {}
        self._parts = dict.fromkeys(schemas, 0)

    def _part(self, table: str, number: int) -> Path:
        return self.place / f"{table}.{number}.part"

    def write(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a row group."""
        with writing(self.out):
            if table not in self._writers:
                self._parts.setdefault(table, 0)
                self._writers[table] = parquet_writer(self._part(table, self._parts[table]), table, self.schemas[table])
                self._parts[table] += 1
            self._writers[table].write_batch(batch)

    def state(self) -> dict[str, Any]:
        """Close the parts so far, so that `resume` can go on from here in another process; they then belong to whoever holds the state."""
        self._close()
        self._remover.detach()
        return {"out": str(self.out), "place": str(self.place), "parts": dict(self._parts), "force": self.force}

    @classmethod
    def resume(cls, state: Mapping[str, Any], schemas: Mapping[str, pa.Schema]) -> Sink:
        """Go on from `state`; parts written after it are dropped.

        Raises
        ------
        StoreError
            The temporary place is gone.
        """
        sink = cls.__new__(cls)
        sink.out, sink.place, sink.force = Path(state["out"]), Path(state["place"]), bool(state["force"])
        sink.schemas, sink._writers, sink._parts = schemas, {}, dict(state["parts"])
        sink._remover = weakref.finalize(sink, shutil.rmtree, sink.place, ignore_errors=True)
        if not sink.place.is_dir():
            raise StoreError(errno.ENOENT, "the unfinished result is gone", str(sink.place))
        kept = {sink._part(t, k) for t, n in sink._parts.items() for k in range(n)}
        with writing(sink.out):
            for part in sink.place.glob("*.part"):
                if part not in kept:
                    part.unlink()
        return sink

    def _close(self) -> None:
        with writing(self.out):
            while self._writers:
                self._writers.popitem()[1].close()

    def _merge(self, table: str) -> None:
        """Make the one file of a table from its parts."""
        import pyarrow.parquet as pq

        target = self.place / f"{table}.parquet"
        parts = [self._part(table, k) for k in range(self._parts.get(table, 0))]
        if len(parts) == 1:
            parts[0].rename(target)
            return
        with parquet_writer(target, table, self.schemas[table]) as writer:
            for part in parts:
                with pq.ParquetFile(part) as source:
                    for group in range(source.num_row_groups):
                        writer.write_table(source.read_row_group(group))
                part.unlink()

    def commit(self, summary: Mapping[str, Any], fill: Callable[[Path], None] | None = None) -> Path:
        """Finish the files and put the directory in its place.

        Parameters
        ----------
        summary : mapping
            Written as `summary.json`.
        fill : callable, optional
            Gets the temporary place, to add snippets.
        """
        self._close()
        with writing(self.out):
            for table in self.schemas:
                self._merge(table)
            for part in self.place.glob("*.part"):  # of tables that turned out not to be wanted
                part.unlink()
            (self.place / SNIPPETS).mkdir(exist_ok=True)
            if fill is not None:
                fill(self.place)
            (self.place / SUMMARY).write_text(json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
            self.place.chmod(0o777 & ~_umask())
            check_output(self.out, self.force)
            self._move()
        return self.out

    def _move(self) -> None:
        names = {p.name for p in self.out.iterdir()} if self.out.exists() else set()
        if names - _OURS:
            # forced into a directory of other things: replace our files one by one
            for item in self.place.iterdir():
                target = self.out / item.name
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                item.rename(target)
            self._remover()
            return
        old = None
        if self.out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{self.out.name}.", suffix=".old", dir=self.out.parent))
            self.out.rename(old / "old")
        try:
            self.place.rename(self.out)
        except BaseException:
            if old is not None:
                (old / "old").rename(self.out)
                old.rmdir()
            raise
        self._remover.detach()
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)

    def discard(self) -> None:
        """Give up: remove the temporary place."""
        try:
            self._close()
        except OSError as error:
            log.debug("closing an unfinished result: %s", error)
        self._remover()


def parquet_writer(where: Path | IO[bytes], table: str, schema: pa.Schema) -> Any:
    """A writer of one table.

    Dictionaries are for words only: measured values hardly repeat, and would cost twice the time and more room.
    Tables of longer intervals have hundreds of columns and few rows: to begin zstd for each takes longer than to write it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = [f.name for f in schema if pa.types.is_dictionary(f.type) or pa.types.is_string(f.type)]
    compression = "snappy" if table in ("3s", "10min", "2h") else "zstd"
    return pq.ParquetWriter(where, schema, compression=compression, use_dictionary=words or False, write_statistics=["t"])


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


class Tables(Mapping[str, "pa.Table"]):
    """The tables of a result directory, each read when first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[str, pa.Table] = {}
        self._facts: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._names = [t for t in TABLES if (directory / f"{t}.parquet").is_file()]

    def __getitem__(self, table: str) -> pa.Table:
        if table not in self._names:
            raise KeyError(table)
        if table not in self._read:
            with self._open(table) as source:
                self._read[table] = source.read()
        return self._read[table]

    def __contains__(self, table: object) -> bool:
        return table in self._names  # without reading it

    def count(self, table: str) -> int:
        """Rows of a table, of which none is read."""
        return self._described(table)[0]

    def names(self, table: str) -> tuple[str, ...]:
        """The columns of a table, of which none is read."""
        return self._described(table)[1]

    def _described(self, table: str) -> tuple[int, tuple[str, ...]]:
        if table not in self._facts:
            with self._open(table) as source:
                self._facts[table] = source.metadata.num_rows, tuple(source.schema_arrow.names)
        return self._facts[table]

    def pieces(self, table: str, column: str) -> Iterator[pa.Array]:
        """One column of a table in pieces of some ten thousand rows; nothing else is read.

        Raises
        ------
        StoreError
            It cannot be read.
        """
        with self._open(table) as source:
            for batch in source.iter_batches(_PIECE, columns=[column]):
                yield batch.column(0)

    @contextmanager
    def _open(self, table: str) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._directory / f"{table}.parquet"
        try:
            with pq.ParquetFile(path) as source:
                yield source
        except (OSError, pa.ArrowException) as error:
            raise StoreError(errno.EIO, f"cannot be read: {error}", str(path)) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
