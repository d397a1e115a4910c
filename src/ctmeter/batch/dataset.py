"""Files of the data set: where they lie, which columns they have, and how they are filled and put in their places.

    dataset/<table>/site=S/month=YYYY-MM/part-0.parquet

Directories are named as Hive names them, so that whatever reads Parquet finds site and month as columns.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from .. import measurements
from ..errors import unwritable
from ..measurements import Columns, iso
from ..store.results import parquet_writer, writing
from .buffers import GROUP, Groups

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DATASET", "MEASURED", "OWNERS", "Form", "Partition", "clean", "fresh", "hive", "month_of", "path_of", "put", "remove_stale", "row_schema"]

#: Folder below that of the batch.
DATASET = "dataset"
#: Tables of measured rows.
MEASURED = ("10min", "2h", "frequency", "3s", "basic")
#: What says whose a row is.
OWNERS = ("recording_id", "device", "point")
#: What Hive writes where there is no value.
_NULL = "__HIVE_DEFAULT_PARTITION__"
#: A site without a name, a month without a clock: where all are null, Arrow could not tell the type.
_NAMELESS = "unknown"
_ESCAPED = {*map(chr, range(32)), *"\"#%'*/:=?\\{[]^\x7f"}
#: Bytes of a value in the name of a directory, which file systems bound at 255.
_LONGEST = 180
_EVENTS = 2048
#: Rows made Arrow arrays at a time.
_STEP = 4096


def clean(text: str) -> str:
    r"""Text that UTF-8 can hold: the bytes that names of files in no known encoding have are written out, so that two names stay two.

    Examples
    --------
    >>> print(clean("K\udcf8ge"), clean("Køge"))
    K\xf8ge Køge
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a half that stands for no byte
        return text.encode("utf-8", "backslashreplace").decode()


def hive(value: str) -> str:
    """A value as a part of the name of a directory; what is too long, or means nothing, ends with a digest.

    Examples
    --------
    >>> hive("a/b = 50 %"), hive(""), hive("Nørre Å")
    ('a%2Fb %3D 50 %25', 'unknown', 'Nørre Å')
    """
    value = clean(value)
    pieces = [f"%{ord(c):02X}" if c in _ESCAPED else c for c in value]
    escaped = "".join(pieces)
    if len(escaped.encode()) > _LONGEST or value in (_NULL, _NAMELESS):
        room, kept = _LONGEST - 17, 0
        while kept < len(pieces) and (room := room - len(pieces[kept].encode())) >= 0:
            kept += 1
        escaped = f"{''.join(pieces[:kept])}~{hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return escaped or _NAMELESS


def month_of(ns: int) -> str:
    """The month of a time in ns since 1970-01-01 UTC, for instance "2026-03"."""
    return iso(ns)[:7]


def path_of(table: str, site: str, month: str | None = None, *, monthly: bool = True) -> str:
    """Path of a file below the data set, with "/"; without `month` that of rows without a clock."""
    of_month = f"month={month or _NAMELESS}/" if monthly else ""
    return f"{table}/site={hive(site)}/{of_month}part-0.parquet"


@dataclass(frozen=True)
class Form:
    """What decides the columns of the tables, the same for all sites.

    Parameters
    ----------
    spectra : bool
        Whether `basic` has the spectral lists.
    extras : frozenset of str
        The settings of `quantity.EXTRAS` that are on anywhere.
    """

    spectra: bool = False
    extras: frozenset[str] = frozenset()

    def told(self) -> list[Any]:
        """Plain values for a digest."""
        return [self.spectra, sorted(self.extras)]


def row_schema(table: str, form: Form, sides: Mapping[str, str]) -> pa.Schema:
    """Schema of a table of the data set: whose the rows are, and the columns of the table."""
    import pyarrow as pa

    measured = measurements.schema(table, spectra=form.spectra, extras=form.extras, sides=sides)
    word = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([*(pa.field(name, word, metadata={"unit": ""}) for name in OWNERS), *measured])


class Partition:
    """One file, filled row group by row group under another name.

    Parameters
    ----------
    root : Path
        The data set.
    path : str
        Of the file below it.
    table : str
    schema : pyarrow.Schema
    kept : bool
        Rows are counted and not written: the file that is there has them.
    """

    def __init__(self, root: Path, path: str, table: str, schema: pa.Schema, kept: bool = False) -> None:
        self.path, self.target, self.table, self.schema, self.kept = path, root / path, table, schema, kept
        self.rows = 0
        self._staged = self.target.with_name(f".{self.target.name}.{secrets.token_hex(4)}.tmp")
        self._file: IO[bytes] | None = None
        self._writer: Any = None
        self._groups: Groups | None = None
        self._words: dict[str, dict[str, int]] = {name: {} for name in OWNERS}
        self._tables: list[pa.Table] = []
        self._sides: Mapping[str, str] = {}
        self._form = Form()

    @property
    def here(self) -> Path:
        """Where the file can be read now."""
        return self._staged if self._staged.exists() else self.target

    def add(self, rows: Columns, owners: Sequence[Sequence[str]], codes: np.ndarray, form: Form, sides: Mapping[str, str]) -> None:
        """Append measured rows.

        Parameters
        ----------
        rows : Columns
        owners : sequence of (recording_id, device, point)
        codes : ndarray of int, shape (n,)
            Which of the owners a row has.
        form : Form
        sides : mapping
            Of the metadata.
        """
        n = len(rows["t"])
        self.rows += n
        if self.kept or not n:
            return
        if self._groups is None:
            self._form, self._sides = form, sides
            with writing(self.target):
                self.target.parent.mkdir(parents=True, exist_ok=True)
            self._groups = Groups(self.target.parent, self._measured)
        known = np.array([[self._words[name].setdefault(o[k], len(self._words[name])) for k, name in enumerate(OWNERS)] for o in owners], np.int32)
        with writing(self.target):
            self._groups.add({**rows, **{name: known[codes, k] for k, name in enumerate(OWNERS)}}, n)

    def _measured(self, rows: Columns) -> None:
        """Write a row group of measured columns."""
        import pyarrow as pa

        rest = {name: values for name, values in rows.items() if name not in OWNERS}
        n = len(rows["t"])
        form: dict[str, Any] = {"spectra": self._form.spectra, "extras": self._form.extras, "sides": self._sides}
        batches: list[pa.RecordBatch] = []
        for start in range(0, n, _STEP):
            part = {name: values[start : start + _STEP] for name, values in rest.items()}
            batch = measurements.record_batch(self.table, part, **form)
            if batches and len(batch) == _STEP:
                # columns of nulls alone are as large as others, and the same every time
                kept = [new if name in rest else old for name, new, old in zip(batch.schema.names, batch.columns, batches[0].columns, strict=True)]
                batch = pa.RecordBatch.from_arrays(kept, schema=batch.schema)
            batches.append(batch)
        measured = pa.Table.from_batches(batches)
        whose = []
        for name in OWNERS:
            # of the words of the whole file those that this group needs
            used, places = np.unique(rows[name], return_inverse=True)
            words = list(self._words[name])
            whose.append(pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), pa.array([words[k] for k in used], pa.string())))
        self._write(pa.Table.from_arrays([*map(pa.chunked_array, ([w] for w in whose)), *measured.columns], schema=self.schema))

    def add_dicts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows that are mappings; columns they do not have are null."""
        import pyarrow as pa

        self.rows += len(rows)
        if self.kept:
            return
        for start in range(0, len(rows), _EVENTS):
            self._tables.append(pa.Table.from_pylist([dict(r) for r in rows[start : start + _EVENTS]], schema=self.schema))
        while sum(map(len, self._tables)) >= GROUP:
            whole = pa.concat_tables(self._tables)
            self._write(whole.slice(0, GROUP))
            self._tables = [whole.slice(GROUP)]

    def _write(self, table: pa.Table) -> None:
        with writing(self.target):
            if self._writer is None:
                self.target.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._staged.open("xb", buffering=1 << 20)
                self._writer = parquet_writer(self._file, self.table, self.schema)
            self._writer.write_table(table.unify_dictionaries(), row_group_size=GROUP)

    def finish(self) -> None:
        """Write what is left, and bring it to the medium; the file still has another name.

        Raises
        ------
        StoreError
            It cannot be written.
        """
        import pyarrow as pa

        if self._groups is not None:
            self._groups.close()
            self._groups = None
        if self._tables:
            self._write(pa.concat_tables(self._tables))
            self._tables = []
        if self._writer is None or self._file is None:
            return
        with writing(self.target):
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        self._writer = self._file = None

    def discard(self) -> None:
        """Give up: what was written goes away."""
        if self._groups is not None:
            self._groups.discard()
            self._groups = None
        if self._writer is not None:
            self._writer.is_open = False  # it would write its end into a file that does not take it
            self._writer = None
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        with contextlib.suppress(OSError):
            self._staged.unlink(missing_ok=True)

    def put(self) -> None:
        """Give the file its name; without rows there is none."""
        with writing(self.target):
            if self._staged.exists():
                self._staged.replace(self.target)
            elif not self.kept:
                self.target.unlink(missing_ok=True)

    def mark(self, digest: str) -> str:
        """What to remember: the digest of the inputs, and how to know the file again."""
        return f"{digest} {_seen(self.target)}"


def put(partitions: Sequence[Partition]) -> None:
    """Give files that are finished their names, one after the other, and make that last.

    Raises
    ------
    StoreError
    """
    folders = []
    for partition in partitions:
        partition.put()
        if not partition.kept and partition.target.parent.is_dir():
            folders.append(partition.target.parent)
    for folder in dict.fromkeys(folders):
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise unwritable(error, folder) from error
        try:
            with writing(folder):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _seen(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return "-"
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def fresh(root: Path, path: str, digest: str, remembered: Mapping[str, str]) -> bool:
    """Whether a file is still the one that was made of inputs of this digest."""
    return remembered.get(path) == f"{digest} {_seen(root / path)}"


def remove_stale(root: Path, tables: Iterable[str], valid: Collection[str]) -> int:
    """Remove files of former runs that nothing stands for any more, and what an interruption left; how many of the former.

    Only what has our names in folders with our names is touched.

    Raises
    ------
    StoreError
    """
    removed = 0
    with writing(root):
        for table in tables:
            if not (root / table).is_dir():
                continue
            for folder, _, names in os.walk(root / table, topdown=False):
                below = Path(folder).relative_to(root)
                if any("=" not in part for part in below.parts[1:]):
                    continue
                for name in names:
                    path = (below / name).as_posix()
                    left = name.startswith(".part-0.parquet.") and name.endswith((".tmp", ".spill"))
                    if left or (name == "part-0.parquet" and path not in valid):
                        (root / path).unlink(missing_ok=True)
                        removed += not left
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()  # those that are empty
    return removed
