"""The whole of a batch: find, look, plan, measure, fold, sum up. What is done is never done again; what changed is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ..errors import SettingsError
from ..pipeline.describe import SCHEMA_VERSION, digest_of, program
from ..readers import is_url
from ..readers.archives import Limits, scratch
from ..settings import Settings
from . import rules as rules_
from .dataset import DATASET
from .engines import Died, Engine, stop_signals
from .fold import Folded, SiteWork, fold, fold_site
from .manifest import Manifest, State
from .mapping import measure_piece
from .partials import partial_path
from .plan import Plan, name_of, plan
from .pool import open_engine
from .progress import Progress, View
from .rules import Rules
from .scan import scan
from .sources import Found, find
from .work import Outcome, Piece, Point, Scan, Source

__all__ = ["run"]

#: Bytes of the beginning of a file.
_HEAD = 1 << 16

T = TypeVar("T")
Key = tuple[str, str]


def run(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str],
    settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    tables: Sequence[str] | None = None,
    rate: float | None = None,
    shard: tuple[int, int] | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
    limits: Limits | None = None,
    view: View | None = None,
    environment: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> dict[str, Any]:
    """Measure many recordings into one data set.

    Parameters
    ----------
    sources : path, URL or pattern, or several
        Files, folders, archives, patterns such as ``site*/**/*.cfg``, URLs and what lies below them.
    out : path
        Folder of the results. It stands for these sources: what of a former run is no longer among them leaves the data set;
        what lies where nobody could look now, a store without an answer or a folder that is not there, stays.
    settings : Settings, mapping, path of a TOML file, optional
        See `rules.load`.
    jobs : int, optional
        Processes; as many as there are usable cores where not given.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers see `out` under the same name.
    tables : sequence of {"3s", "basic"}, optional
        Tables that are kept beside the others.
    rate : float, optional
        Sample rate of files that do not say it, Hz.
    shard : (int, int), optional
        Measure the k-th of n shares of the work only, and make no data set; a run without it brings them together.
    retry_failed : bool
        Try again what failed before and has not changed.
    dry_run : bool
        Look and plan, but measure nothing and write nothing but what was looked at.
    limits : Limits, optional
        Of archives.
    view : View, optional
        Who shows how far it has come.
    environment, **overrides
        Settings that win over all rules.

    Returns
    -------
    dict
        What `--json` prints: `done`, `failed`, `skipped` (counts), `failures` (`path`, `reason`), `dataset`, `seconds`, `x_real_time`, ...

    Raises
    ------
    InputError
        No recordings at all.
    SettingsError
        Faulty settings; it names every fault.
    StoreError
        `out` cannot be written, is damaged, or another process works on it.
    KeyboardInterrupt
        SIGINT or SIGTERM; what was measured stays, and the same call goes on from there.

    Notes
    -----
    Results are the same for any number of workers, in any order, after any interruption.
    """
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise SettingsError(f"shard: {shard[0]}/{shard[1]}, expected k/n with k from 1 to n")
    scratch()  # where there is none, that is no fault of a recording
    chosen = rules_.load(settings, overrides=overrides, environment=environment, rate=rate, tables=tables)
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    remote = any(is_url(os.fspath(source)) for source in given)
    with stop_signals(), Progress(view) as progress, open_engine(jobs, scheduler, remote) as engine:
        found = _aside(find, given, out=out, limits=limits) if remote else find(given, out=out, limits=limits)
        with Manifest(out, shard) as manifest:
            batch = _Batch(Path(out).absolute(), chosen, engine, manifest, progress, found, limits)
            return batch.run(shard, retry_failed=retry_failed, dry_run=dry_run)


def _aside(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """What a function gives, called in another thread: one that waits for a server hears no signal."""
    answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def call() -> None:
        try:
            answers.put((function(*arguments, **options), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    while True:
        # a signal that comes just before the wait does not end it
        with contextlib.suppress(Empty):
            result, error = answers.get(timeout=0.2)
            break
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


class _Batch:
    """One run over the sources."""

    def __init__(self, out: Path, rules: Rules, engine: Engine, manifest: Manifest, progress: Progress, found: Found, limits: Limits | None) -> None:
        self._out, self._rules, self._engine, self._limits = out, rules, engine, limits
        self._manifest, self._progress, self._found = manifest, progress, found
        self._begun = time.perf_counter()
        self._scans: dict[Key, Scan] = {}
        #: Sources with which nothing is left to be done, and why they failed or were passed over.
        self._ended: dict[Key, tuple[State, str]] = {}
        self._measured_s = 0.0
        self._told: set[Key] = set()
        #: Of the rules what a look at a source depends on.
        self._manner = repr(replace(rules, tables=(), assessment={}))
        self._points: dict[str, Point] = {}
        #: Recordings that were measured once and are no longer found.
        self._gone = 0
        #: Whether the data set is that of a former run.
        self._stays = False

    def run(self, shard: tuple[int, int] | None, *, retry_failed: bool, dry_run: bool) -> dict[str, Any]:
        kept = self._kept()
        sources = [*self._found.sources, *(s.source for s in kept)]
        self._progress.start(len(sources), sum(s.size for s in sources), self._engine.jobs)
        if retry_failed:
            self._manifest.retry()
        self._look(sources, {(s.source.name, s.source.member): s for s in kept}, dry_run=dry_run)
        self._pass_over_copies()
        made = self._planned()
        waiting = self._waiting(made, shard)
        self._progress.plan(len(waiting), sum(p.seconds for p in waiting), len(made.pieces) - len(waiting))
        if dry_run:
            return self._told_dry(made, waiting)
        made = self._measured(made, shard)
        self._note_done(made, shard)
        self._manifest.set_meta(**program())
        self._manifest.flush()
        folded = None if shard is not None else self._fold(made)
        self._progress.finished()
        told = self._summed_up(made, folded)
        return told if shard is None else {**told, "shard": f"{shard[0]}/{shard[1]}"}

    # ---- looking

    def _identity(self, source: Source) -> str:
        """Digest of all that a scan depends on."""
        told = [program()["version"], [[size, version] for _, size, version in source.parts], source.name, source.member, self._manner]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def _kept(self) -> list[Scan]:
        """What was looked at before and lies where nobody could look now: a store without an answer takes nothing out of the data set."""
        if not self._found.unseen:
            return []
        there = {(s.name, s.member) for s in self._found.sources}
        return [s for s in self._manifest.scans() if (s.source.name, s.source.member) not in there and self._found.hides(s.source.uri)]

    def _look(self, sources: Sequence[Source], kept: Mapping[Key, Scan], *, dry_run: bool) -> None:
        """Scans of all sources, those remembered and new ones."""
        before = {(e.name, e.member): e for e in self._manifest.entries()}
        new: list[Source] = []
        for source in sources:
            key = (source.name, source.member)
            remembered = kept.get(key) or (self._manifest.scan(source, self._identity(source)) if key in before else None)
            if remembered is None:
                new.append(source)
                continue
            self._scans[key] = self._shared(remembered)
            state, reason = before[key].state, before[key].reason
            # one that was passed over beside another may stand alone now
            if state in ("failed", "quarantined") or remembered.skipped:
                self._end(remembered, state, reason, write=False)
        self._progress.remembered(len(sources) - len(new))
        for source, seen in self._engine.map(scan, new, self._rules, self._limits):
            self._progress.look(source)
            found = Scan(source, failure=f"reading it {seen.reason}") if isinstance(seen, Died) else seen
            self._scans[source.name, source.member] = self._shared(found)
            if not found.passing:
                self._manifest.remember(found, self._identity(source))
            if isinstance(seen, Died):
                self._end(found, "quarantined", found.failure)
            elif found.failure or found.skipped:
                self._end(found, "skipped" if found.skipped else "failed", found.failure, write=False)
        gone = [key for key in before if key not in self._scans]
        self._gone = sum(before[key].state == "done" for key in gone)
        if not dry_run:
            self._manifest.forget(gone)
        self._manifest.flush()

    def _pass_over_copies(self) -> None:
        """Without a clock the same bytes at one place count once too; those with one lie in each other's time, which the plan tells."""
        alike: dict[Any, list[Scan]] = {}
        for seen in sorted(self._scans.values(), key=name_of):
            if seen.start_ns is None and not self._has_ended(seen) and _is_plain(seen):
                sizes = tuple(size for _, size, _ in seen.source.parts)
                alike.setdefault((seen.site, seen.device, _points(seen), sizes), []).append(seen)
        # to read all of a file is for those that begin alike
        for head in (True, False):
            marked: dict[Any, list[Scan]] = {}
            for key, group in alike.items():
                for seen in group if len(group) > 1 else ():
                    with contextlib.suppress(OSError):
                        marked.setdefault((key, _mark(seen, head)), []).append(seen)
            alike = marked
        for first, *others in alike.values():
            for seen in others:
                self._end(seen, "skipped", f"the same as {name_of(first)}")

    def _shared(self, seen: Scan) -> Scan:
        """A scan that shares its points with those that are measured alike: a fleet's hundred thousand recordings have a few kinds of them."""
        return replace(seen, points=tuple(self._points.setdefault(repr(point), point) for point in seen.points))

    def _end(self, seen: Scan, state: State, reason: str = "", *, write: bool = True) -> None:
        """Nothing is left to be done with a source."""
        key = (seen.source.name, seen.source.member)
        self._ended[key] = (state, reason)
        if write:
            self._manifest.mark([seen.source], state, reason)
        if key not in self._told and state != "waiting":
            self._told.add(key)
            self._progress.recording(seen.source, state, reason)

    # ---- planning

    def _planned(self) -> Plan:
        """The plan for what has not failed; of recordings that are there twice one is passed over."""
        while True:
            left = [s for s in self._scans.values() if not self._has_ended(s)]
            made = plan(sorted(left, key=name_of), self._rules.tables)
            by_name = {name_of(s): s for s in left}
            twice = [(by_name[a], b) for a, b in made.overlapping.items() if _same(by_name[a], by_name[b])]
            if not twice:
                return made
            for seen, other in twice:
                self._end(seen, "skipped", f"the same as {other}")

    def _waiting(self, made: Plan, shard: tuple[int, int] | None) -> list[Piece]:
        """Pieces that have no partial result yet, of a share of them."""
        mine = [p for p in made.pieces if shard is None or int(p.key[:15], 16) % shard[1] == shard[0] - 1]
        return [p for p in mine if not partial_path(self._out, p.key).exists()]

    # ---- measuring

    def _measured(self, made: Plan, shard: tuple[int, int] | None) -> Plan:
        """Measure what has no result yet; gives the plan of what has not failed."""
        while waiting := self._waiting(made, shard):
            self._measure(waiting)
            # without what failed there are other pieces in its place
            made = self._planned()
        return made

    def _measure(self, pieces: Sequence[Piece]) -> None:
        """Measure pieces; what fails is noted."""
        died = []
        for piece, outcome in self._on_engine(pieces):
            if isinstance(outcome, Died):
                died.append((piece, outcome))
            else:
                self._outcome(piece, outcome)
        for piece, end in died:
            self._blame(piece, end)
        self._manifest.flush()

    def _on_engine(self, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, Outcome | Died]]:
        return self._engine.map(measure_piece, pieces, str(self._out), self._rules.tables, self._limits)

    def _blame(self, piece: Piece, end: Died) -> None:
        """Quarantine the recording of a piece that ends its worker on its own too; where none does, all of them."""
        if any(self._has_ended(seen) for seen in piece.recordings):
            return  # the next plan goes without it
        culprits = list(self._inside(piece))
        if len(piece.recordings) > 1:
            alone = {p.key: (p, seen) for seen in piece.recordings for p in plan([seen], self._rules.tables).pieces}
            ends = {p.key for p, outcome in self._on_engine([p for p, _ in alone.values()]) if isinstance(outcome, Died)}
            culprits = [seen for p, seen in alone.values() if p.key in ends] or culprits
        for seen in culprits:
            self._fail(seen, "quarantined", f"measuring it {end.reason}")

    def _outcome(self, piece: Piece, outcome: Outcome) -> None:
        by_name = {name_of(s): s for s in piece.recordings}
        for name, why in outcome.failed:
            self._fail(by_name[name], "failed", why, write=not outcome.passing)
        if not outcome.failed:
            self._measured_s += piece.seconds
            self._progress.piece(piece, outcome.samples, outcome.seconds)

    def _fail(self, seen: Scan, state: State, reason: str, *, write: bool = True) -> None:
        if not self._has_ended(seen):
            self._end(seen, state, reason, write=write)

    def _has_ended(self, seen: Scan) -> bool:
        """Whether a recording failed or is passed over."""
        return self._ended.get((seen.source.name, seen.source.member), ("done", ""))[0] != "done"

    @staticmethod
    def _inside(piece: Piece) -> Iterator[Scan]:
        """The recordings that a piece has shares of."""
        for seen in piece.recordings:
            start = seen.start_ns or 0
            if piece.span is None or (start < piece.span[1] and start + round(seen.duration * 1e9) > piece.span[0]):
                yield seen

    def _note_done(self, made: Plan, shard: tuple[int, int] | None) -> None:
        """Recordings all of whose pieces have a result are done."""
        short = {name_of(s) for p in self._absent(made, shard) for s in self._inside(p)}
        for key, seen in self._scans.items():
            if not self._has_ended(seen) and name_of(seen) not in short:
                self._end(seen, "done", write=self._state(key) != "done")

    def _state(self, key: Key) -> State | None:
        if not hasattr(self, "_before"):
            self._before = {(e.name, e.member): e.state for e in self._manifest.entries()}
        return self._before.get(key)

    def _absent(self, made: Plan, shard: tuple[int, int] | None) -> list[Piece]:
        return [] if shard is None else [p for p in made.pieces if not partial_path(self._out, p.key).exists()]

    # ---- folding

    def _fold(self, made: Plan) -> Folded:
        """Make the data set; pieces whose partial was torn are measured again."""
        if not made.pieces and not self._gone and self._manifest.folds():
            # all is still there and nothing can be measured, a wrong setting more likely than not: what was made of it stays
            self._stays = True
            return Folded(str(self._out / DATASET))
        folded = self._folded(made)
        if folded.missing:
            for key in folded.missing:
                partial_path(self._out, key).unlink(missing_ok=True)
            made = self._measured(made, None)
            folded = self._folded(made)
        self._manifest.set_folds(folded.partitions)
        self._manifest.flush()
        self._tidy({p.key for p in made.pieces})
        return folded

    def _folded(self, made: Plan) -> Folded:
        return fold(self._out, made.pieces, remembered=self._manifest.folds(), assessment=self._rules.assessment, run=self._each)

    def _each(self, function: Callable[[SiteWork], Folded], works: Iterable[SiteWork]) -> Iterable[Folded]:
        """Fold the sites, wherever the engine does."""
        given = list(works)
        place = {w.site: k for k, w in enumerate(given)}
        done: dict[int, Folded] = {}
        for work, site in self._engine.map(function, given):
            # a fold that ends its worker must not end the batch: once more, here
            result = fold_site(work) if isinstance(site, Died) else site
            done[place[work.site]] = result
            self._progress.fold(work.site, result.written, len(given))
        return [done[k] for k in sorted(done)]

    def _tidy(self, keys: set[str]) -> None:
        """Remove partial results that nothing stands for any more."""
        for path in (self._out / "work").glob("??/*"):
            if path.stem not in keys and path.suffix in (".part", ".tmp"):
                path.unlink(missing_ok=True)

    # ---- summing up

    def _summed_up(self, made: Plan, folded: Folded | None) -> dict[str, Any]:
        failures = [{"path": name, "reason": why} for name, why in self._found.failures]
        failures += [
            {"path": name_of(self._scans[k]), "reason": why} for k, (state, why) in self._ended.items() if state in ("failed", "quarantined")
        ]
        skipped = [{"path": name, "reason": why} for name, why in self._found.skipped]
        skipped += [{"path": name_of(self._scans[k]), "reason": why} for k, (state, why) in self._ended.items() if state == "skipped"]
        seconds = time.perf_counter() - self._begun
        facts = {
            "done": sum(state == "done" for state, _ in self._ended.values()),
            "failures": sorted(failures, key=lambda f: f["path"]),
            "skipped": sorted(skipped, key=lambda f: f["path"]),
            "quarantined": sorted(name_of(self._scans[k]) for k, (state, _) in self._ended.items() if state == "quarantined"),
            "gone": self._gone,
            "warnings": self._warnings(),
            "seconds": seconds,
            "x_real_time": self._measured_s / seconds if seconds > 0 else None,
        }
        from .summary import write_summary  # pages and their charts are wanted once, at the end

        return write_summary(self._out, facts, folded)

    def _warnings(self) -> list[str]:
        """Rules that are for nobody, and a data set that is not of this run."""
        idle = self._rules.idle([seen.source.name for seen in self._scans.values()])
        return [*idle, *(["nothing could be measured: the data set stays as it was"] if self._stays else [])]

    def _told_dry(self, made: Plan, waiting: Sequence[Piece]) -> dict[str, Any]:
        """What would be done."""
        held = {name_of(s) for p in waiting for s in self._inside(p)}
        failed = sum(state in ("failed", "quarantined") for state, _ in self._ended.values())
        self._progress.finished()
        return {
            "schema_version": SCHEMA_VERSION,
            "program": program(),
            "dry_run": True,
            "sources": len(self._found.sources),
            "failed": failed + len(self._found.failures),
            "gone": self._gone,
            "warnings": self._warnings(),
            "to_measure": len(held),
            "pieces": len(waiting),
            "pieces_there": len(made.pieces) - len(waiting),
            "recording_s": sum(p.seconds for p in waiting),
        }


def _same(a: Scan, b: Scan) -> bool:
    """Whether two recordings of one time are the same bytes."""
    one, other = a.source, b.source
    if (a.start_ns, a.duration) != (b.start_ns, b.duration) or sorted(n for _, n, _ in one.parts) != sorted(n for _, n, _ in other.parts):
        return False
    if not (_is_plain(a) and _is_plain(b) and _points(a) <= _points(b)):
        return False
    return _mark(a) == _mark(b)


def _is_plain(seen: Scan) -> bool:
    """Whether it consists of local files."""
    return not seen.source.member and not any("://" in uri for uri, _, _ in seen.source.parts)


def _points(seen: Scan) -> frozenset[str]:
    return frozenset(point.name for point in seen.points)


def _mark(seen: Scan, head: bool = False) -> str:
    """Digest of the files of a recording, or of where they begin."""
    paths = [Path(uri) for uri, _, _ in seen.source.parts]
    if not head:
        return digest_of(paths)
    found = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            found.update(file.read(_HEAD))
    return found.hexdigest()
