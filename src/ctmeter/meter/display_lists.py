"""The lists of the display: which readings can be seen, and in which order.

There are three: automatic (changes by itself), manual (by the push button) and backup (without
supply). An item of a list is an OBIS code as `Obis.parse` takes it. It shows the primary value wherever
there is one, which is once a transformer ratio is set; an `s` behind the code asks for the
secondary value. The mark PRIM or SEC on the display says which one stands there.

The data sheet says that legal readings cannot be taken off the manual list, without naming them;
here they are the totals of A+, A-, R+ and R-, as far as the meter has them, and the ratio.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

from ..errors import InputError, SettingsError
from .obis import FIELD, Obis, available, definition

__all__ = ["AUTOMATIC", "BACKUP", "MANUAL", "Item", "Lists"]

#: Longest lists.
AUTOMATIC, MANUAL, BACKUP = 16, 30, 8

_AUTO = "1.8.0 2.8.0 3.8.0 4.8.0"
_MANUAL = (
    f"{_AUTO} 1.8.0s 1.8.1 1.8.2 1.8.3 1.8.4 1.6.0 1.2.0 3.6.0 9.6.0 1.7.0 2.7.0 32.7.0 52.7.0 72.7.0 31.7.0 51.7.0 71.7.0 "
    "13.7.0 14.7.0 0.4.2 0.1.0 96.8.0 0.9.2 0.9.1 96.1.0 97.97.0"
)


@dataclass(frozen=True)
class Item:
    """One item of a list.

    Parameters
    ----------
    code : Obis
    secondary : bool
        Whether the secondary value is asked for even where there is a primary one.
    """

    code: Obis
    secondary: bool = False

    @classmethod
    def parse(cls, text: str) -> Item:
        """An item such as "1.8.0", "1.8.0s" or "1-0:1.8.0*01".

        Raises
        ------
        InputError
            Not a code.
        """
        bare = text.strip()
        return cls(Obis.parse(bare.removesuffix("s")), bare.endswith("s"))


@dataclass(frozen=True)
class Lists:
    """The three lists of readings.

    Parameters
    ----------
    automatic : tuple of str
        At most 16 items, none of a past billing period.
    manual : tuple of str
        At most 30 items, the legal readings among them.
    backup : tuple of str
        At most 8 items.
    energies : collection of str, optional
        The energies the meter has; all where not given.
    tariffs : int
        The tariffs it uses, 0 to 4.

    Raises
    ------
    SettingsError
        It names every fault of every list.
    """

    _: KW_ONLY
    automatic: tuple[str, ...]
    manual: tuple[str, ...]
    backup: tuple[str, ...]
    energies: Collection[str] | None = None
    tariffs: int = 4

    def __post_init__(self) -> None:
        has = {d.obis for d in available(self.energies, self.tariffs)}
        faults = [*_faults("display_auto", self.automatic, AUTOMATIC, has), *_faults("display_manual", self.manual, MANUAL, has)]
        faults += _faults("display_backup", self.backup, BACKUP, has)
        faults += [f"display_auto: {t} is of a past billing period, expected current readings only" for t in self.automatic if _is_past(t)]
        faults += _missing(self.manual, self.energies, self.tariffs)
        if faults:
            raise SettingsError(faults)

    @classmethod
    def default(cls, energies: Collection[str] | None = None, tariffs: int = 4) -> Lists:
        """Lists for a meter with these energies and tariffs, where the user has not set any.

        Automatic and backup are the energies' totals; manual adds the secondary total of A+, tariffs,
        maxima, momentary values, ratio, counters, clock and serial number.
        """
        has = {d.obis for d in available(energies, tariffs)}
        auto, manual = (tuple(t for t in texts.split() if str(Item.parse(t).code) in has) for texts in (_AUTO, _MANUAL))
        return cls(automatic=auto, manual=manual, backup=auto, energies=energies, tariffs=tariffs)


def _faults(setting: str, items: Sequence[str], most: int, has: Collection[str]) -> list[str]:
    faults = [f"{setting}: {len(items)} items, at most {most}"] if len(items) > most else []
    for text in items:
        try:
            item = Item.parse(text)
        except InputError as error:
            faults.append(f"{setting}: {error}")
            continue
        known = definition(item.code)
        if known is None or known.obis not in has:
            faults.append(f"{setting}: {text} is not a reading of this meter")
        elif item.code.historical and not known.historical:
            faults.append(f"{setting}: {text}, but {known.name} is not kept for past billing periods")
        elif not item.code.fits:
            faults.append(f"{setting}: {text} is longer than the {FIELD} characters of the identification field")
    return faults


def _is_past(text: str) -> bool:
    try:
        return Item.parse(text).code.historical
    except InputError:
        return False  # named among the faults of its list


def _missing(manual: Iterable[str], energies: Collection[str] | None, tariffs: int) -> list[str]:
    shown = set()
    for text in manual:
        try:
            shown.add(str(Item.parse(text).code))
        except InputError:
            continue  # named among the faults of its list
    legal = [d for d in available(energies, tariffs) if d.legal and d.obis not in shown]
    return [f"display_manual: {d.code.short} ({d.name}, {d.meaning}) is a legal reading and cannot be removed" for d in legal]
