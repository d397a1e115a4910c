"""The page: which sections a report has, and their HTML."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from ..errors import SettingsError
from .blocks import Block, Section, Words
from .material import Material
from .sections import cover, events, limits, method, power, sheets, short, spectra, trends

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["available", "page", "render", "sections"]

#: What no browser shows, what turns text round, and halves of characters: none of it is ours.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def available() -> bool:
    """Whether what a page needs is installed: the extra `report`."""
    return importlib.util.find_spec("jinja2") is not None


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise SettingsError('report: jinja2 is not installed; expected the extra "report": pip install "ctmeter[report]"') from None
    from pathlib import Path

    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)


def sections(material: Material) -> list[Section]:
    """The parts of a report: of a week the ten of weekly reports, of a recording of seconds its waveforms, values and events."""
    if material.long:
        return [
            cover.verdict_section(material),
            limits.summary(material),
            limits.table(material),
            trends.voltage(material),
            trends.other_trends(material),
            spectra.harmonics(material),
            events.event_section(material),
            sheets.event_sheets(material),
            power.phasor_section(material, long=True),
            method.method(material),
        ]
    parts: list[Section | None] = [_short_cover(material), short.values(material), short.waveforms(material), short.course(material)]
    parts += [spectra.spectrum(material), power.phasor_section(material, long=False), events.event_section(material)]
    parts += [sheets.event_sheets(material) if material.events else None, method.method(material)]
    return [p for p in parts if p is not None]


def _short_cover(material: Material) -> Section:
    if material.assessment is not None:
        return cover.verdict_section(material)
    blocks: list[Block] = [cover.facts(material)]
    if material.unassessed:
        blocks.append(Words(["Not assessed by EN 50160: " + "; ".join(material.unassessed) + "."], note=True))
    return Section("recording", "Recording", blocks)


def page(material: Material, parts: Sequence[Section] | None = None) -> str:
    """The report as one HTML text that needs nothing else.

    Raises
    ------
    SettingsError
        jinja2 is not installed.
    """
    shown = sections(material) if parts is None else parts
    return render(cover.title(material), cover.header(material), shown, material.summary["program"])


def render(title: str, lines: Sequence[str], parts: Sequence[Section], program: Mapping[str, str]) -> str:
    """Sections below a title, and lines under that, as one HTML text that needs nothing else.

    Raises
    ------
    SettingsError
        jinja2 is not installed.
    """
    footer = f"Made by {program['name']} {program['version']}. All times UTC unless said otherwise; units SI."
    template = _environment().get_template("page.html")
    text = template.render(title=title, lines=lines, sections=parts, footer=footer)
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
