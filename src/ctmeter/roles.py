"""Which part each channel plays: by the user's map, else by what the file says of it.

Rules, in this order
--------------------
1. **Unit.** Only channels in V or A (also written volt, ampere, kV, mA ...) can play a part. What is not a
   waveform never does: names with MAG, ANGLE, RMS, DIFF, BIAS, FREQ, THD and the like (`NOT_WAVEFORMS`).
2. **Exact names.** Channels named like a role (`U_L1`, `I_N`) play it, and then no other channel of that kind
   (voltage or current) is looked at.
3. **Phase in the name.** A word made of U, V or I, perhaps an L, and a phase: `UA Ua VA V1 UL1 ULA ILA IR Van V1N`;
   a pair for line-to-line voltages: `Uab U12 UL12 VRS`, where a reversed pair (`U21 U32 U13`) turns the channel round.
   Phases are A B C, 1 2 3, L1 L2 L3 or, only where all three of them stand together, R S T and U V W.
   A kind and a phase may also be words of their own: `U_L1`, `Voltage A`, `Phase B current`.
4. **Phase column.** Where the name carries none, the file's phase text counts if it is a letter A B C or L1 L2 L3;
   bare digits in it do not, since devices put terminal numbers there.
5. **Neutral.** `UN VN`, or U or V with phase text N: U_N. `IN`, or I with phase text N: I_N. Not taken are the residual sums
   `3U0 3V0 Uo Vo U0` and `3I0 Io I0` (I_N comes from the phase currents where it is not measured), the ground current `IG IE`
   (another transformer), and fourth inputs `U4 V4 I4` (auxiliary on many meters: on a real one with 42 A in the neutral, I4 has 1.5 A).
6. **Sets.** Channels are grouped by the rest of their name (bay, bus, equipment). If no two channels of a kind share it,
   numbers in it are running numbers and are left out (`F1-IA`, `F2-IB`); failing that, one of each phase is one set.
   Digits 1, 2 beside a whole A B C set are sequence components. Beside all three phase voltages, line-to-line voltages
   of the same set play no part.
7. **Choice.** One set of voltages and one of currents are taken. Where there are several, the only one with all three phases
   is taken; else the only one whose first word is that of the single set of the other kind. Both are said. Anything else
   is ambiguous: nothing of that kind is assigned, and the text names the candidates and the map to give.
8. A recording whose only voltage and only current carry no phase at all is single-phase: U_L1, I_L1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from .errors import SettingsError
from .recording import CURRENTS, LINE_VOLTAGES, REVERSED, ROLES, VOLTAGES, Channel, Recording

__all__ = ["Assignment", "apply", "assign", "guess_unit", "resolve", "unit"]

#: Words that mark measured or derived values, never waveforms.
NOT_WAVEFORMS = frozenset(
    {
        "MAG",
        "MAGNITUDE",
        "ANG",
        "ANGLE",
        "DEG",
        "RMS",
        "EFF",
        "AVG",
        "MEAN",
        "MAX",
        "MIN",
        "PEAK",
        "THD",
        "HARM",
        "FREQ",
        "FREQUENCY",
    }
    | {"DIFF", "DIF", "DIFFERENTIAL", "BIAS", "RESTRAINT", "SEQ", "POS", "NEG", "ZERO", "RESIDUAL"}
)
#: The same in names without word boundaries: differential, zero-sequence, root mean square.
NOT_WAVEFORMS_CJK = ("差流", "差动", "零序", "有效值")

_KIND_WORDS = {
    **dict.fromkeys(("U", "V", "VOLTAGE", "VOLTAGES", "VOLT", "VOLTS", "SPANNUNG", "SPÆNDING", "TENSION", "电压"), "V"),
    **dict.fromkeys(("I", "CURRENT", "CURRENTS", "AMP", "AMPS", "STROM", "STRØM", "COURANT", "电流"), "A"),
}
_UNIT_WORDS = frozenset({"V", "A", "KV", "MV", "KA", "MA", "VOLT", "VOLTS", "AMPERE"})
_PREFIX = {"": 1.0, "k": 1e3, "K": 1e3, "m": 1e-3, "M": 1e6, "u": 1e-6, "µ": 1e-6, "μ": 1e-6}
_UNIT = re.compile(r"(?P<prefix>[kKmMuµμ]?)(?P<base>V|A|v|a|volts?|amperes?|amps?)(?:ac|AC|rms)?$")
_UNIT_LONG = {"volt": "V", "volts": "V", "ampere": "A", "amperes": "A", "amp": "A", "amps": "A", "v": "V", "a": "A"}

_LETTERS = {
    "123": {"1": 1, "2": 2, "3": 3},
    "ABC": {"A": 1, "B": 2, "C": 3},
    "RST": {"R": 1, "S": 2, "T": 3},
    "UVW": {"U": 1, "V": 2, "W": 3},
}
_PHASES = "[ABCabc123RSTUVW]"
#: A digit behind a letter is no second phase but a running number: Va1.
_SECOND = rf"(?<=[123]){_PHASES}|(?<=[A-Za-z])[ABCabcRSTUVW]|[NnGg0]"
_QUANTITY = re.compile(rf"(?P<q>[UVIuvi])(?P<l>[Ll]?)(?P<p>{_PHASES}|[Nn])(?P<second>{_SECOND})?(?P<tail>(?<=\D)\d+)?$")
_PHASE = re.compile(rf"(?P<l>[Ll]?)(?P<p>{_PHASES}|[Nn])(?P<second>{_PHASES}|[Nn])?$")
_WORDS = re.compile(r"[A-Za-zÆØæø0-9]+|[^\W\d_a-zA-Z]+")
_PAIRS = {
    (1, 2): ("U_L12", 1),
    (2, 3): ("U_L23", 1),
    (3, 1): ("U_L31", 1),
    (2, 1): ("U_L12", -1),
    (3, 2): ("U_L23", -1),
    (1, 3): ("U_L31", -1),
}
_NAMED_AT_MOST = 12
_NO_VOLTAGE = "currents only: there is no voltage, and so no power, no energy and no events"


class Assignment(NamedTuple):
    """What `resolve` found.

    Parameters
    ----------
    channels : tuple of Channel
        With their roles; units V and A with the prefix moved into the scale.
    unresolved : str
        Which roles are ambiguous, their candidates and the map to give; "" where none is.
    notes : tuple of str
        What was chosen by rule 7 or 8, or overruled, for the recording's warnings.
    """

    channels: tuple[Channel, ...]
    unresolved: str
    notes: tuple[str, ...]


class _Candidate(NamedTuple):
    column: int
    role: str
    sign: int
    system: str
    text: str


def unit(text: str) -> tuple[str, float]:
    """A unit as written in the field, and the factor to V or A.

    Returns
    -------
    tuple of (str, float)
        ("V", factor) or ("A", factor); any other unit comes back as it is with factor 1.

    Examples
    --------
    >>> unit("kV"), unit("ampere"), unit("deg")
    (('V', 1000.0), ('A', 1.0), ('deg', 1.0))
    """
    text = text.strip()
    match = _UNIT.match(text) or _UNIT.match(text.lower() if len(text) > 2 else text)
    if match is None:
        return text, 1.0
    base = match["base"]
    return _UNIT_LONG.get(base.lower(), base), _PREFIX[match["prefix"]]


def guess_unit(name: str) -> str:
    """ "V" or "A" by the name alone, for formats without units; "" where it does not say."""
    words = _words(name)
    if _excluded(name, words):
        return ""
    for word in reversed(words):
        match = _quantity(word)
        if match:
            return "A" if match["q"] in "Ii" else "V"
    kinds = {_KIND_WORDS[w.upper()] for w in words if w.upper() in _KIND_WORDS}
    return kinds.pop() if len(kinds) == 1 else ""


def assign(channels: Sequence[Channel], map: Mapping[str, str] | None = None) -> tuple[tuple[Channel, ...], str]:
    """Channels with their roles, and why roles are missing: `resolve` without its notes."""
    return resolve(channels, map)[:2]


def resolve(channels: Sequence[Channel], map: Mapping[str, str] | None = None) -> Assignment:
    """Give channels their roles by the rules of this module.

    Parameters
    ----------
    channels : sequence of Channel
    map : mapping of role to channel, optional
        Channel by name, or `#n` for the n-th counted from 1; a leading minus turns it round. Then
        only the mapped roles play.

    Returns
    -------
    Assignment

    Raises
    ------
    SettingsError
        The map names roles or channels that do not exist, or units that contradict; every fault at once.
    """
    plain = [_in_base_unit(c) for c in channels]
    if map:
        return _mapped(plain, map)
    if not plain:
        return Assignment((), "the recording has no analog channels", ())
    roles: dict[int, tuple[str, int]] = {}
    problems: list[str] = []
    notes: list[str] = []
    sets = {kind: _sets(plain, kind, notes) for kind in "VA"}
    ambiguous = []
    for kind, other in (("V", "A"), ("A", "V")):
        chosen = _choose(kind, sets[kind], sets[other], notes)
        if not sets[kind]:
            _unrecognised(kind, plain, notes if sets[other] else [])
        if chosen is None:
            ambiguous.append(kind)
        else:
            roles |= {c.column: (c.role, c.sign) for c in chosen}
    problems += [_ambiguity(kind, sets[kind], plain, roles) for kind in ambiguous]
    if not roles and not problems:
        single = _single_phase(plain, notes)
        roles |= single
        if not single:
            problems.append(_nothing(plain))
    return Assignment(_played(plain, roles), "; ".join(problems), tuple(notes))


def apply(recording: Recording, map: Mapping[str, str] | None = None) -> Recording:
    """The recording with its roles, what is ambiguous, and the notes among its warnings.

    May be called again with another map: it always starts from the channels as they were read.

    Raises
    ------
    SettingsError
        As `resolve`.
    """
    as_read = recording.metadata.setdefault("channels_as_read", recording.channels)
    given = resolve(as_read, map)
    recording.warnings.extend(n for n in given.notes if n not in recording.warnings)
    played = {c.role[0] for c in given.channels if c.role}
    if played == {"I"} and _NO_VOLTAGE not in recording.warnings:
        recording.warnings.append(_NO_VOLTAGE)
    return recording.with_channels(given.channels, given.unresolved)


def _in_base_unit(channel: Channel) -> Channel:
    base, factor = unit(channel.unit)
    if base == channel.unit:
        return channel
    return replace(channel, unit=base, scale=channel.scale * factor, offset=channel.offset * factor)


def _played(channels: Sequence[Channel], roles: Mapping[int, tuple[str, int]]) -> tuple[Channel, ...]:
    out = []
    for k, channel in enumerate(channels):
        if k in roles:
            role, sign = roles[k]
            base = "V" if role[0] == "U" else "A"
            out.append(replace(channel, role=role, unit=base, scale=sign * channel.scale, offset=sign * channel.offset + 0.0))
        else:
            # an empty role stays empty, while None would be filled again from a name that is a role
            out.append(replace(channel, role="" if channel.name in ROLES else None))
    return tuple(out)


# The map


def _mapped(channels: Sequence[Channel], map: Mapping[str, str]) -> Assignment:
    faults: list[str] = []
    notes: list[str] = []
    roles: dict[int, tuple[str, int]] = {}
    for name, wanted in map.items():
        role = REVERSED.get(name, name)
        if role not in ROLES:
            faults.append(f"map: unknown role {role!r}, expected one of {', '.join(ROLES)}")
            continue
        if role != name and role in map:
            faults.append(f"map: {name} and {role} are the same voltage")
            continue
        sign, index = _find(channels, str(wanted))
        if isinstance(index, str):
            faults.append(f"map: {role}={wanted}: {index}")
            continue
        base = "V" if role[0] == "U" else "A"
        found = channels[index]
        if index in roles:
            faults.append(f"map: {role}={wanted}: that channel already plays {roles[index][0]}")
        elif found.unit not in (base, "", "1", "one", "-"):
            faults.append(f"map: {role}={wanted}: that channel is in {found.unit}, not in {base}")
        else:
            if found.unit != base:
                notes.append(f"channel {found.name!r} has no unit; taken as {base} by the map")
            roles[index] = (role, sign if role == name else -sign)
    if faults:
        if any("no channel" in f for f in faults):
            faults.append("map: the channels are " + _listed(_label(channels, k) for k in range(len(channels))))
        raise SettingsError(faults)
    return Assignment(_played(channels, roles), "", tuple(notes))


def _find(channels: Sequence[Channel], wanted: str) -> tuple[int, int | str]:
    """Sign and position of a channel, or why there is none."""
    names = [c.name for c in channels]
    folded = [" ".join(n.split()).casefold() for n in names]
    for sign, text in ((1, wanted.strip()), (-1, wanted.strip()[1:] if wanted.strip().startswith("-") else "")):
        if not text:
            continue
        number = re.fullmatch(r"#(\d{1,6})", text)
        if number and 1 <= int(number[1]) <= len(names):
            return sign, int(number[1]) - 1
        for pool, key in ((names, text), (folded, " ".join(text.split()).casefold())):
            hits = [k for k, n in enumerate(pool) if n == key]
            if len(hits) > 1:
                return sign, f"{len(hits)} channels have that name, say {' or '.join(f'#{k + 1}' for k in hits[:4])}"
            if hits:
                return sign, hits[0]
    return 1, "no channel of that name"


def _label(channels: Sequence[Channel], index: int) -> str:
    """How the map names a channel: by its name, or by number where the name would not be understood."""
    name = channels[index].name
    plain = name and name == name.strip() and not name.startswith(("-", "#")) and not set(name) & set(",='\"")
    return name if plain and sum(c.name == name for c in channels) == 1 else f"#{index + 1}"


def _listed(items: Iterable[str]) -> str:
    names = list(items)
    more = len(names) - 4 * _NAMED_AT_MOST
    return ", ".join(names[: 4 * _NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


# Names


def _words(name: str) -> list[str]:
    return _WORDS.findall(name)


def _excluded(name: str, words: Iterable[str]) -> bool:
    return any(w.upper() in NOT_WAVEFORMS for w in words) or any(w in name for w in NOT_WAVEFORMS_CJK)


def _quantity(word: str) -> re.Match[str] | None:
    """A word such as UA, Uab, ILA, V1, or None."""
    match = _QUANTITY.match(word)
    if match is None:
        return None
    if match["p"] in "RSTUVW" and (match["q"].islower() or (match["second"] or "R") not in "RSTUVWN0G"):
        return None
    return match


def _placed(q: str, match: re.Match[str]) -> tuple[str, int, str] | None:
    """Role, sign and phase system of a matched phase text, or None where it is no phase."""
    first, second = match["p"].upper(), (match["second"] or "").upper()
    if first == "N":
        return None if second else (f"{q}_N", 1, "")
    system = next(s for s, letters in _LETTERS.items() if first in letters)
    number = _LETTERS[system][first]
    if second and second not in "NG0":
        if q == "I" or second not in _LETTERS[system] or second == first:
            return None
        role, sign = _PAIRS[number, _LETTERS[system][second]]
        return role, sign, system
    return f"{q}_L{number}", 1, system


def _candidate(column: int, channel: Channel) -> _Candidate | None:
    q = channel.kind
    words = _words(channel.name)
    if not q or _excluded(channel.name, words):
        return None
    named = [k for k, w in enumerate(words) if (m := _quantity(w)) and ("I" if m["q"] in "Ii" else "U") == q]
    if named:
        return _by_word(column, q, words, named)
    for k, word in enumerate(words):
        if _KIND_WORDS.get(word.upper()) == channel.unit:
            near = [k + 1, k - 1]
            near += [n for n, between in ((k + 2, k + 1), (k - 2, k - 1)) if 0 <= between < len(words) and words[between].upper() == "PHASE"]
            for at in near:
                match = _PHASE.match(words[at]) if 0 <= at < len(words) else None
                if match and (placed := _placed(q, match)):
                    rest = [w for n, w in enumerate(words) if n not in (k, at)]
                    if q == "U" and at > k and at + 1 < len(words) and placed[0] in VOLTAGES[:3]:
                        placed, rest = _other_end(placed, words, at, rest)
                        rest = [w for w in rest if w != word]
                    return _made(column, placed, [w for w in rest if w.upper() != "PHASE"])
    return _by_phase_text(column, channel, q, words)


def _by_word(column: int, q: str, words: list[str], named: list[int]) -> _Candidate | None:
    """Rule 3, a word such as UA; `named` are the positions of such words."""
    k = named[-1]
    match = _quantity(words[k])
    placed = _placed(q, match) if match else None
    if match is None or placed is None:
        return None
    rest = [*words[:k], match["tail"] or "", *words[k + 1 :]]
    if k - 1 in named:
        # Ua - Ub: the voltage between two words
        before = _quantity(words[k - 1])
        first = _placed(q, before) if before else None
        pair = _PAIRS.get((int(first[0][-1]), int(placed[0][-1]))) if first and {first[0], placed[0]} <= set(VOLTAGES[:3]) else None
        return _made(column, (*pair, placed[2]), [*words[: k - 1], *words[k + 1 :]]) if pair else None
    if q == "U" and k + 1 < len(words) and placed[0] in VOLTAGES[:3]:
        placed, rest = _other_end(placed, words, k, rest)
    return _made(column, placed, rest)


def _other_end(placed: tuple[str, int, str], words: list[str], k: int, rest: list[str]) -> tuple[tuple[str, int, str], list[str]]:
    other = _PHASE.match(words[k + 1])
    if other is None or other["second"]:
        return placed, rest
    end = _placed("U", other)
    if end is None or (end[2] != placed[2] and end[0] != "U_N") or (other["p"] in "123" and not other["l"]):
        return placed, rest
    rest = [*words[:k], *words[k + 2 :]]
    if end[0] == "U_N":
        return placed, rest
    pair = _PAIRS.get((int(placed[0][-1]), int(end[0][-1])))
    return ((*pair, placed[2]) if pair else placed), rest


def _by_phase_text(column: int, channel: Channel, q: str, words: list[str]) -> _Candidate | None:
    """Rule 4: the name carries no phase; also L1, A or the like as a lone word of the name."""
    if any(re.fullmatch(r"3?[UVIuvi][A-Za-z0-9]", w) for w in words):
        return None  # Ux, Vo, 3I0, I4: a subscript that is no phase
    text = channel.phase.strip()
    lone = [w for w in words if re.fullmatch(r"[ABC]|[Ll][123]", w)]
    match = _PHASE.match(text)
    if match is None or text.isdigit() or (match["p"] in "RSTUVW" and match["second"]):
        if len(set(lone)) != 1:
            return None
        match = _PHASE.match(lone[0])
    placed = _placed(q, match) if match else None
    if placed is None:
        return None
    rest = list(words)
    for word in reversed(words):
        if word.upper() in (text.upper(), *(w.upper() for w in lone[-1:])):
            rest.reverse()
            rest.remove(word)
            rest.reverse()
            break
    return _made(column, placed, rest)


def _made(column: int, placed: tuple[str, int, str] | None, rest: Iterable[str]) -> _Candidate | None:
    if placed is None:
        return None
    words = [w for w in rest if w]
    while words and words[-1].upper() in _UNIT_WORDS | set(_KIND_WORDS):
        words.pop()
    return _Candidate(column, *placed, " ".join(words))


# Sets


def _sets(channels: Sequence[Channel], kind: str, notes: list[str]) -> dict[str, list[_Candidate]]:
    """Candidates of a kind ("V" or "A") by their text; only texts with at least one phase."""
    roles = VOLTAGES + LINE_VOLTAGES if kind == "V" else CURRENTS
    exact = [_Candidate(k, c.name, 1, "exact", "") for k, c in enumerate(channels) if c.name in roles and c.unit == kind]
    if exact:
        return {"": kept} if (kept := _cleaned(exact)) else {}
    found = [c for k, channel in enumerate(channels) if channel.unit == kind and (c := _candidate(k, channel))]
    for c in found:
        own = channels[c.column].phase.strip().upper()
        if c.system == "ABC" and own in _LETTERS["ABC"] and c.role[-2:] in ("L1", "L2", "L3") and f"L{_LETTERS['ABC'][own]}" != c.role[-2:]:
            notes.append(f"channel {channels[c.column].name!r} has the phase text {own}; its name is followed")
    grouped = _grouped(found)
    phases = [c for c in found if not c.role.endswith("_N")]
    if len(phases) > 1 and len({c.text for c in phases}) == len(phases):
        merged = _grouped([c._replace(text=" ".join(re.sub(r"\d+", " ", c.text).split())) for c in found])
        if any(len({c.role for c in group}) > 1 for group in merged.values()):
            grouped = merged
        elif len({c.role for c in phases}) == len(phases) and _whole(phases):
            grouped = {"": found}
    return {text: kept for text, group in grouped.items() if (kept := _cleaned(group))}


def _grouped(found: Iterable[_Candidate]) -> dict[str, list[_Candidate]]:
    groups: dict[str, list[_Candidate]] = {}
    for c in found:
        groups.setdefault(c.text, []).append(c)
    return groups


def _cleaned(group: list[_Candidate]) -> list[_Candidate]:
    """Rule 6 within one set; empty where nothing but a neutral is left."""

    def letters(system: str) -> set[str]:
        return {c.role for c in group if c.system == system}

    star = {f"_L{n}" for n in (1, 2, 3)}
    for system in ("RST", "UVW"):
        ends = {r[1:] for r in letters(system)}
        if not (star <= ends or len(ends & {"_L12", "_L23", "_L31"}) >= 2):
            group = [c for c in group if c.system != system]
    whole = any(star <= {r[1:] for r in letters(s)} for s in ("ABC", "RST", "UVW"))
    if whole and not star <= {r[1:] for r in letters("123")}:
        group = [c for c in group if c.system != "123"]
    if {r.role for r in group} >= set(VOLTAGES[:3]):
        group = [c for c in group if c.role not in LINE_VOLTAGES]
    return group if any(not c.role.endswith("_N") for c in group) else []


def _clear(group: list[_Candidate]) -> bool:
    """Each role once, and not phase and line-to-line voltages mixed."""
    roles = [c.role for c in group]
    return len(set(roles)) == len(roles) and not (set(roles) & set(LINE_VOLTAGES) and set(roles) & set(VOLTAGES[:3]))


def _whole(group: list[_Candidate]) -> bool:
    roles = {c.role for c in group}
    return len(roles & set(VOLTAGES[:3])) == 3 or len(roles & set(LINE_VOLTAGES)) >= 2 or len(roles & set(CURRENTS[:3])) == 3


def _choose(kind: str, sets: Mapping[str, list[_Candidate]], others: Mapping[str, list[_Candidate]], notes: list[str]) -> list[_Candidate] | None:
    """Rule 7: the set taken; empty where there is none, None where it is ambiguous."""
    if not sets:
        return []
    word = {"V": "voltages", "A": "currents"}[kind]
    left, why = dict(sets), ""
    if len(left) > 1 and sum(map(_whole, left.values())) == 1:
        left = {text: g for text, g in left.items() if _whole(g)}
        why = "the only set of all three phases"
    if len(left) > 1:
        whole = [t for t, g in others.items() if _whole(g)]
        single = whole if len(whole) == 1 else list(others)
        if len(single) == 1 and single[0]:
            first = single[0].split()[0].casefold()
            left = {text: g for text, g in left.items() if text.split()[:1] and text.split()[0].casefold() == first}
            why = f"its name begins with {single[0].split()[0]!r} as that of the {'currents' if kind == 'V' else 'voltages'} does"
    if len(left) != 1:
        return None
    (text, group), *_ = left.items()
    if not _clear(group):
        return None
    if why:
        notes.append(f"of {len(sets)} sets of {word} {text or 'the unnamed one'!r} is taken: {why}")
    return group


def _single_phase(channels: Sequence[Channel], notes: list[str]) -> dict[int, tuple[str, int]]:
    """Rule 8."""
    named = [(k, c) for k, c in enumerate(channels) if c.kind and not _excluded(c.name, _words(c.name))]
    volts = [k for k, c in named if c.kind == "U"]
    amps = [k for k, c in named if c.kind == "I"]
    residual = any(re.fullmatch(r"3?[UVIuvi][A-Za-z0-9]", w) for _, c in named for w in _words(c.name))
    if residual or len(volts) > 1 or len(amps) > 1 or not named:
        return {}
    notes.append("one " + " and one ".join(["voltage"] * len(volts) + ["current"] * len(amps)) + " without a phase: taken as L1")
    return {k: (role, 1) for role, found in (("U_L1", volts), ("I_L1", amps)) for k in found}


# What is said


def _ambiguity(kind: str, sets: Mapping[str, list[_Candidate]], channels: Sequence[Channel], others: Mapping[int, tuple[str, int]]) -> str:
    """Every candidate in a map to give; `others` are the roles that are not ambiguous."""
    word = {"V": "voltages", "A": "currents"}[kind]
    shown = list(sets.values())[:_NAMED_AT_MOST]
    maps = []
    rest = {role: ("-" if sign < 0 else "") + _label(channels, k) for k, (role, sign) in others.items()}
    for group in shown:
        seen: dict[str, list[str]] = {}
        for c in sorted(group, key=lambda c: ROLES.index(c.role)):
            if not (c.role in LINE_VOLTAGES and seen.keys() & set(VOLTAGES[:3])):
                seen.setdefault(c.role, []).append(("-" if c.sign < 0 else "") + _label(channels, c.column))
        # several channels for one role: each of them once
        for k in range(max(map(len, seen.values()))):
            chosen = {role: labels[min(k, len(labels) - 1)] for role, labels in seen.items()}
            maps.append(",".join(f"{role}={label}" for role, label in (chosen | rest).items()))
    left = len(maps) - _NAMED_AT_MOST + len(sets) - len(shown)
    maps, more = maps[:_NAMED_AT_MOST], f" (and {left} more)" if left > 0 else ""
    return f"the {word} are ambiguous, choose one of: " + " | ".join(f'--map "{m}"' for m in maps) + more


def _unrecognised(kind: str, channels: Sequence[Channel], notes: list[str]) -> None:
    names = [_label(channels, k) for k, c in enumerate(channels) if c.unit == kind and not _excluded(c.name, _words(c.name))]
    if names:
        notes.append(f"no phase is recognised in the {'voltages' if kind == 'V' else 'currents'} {_listed(names)}; a map can say which is which")


def _nothing(channels: Sequence[Channel]) -> str:
    names = _listed(f"{_label(channels, k)}{f' ({c.unit})' if c.unit else ''}" for k, c in enumerate(channels))
    return f'no voltage or current is recognised among the channels {names}; say which is which, for instance --map "U_L1={_label(channels, 0)}"'
