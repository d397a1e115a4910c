"""How an assessment is put into words, on the terminal and in the report alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MARKS", "TITLES", "deciding", "left_out", "name_of", "verdict_words", "week_words", "years_beside"]

#: Symbol, words and colour of each verdict; the symbol alone has to do where there is no colour.
MARKS = {"pass": ("✔", "PASS", "green"), "fail": ("✘", "FAIL", "red"), "insufficient-data": ("?", "INSUFFICIENT DATA", "yellow")}
#: Of quantities: title and unit.
TITLES = {
    "f": ("frequency", "Hz"),
    "U": ("voltage", "V"),
    "THD_U": ("THD", "%"),
    "HU": ("harmonic", "%"),
    "u2": ("unbalance", "%"),
    "Plt": ("flicker Plt", ""),
    "Pst": ("flicker Pst", ""),
    "MSV": ("mains signalling", "%"),
    "rvc": ("rapid changes", "%"),
    "u0": ("unbalance u0", "%"),
}


def name_of(parameter: Mapping[str, Any]) -> str:
    """A parameter in words, without its phase."""
    quantity = str(parameter.get("quantity"))
    title = TITLES[quantity][0] if quantity in TITLES else quantity
    return f"{title} {parameter['order']}" if parameter.get("order") else title


def week_words(week: Mapping[str, Any]) -> str:
    """When a week begins; what lies beside the weeks is called so."""
    start = str(week.get("start"))[:16].replace("T", " ")
    return f"beside the weeks, in that from {start}" if week.get("rest") else f"week from {start}"


def verdict_words(parameter: Mapping[str, Any]) -> str:
    """The verdict of a parameter; of what the standard only calls usual, that it is indicative, whatever its symbol."""
    verdict = str(parameter.get("verdict"))
    return "indicative" if parameter.get("indicative") else MARKS[verdict][1].lower() if verdict in MARKS else verdict


def deciding(parameters: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that decide: what is indicative never does."""
    return [p for p in parameters if not p.get("indicative")]


def years_beside(assessment: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What is judged over years, where that is not the same as what stands in the only week."""
    years: Sequence[Mapping[str, Any]] = assessment.get("years") or ()
    weeks: Sequence[Mapping[str, Any]] = assessment.get("weeks") or ()
    if len(weeks) != 1:
        return years
    known = {(p["quantity"], p["phase"], p["order"]): (p["verdict"], p["N1"], p["N2"]) for p in weeks[0]["parameters"]}
    return [y for y in years if any(known.get((p["quantity"], p["phase"], p["order"])) != (p["verdict"], p["N1"], p["N2"]) for p in y["parameters"])]


def left_out(entry: Any) -> str:
    """What was not measured, and why."""
    if not isinstance(entry, Mapping):
        return str(entry)
    return f"{entry.get('what') or entry.get('quantity')}: {entry.get('why') or entry.get('reason') or 'not measured'}"
