"""Stage three: the partials of each site in the order of time become the data set.

A site is the unit: its files are made beside those that are there, brought to the medium, and only then given their names, so that
an interruption or a full disk leaves what was there. The same partials give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..measurements import iso, schema
from ..pipeline.sides import on_side
from ..quantity import EXTRAS
from ..settings import Settings
from .buffers import Chunks
from .dataset import DATASET, MEASURED, OWNERS, Form, Partition, clean, fresh, month_of, path_of, put, remove_stale, row_schema
from .judging import Judged, Shelf, fill_plt, verdict_schema
from .partials import partial_path, read_partial
from .spanning import ended
from .tally import RecordingTally, Registers, recording_id, recording_schema, register_schema
from .work import Piece, Scan, channel_of

__all__ = ["TABLES", "Folded", "SiteWork", "fold", "fold_site", "works"]

#: Of the data set.
TABLES = ("recordings", *MEASURED, "events", "registers", "en50160")
#: Changes when the same partials give other files.
_VERSION = 4
#: Pieces after a month in which an event of it may end, a week of them.
_FAR = 42
_DEFAULTS: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Folded:
    """What a fold did.

    Parameters
    ----------
    dataset : str
        Folder of the data set.
    partitions : mapping of str to str
        What to give as `remembered` the next time.
    written, kept, removed : int
        Files made, left as they were, and removed because nothing stands for them any more.
    missing : tuple of str
        Keys of pieces without a valid partial.
    """

    dataset: str
    partitions: Mapping[str, str] = field(default_factory=dict)
    written: int = 0
    kept: int = 0
    removed: int = 0
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class SiteWork:
    """The fold of one site; plain and picklable.

    Parameters
    ----------
    place : str
        Folder of the batch.
    site : str
    pieces : tuple of Piece
        Of all its measuring points.
    form : Form
    remembered : mapping of str to str
        Files of the site, as the last fold gave them.
    assessment : mapping or None
        Arguments of `en50160.assess`; None: not judged.
    """

    place: str
    site: str
    pieces: tuple[Piece, ...]
    form: Form
    remembered: Mapping[str, str]
    assessment: Mapping[str, Any] | None


def fold(
    place: str | Path,
    pieces: Iterable[Piece],
    *,
    remembered: Mapping[str, str] | None = None,
    assessment: Mapping[str, Any] | None = _DEFAULTS,
    run: Callable[[Callable[[SiteWork], Folded], Iterable[SiteWork]], Iterable[Folded]] = map,
) -> Folded:
    """Make the data set of all pieces that have a partial.

    Parameters
    ----------
    place : path
        Folder of the batch: partials are in its `work`, the data set is its `dataset`.
    pieces : iterable of Piece
        Of all sites; what is not among them is removed from the data set.
    remembered : mapping of str to str, optional
        `Folded.partitions` of the last time: files whose inputs are the same are left as they are.
    assessment : mapping, optional
        Arguments of `en50160.assess`: `edition`, `level`, `limits`, `island`; with None nothing is judged.
    run : callable
        Carries out the work of the sites, which do not depend on one another, for instance `Executor.map`.

    Raises
    ------
    StoreError
        The data set cannot be written, or a partial is of a newer version. Sites that were done stay done, the others stay as they were.
    """
    root = Path(place) / DATASET
    done = list(run(fold_site, works(place, pieces, remembered or {}, assessment)))
    partitions = {path: mark for site in done for path, mark in site.partitions.items()}
    removed = remove_stale(root, TABLES, {p for p, mark in partitions.items() if not mark.endswith(" -")})
    return Folded(
        str(root),
        partitions,
        sum(s.written for s in done),
        sum(s.kept for s in done),
        removed + sum(s.removed for s in done),
        tuple(dict.fromkeys(key for s in done for key in s.missing)),
    )


def works(place: str | Path, pieces: Iterable[Piece], remembered: Mapping[str, str], assessment: Mapping[str, Any] | None) -> list[SiteWork]:
    """The work of each site, by name."""
    by_site: dict[str, list[Piece]] = {}
    spectra, extras = False, set[str]()
    for piece in pieces:
        by_site.setdefault(piece.site, []).append(piece)
        for settings in _settings_of(piece):
            spectra |= settings.get("spectra") == "basic"
            extras |= {name for name in EXTRAS if settings.get(name)}
    form = Form(spectra, frozenset(extras))
    of_site: dict[str, dict[str, str]] = {}
    for path, mark in remembered.items():
        of_site.setdefault(path.split("/")[1], {})[path] = mark
    folder = {site: path_of("registers", site, monthly=False).split("/")[1] for site in by_site}
    return [SiteWork(str(place), s, tuple(by_site[s]), form, of_site.get(folder[s], {}), assessment) for s in sorted(by_site)]


def _settings_of(piece: Piece) -> Iterable[Mapping[str, Any]]:
    for scan in piece.recordings:
        for point in scan.points:
            if point.name == piece.point:
                yield point.settings


def _order(piece: Piece) -> tuple[Any, ...]:
    """Point by point, in time; those without a clock last, by name."""
    names = tuple((s.source.name, s.source.member) for s in piece.recordings)
    return piece.device, piece.point, piece.span is None, piece.span or (0, 0), _first(piece), names, piece.key


def _first(piece: Piece) -> int:
    """When what is measured in a piece begins: several of one span, where a scale or a rate changes, follow each other."""
    if piece.span is None:
        return 0
    ends = ((s.start_ns or 0, (s.start_ns or 0) + round(s.duration * 1e9)) for s in piece.recordings)
    return min((max(start, piece.span[0]) for start, stop in ends if stop > piece.span[0]), default=piece.span[0])


def _goes_on(a: Piece, b: Piece) -> bool:
    """Whether a piece of the same point begins where one ends."""
    return a.span is not None and b.span is not None and (a.device, a.point, a.span[1]) == (b.device, b.point, b.span[0])


def _months(piece: Piece) -> list[str | None]:
    """The months of the rows of a piece."""
    if piece.span is None:
        return [None]
    first, last = month_of(piece.span[0]), month_of(max(piece.span[0], piece.span[1] - 1))
    if first == last:
        return [first]
    return [str(m) for m in np.arange(np.datetime64(first, "M"), np.datetime64(last, "M") + 1)]


def _sides(pieces: Iterable[Piece]) -> dict[str, str]:
    """On which side of the transformers the values of a site are; where they are not all on one, each stands as it was recorded."""
    found: dict[str, set[str]] = {kind: set() for kind in "UIP"}
    # recordings that are measured alike share their points
    points = {id(point): point for piece in pieces for scan in piece.recordings for point in scan.points}
    for point in points.values():
        channels = [channel_of(c) for c in point.channels]
        kinds = {c.role[0] for c in channels if c.role} & {"U", "I"}
        sides = on_side(channels, Settings.from_dict(point.settings))[1]
        for kind in (*kinds, *(["P"] if len(kinds) == 2 else [])):
            found[kind].add(sides[kind])
    return {kind: next(iter(sides)) if len(sides) == 1 else "as-recorded" for kind, sides in found.items()}


def _told(piece: Piece) -> list[Any]:
    """Everything of a piece that its rows depend on."""
    scans = [[s.source.name, s.source.member, s.source.size, s.start_ns, s.duration, s.sample_rate, s.format, s.warnings] for s in piece.recordings]
    return [piece.key, clean(piece.device), clean(piece.point), piece.span, scans]


def _digest(*told: Any) -> str:
    import msgspec

    try:
        packed = msgspec.msgpack.encode([_VERSION, *told])
    except UnicodeEncodeError:  # names of files in no known encoding
        packed = repr([_VERSION, *told]).encode("ascii", "backslashreplace")
    return hashlib.blake2b(packed, digest_size=16).hexdigest()


def fold_site(work: SiteWork) -> Folded:
    """Make the files of one site.

    Raises
    ------
    StoreError
        It cannot be written, or a partial is of a newer version; the files of the site are then as they were.
    """
    site = _Site(work)
    if all(fresh(site.root, path, digest, work.remembered) for path, digest in site.digests.items()):
        marks = {path: work.remembered[path] for path in site.digests}
        return Folded(str(site.root), marks, kept=sum(not m.endswith(" -") for m in marks.values()), missing=tuple(site.missing))
    try:
        site.run()
        put(site.partitions)
    finally:
        for partition in site.partitions:
            partition.discard()
    return site.folded()


class _Site:
    """A site on its way into the data set."""

    def __init__(self, work: SiteWork) -> None:
        self.work, self.root = work, Path(work.place) / DATASET
        self.missing: dict[str, None] = {}
        self.partitions: list[Partition] = []
        pieces = []
        for piece in sorted({(p.key, p.device, p.point): p for p in work.pieces}.values(), key=_order):
            if partial_path(work.place, piece.key).exists():
                pieces.append(piece)
            else:
                self.missing[piece.key] = None
        #: By the key of a piece the one that goes on where it ends.
        self._next = {a.key: b for a, b in pairwise(p for p in pieces if not p.overlaps) if _goes_on(a, b)}
        self._torn: set[str | None] = set()
        self._months: dict[str | None, list[Piece]] = {}
        for piece in pieces:
            for month in _months(piece):
                self._months.setdefault(month, []).append(piece)
        ordered = sorted(m for m in self._months if m is not None)
        self._months = {m: self._months[m] for m in (*ordered, *({None} & self._months.keys()))}
        self._starts = {None if s.start_ns is None else month_of(s.start_ns) for p in pieces for s in p.recordings}
        self.sides = _sides(pieces)
        #: Of the inputs of every file that there may be.
        self.digests = self._all_digests()
        self._points: dict[tuple[str, str], _Point] = {}
        self._rows: dict[str | None, list[dict[str, Any]]] = {}

    def _all_digests(self) -> dict[str, str]:
        site, form = self.work.site, [self.work.form.told(), self.sides]
        name = clean(site)
        told = {month: [_told(p) for p in pieces] for month, pieces in self._months.items()}
        found = {}
        for month in told:
            for table in (*MEASURED, "events"):
                lines = told[month] if table != "events" else [told[month], self._after(month)]
                names = schema(table, spectra=self.work.form.spectra, extras=self.work.form.extras).names
                found[path_of(table, site, month)] = _digest(table, form, names, name, lines)
        whole = list(told.values())
        for month in self._starts:
            found[path_of("recordings", site, month)] = _digest("recordings", name, whole)
        if self._months:
            found[path_of("registers", site, monthly=False)] = _digest("registers", name, whole)
            if self.work.assessment is not None:
                options = {k: str(v) for k, v in self.work.assessment.items()}
                found[path_of("en50160", site, monthly=False)] = _digest("en50160", name, options, whole)
        return found

    def _after(self, month: str | None) -> list[str]:
        """Keys of the pieces after a month, which may know how its events end."""
        inside = {p.key for p in self._months[month]}
        keys = []
        for piece in self._months[month]:
            following = self._next.get(piece.key)
            for _ in range(_FAR):
                if following is None or following.key in inside:
                    break
                keys.append(following.key)
                following = self._next.get(following.key)
        return keys

    def _partition(self, table: str, path: str, made: Any, *, whole: bool = True) -> Partition:
        kept = fresh(self.root, path, self.digests[path], self.work.remembered) and whole
        partition = Partition(self.root, path, table, made, kept)
        self.partitions.append(partition)
        return partition

    def run(self) -> None:
        """Make the files, under other names."""
        for month, pieces in self._months.items():
            files = _Month(self, month)
            for name in dict.fromkeys((p.device, p.point) for p in pieces):
                point = self._points.setdefault(name, _Point(self.work.site, *name))
                for piece in pieces:
                    if (piece.device, piece.point) == name:
                        self._take(piece, point, files)
                files.end(point)
            files.finish()
        for point in self._points.values():
            self._keep(point.close(None))
        self._finish_small()

    def _take(self, piece: Piece, point: _Point, files: _Month) -> None:
        content = read_partial(self.work.place, piece.key)
        if content is None:
            self.missing[piece.key] = None
            self._torn.add(files.month)
            return
        content = {**content, "events": [self._ended(event, piece) for event in content["events"]]}
        self._keep(point.close(piece.span))
        taken = point.take(piece, content)
        files.add(piece, content, taken, point)

    def _ended(self, event: Mapping[str, Any], piece: Piece) -> Mapping[str, Any]:
        """An event that runs over the end of its piece, with the end that the pieces after it know."""
        following = self._next.get(piece.key)
        for _ in range(_FAR):
            if event["duration"] is not None or following is None or following.span is None:
                break
            content = read_partial(self.work.place, following.key) or {}
            found = ended(event, following.span[0], content.get("continuing", ()))
            if found is None:
                break
            event = found
            following = self._next.get(following.key)
        return event

    def _keep(self, rows: Iterable[tuple[str | None, dict[str, Any]]]) -> None:
        for month, row in rows:
            self._rows.setdefault(month, []).append(row)

    def _finish_small(self) -> None:
        """The tables of recordings, registers and verdicts."""
        site = self.work.site
        for month in sorted(self._starts, key=str):
            rows = sorted(self._rows.get(month, ()), key=lambda r: (r["device"], r["point"], r["start"] or 0, r["path"], r["member"]))
            partition = self._partition("recordings", path_of("recordings", site, month), recording_schema(self.sides))
            partition.add_dicts(rows)
            partition.finish()
        if not self._months:
            return
        registers = [p.registers.row() for p in self._points.values() if p.parts]
        partition = self._partition("registers", path_of("registers", site, monthly=False), register_schema(self.sides))
        partition.add_dicts(registers)
        partition.finish()
        if self.work.assessment is not None:
            self._judge()

    def _judge(self) -> None:
        path = path_of("en50160", self.work.site, monthly=False)
        partition = self._partition("en50160", path, verdict_schema())
        if partition.kept:
            return
        for point in self._points.values():
            shelf = Shelf()
            try:
                partition.add_dicts(point.judged.rows(shelf, self.work.assessment or {}))
            finally:
                shelf.close()
        partition.finish()

    def folded(self) -> Folded:
        """What was done, after the files have their names."""
        # what lacks a piece that was torn is made again when it is there
        torn = {path_of(t, self.work.site, m) for m in self._torn for t in (*MEASURED, "events")}
        marks = {}
        for partition in self.partitions:
            whole = not self._torn or (partition.path not in torn and partition.table in (*MEASURED, "events"))
            digest = self.digests[partition.path] if whole or partition.kept else "incomplete"
            marks[partition.path] = partition.mark(digest)
        there = [p for p in self.partitions if not marks[p.path].endswith(" -")]
        kept = sum(p.kept for p in there)
        return Folded(str(self.root), marks, len(there) - kept, kept, 0, tuple(self.missing))


class _Point:
    """A measuring point of a site as its pieces come."""

    def __init__(self, site: str, device: str, point: str) -> None:
        self.device, self.point = clean(device), clean(point)
        self.registers, self.judged = Registers(site, device, point), Judged(site, device, point)
        self.parts = 0
        self._site, self._names = site, (device, point)
        self._open: dict[str, RecordingTally] = {}
        self._taken: set[str] = set()

    def take(self, piece: Piece, content: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        """The shares of recordings in a piece, each with the identity of its recording; added up when they come for the first time."""
        scans = {(s.source.name, s.source.member): s for s in piece.recordings}
        shares = []
        for part in content["parts"]:
            name = part["recording"], part.get("member") or ""
            if name not in scans:
                raise ValueError(f"the partial {piece.key} has a share of {name}, which is no recording of its piece")
            shares.append((recording_id(*name, self._names[1]), part, scans[name]))
        if piece.key not in self._taken:
            self._taken.add(piece.key)
            self._add_up(content, shares)
            if shares and not any(part.get("overlaps") for _, part, _ in shares):
                self.judged.begin(content, piece.span)
        return [(identity, part) for identity, part, _ in shares]

    def _add_up(self, content: Mapping[str, Any], shares: Sequence[tuple[str, Mapping[str, Any], Scan]]) -> None:
        owners = owners_of(np.array([e["t"] for e in content["events"]], np.int64), [p for _, p, _ in shares])
        for k, (identity, part, scan) in enumerate(shares):
            self.parts += 1
            if identity not in self._open:
                self._open[identity] = RecordingTally(scan, self._site, *self._names, content)
            events = [str(e["type"]) for e, owner in zip(content["events"], owners, strict=True) if owner == k]
            self._open[identity].add(part, events, _warnings(content, len(shares)))
            self.registers.add(part, scan, identity, content.get("form", {}).get("sides", {}))

    def close(self, span: tuple[int, int] | None) -> list[tuple[str | None, dict[str, Any]]]:
        """Rows of the recordings that have ended before a piece; before the end of all, with None, of all."""
        ended = [i for i, r in self._open.items() if span is None or r.end_ns is None or r.end_ns < span[0]]
        found = [self._open.pop(i) for i in ended]
        return [(r.month, r.row()) for r in found]


def _warnings(content: Mapping[str, Any], shares: int) -> list[str]:
    """What was met in a piece; of several recordings nobody knows which one it is about."""
    said = [str(w) for w in content.get("warnings", ())]
    if shares < 2 or not content.get("span"):
        return said
    start, end = (iso(ns)[:16] for ns in content["span"])
    return [f"{w} (in one of {shares} recordings that were measured as one, {start} to {end} UTC)" for w in said]


def owners_of(t: np.ndarray, parts: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Which recording a row belongs to: in which its interval starts, else the next one, else the last.

    Parameters
    ----------
    t : ndarray of int64, shape (n,)
        Starts of intervals, ns.
    parts : sequence of mapping
        Shares of recordings in the order of time.

    Returns
    -------
    ndarray of int64, shape (n,)
        Places in `parts`.
    """
    if len(parts) < 2 or any(p.get("stop_ns") is None for p in parts):
        return np.zeros(len(t), np.int64)
    stops = np.maximum.accumulate(np.array([p["stop_ns"] for p in parts], np.int64))
    return np.minimum(np.searchsorted(stops, t, side="right"), len(parts) - 1)


class _Month:
    """The files of a month of a site."""

    def __init__(self, site: _Site, month: str | None) -> None:
        self._site, self.month = site, month
        self._files: dict[str, Partition] = {}
        self._form = site.work.form
        #: Rows of `2h` that wait for their Plt, whose they are, and how many of which stretch; and the Pst it is made of.
        self._held, self._owners, self._stretches = Chunks(), list[tuple[str, str, str]](), list[tuple[int, int]]()
        self._pst = Chunks()
        self._sides = site.sides

    def _file(self, table: str) -> Partition:
        if table not in self._files:
            made = row_schema(table, self._form, self._sides)
            self._files[table] = self._site._partition(table, path_of(table, self._site.work.site, self.month), made)
        return self._files[table]

    def add(self, piece: Piece, content: Mapping[str, Any], shares: Sequence[tuple[str, Mapping[str, Any]]], point: _Point) -> None:
        """Append the rows of a piece that are of this month."""
        if not shares:
            return
        owners = [(identity, point.device, point.point) for identity, _ in shares]
        parts = [part for _, part in shares]
        overlapping = any(p.get("overlaps") for p in parts)
        number = -1 if overlapping or piece.span is None else point.judged.stretch
        several = len(_months(piece)) > 1
        for table, rows in content["tables"].items():
            if table not in MEASURED or not len(rows["t"]):
                continue
            if several:
                here = rows["t"].astype("datetime64[ns]").astype("datetime64[M]") == np.datetime64(str(self.month), "M")
                rows = {name: values[here] for name, values in rows.items()}
            codes = owners_of(rows["t"], parts)
            if table == "10min" and not overlapping:
                self._pst.add({n: v for n, v in rows.items() if n == "t" or n.startswith("Pst_")})
            if table == "2h":
                self._held.add({**rows, "owner": codes + len(self._owners)})
                self._owners += owners
                self._stretches.append((number, len(codes)))
            else:
                file = self._file(table)
                start = file.rows
                file.add(rows, owners, codes, self._form, self._sides)
                point.judged.lay(number, table, file, start, file.rows - start)
        self._events(piece, content["events"], owners, parts, several)

    def _events(self, piece: Piece, events: Sequence[Mapping[str, Any]], owners: Sequence[Any], parts: Sequence[Any], several: bool) -> None:
        if not events:
            return
        found = owners_of(np.array([e["t"] for e in events], np.int64), parts)
        rows = [{**e, **dict(zip(OWNERS, owners[k], strict=True))} for e, k in zip(events, found, strict=True)]
        self._file("events").add_dicts([r for r in rows if not several or month_of(r["t"]) == self.month])

    def end(self, point: _Point) -> None:
        """The pieces of a point have come: its two hours can have their Plt."""
        pst, rows = self._pst.take(), self._held.take()
        if rows:
            codes = rows.pop("owner")
            if pst:
                rows = fill_plt(rows, pst.pop("t"), {n.removeprefix("Pst_"): values for n, values in pst.items()})
            file = self._file("2h")
            start = file.rows
            file.add(rows, self._owners, codes, self._form, self._sides)
            for number, n in self._stretches:
                point.judged.lay(number, "2h", file, start, n)
                start += n
        self._owners, self._stretches = [], []

    def finish(self) -> None:
        """Bring the files to the medium; tables without rows have none."""
        for table in (*MEASURED, "events"):
            self._file(table).finish()
