"""The result as one page of HTML that needs nothing else: no network, no script."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .outcome import Outcome

__all__ = ["document", "page", "picture", "rows"]

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b2530}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccd4dc}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}
td,th{padding:.15rem .8rem .15rem 0;text-align:right}th:first-child,td:first-child{text-align:left}
th{border-bottom:1px solid #8795a1;font-weight:600}svg{max-width:100%;height:auto}.sub{color:#52606d}
.fail{color:#8b1a1a;font-weight:600}figure{margin:1rem 0}details{margin:.6rem 0}h1,li,p{overflow-wrap:anywhere}
.wide,figure{overflow-x:auto}@media screen{figure svg{min-width:40rem}}
@media print{body{margin:0;max-width:none;font-size:11px}}
"""
#: What is said where nothing failed.
_KEPT = {"pass": "Every limit that was judged is kept.", "insufficient-data": "Nothing could be judged."}


def picture(figure: Figure, name: str) -> str:
    """A figure as SVG inside the page; its inner names carry `name`, so that figures do not share them."""
    out = io.StringIO()
    figure.savefig(out, format="svg")
    text = out.getvalue()
    text = text[text.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{html.escape(_title(figure))}"', 1)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', lambda m: f"{m[0]}{name}-", text)
    return f"<figure>{text}</figure>"


def _title(figure: Figure) -> str:
    """What a figure shows, in a line."""
    return figure.axes[0].get_title().replace("\n", ", ")


def rows(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A table; numbers in six places, a verdict "fail" marked."""

    def cell(value: Any) -> str:
        if value is None:
            return "<td></td>"
        if value == "fail":
            return '<td class="fail">fail</td>'
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        return f"<td>{html.escape(text)}</td>"

    head = "<tr>" + "".join(f"<th>{html.escape(c)}</th>" for c in columns) + "</tr>"
    body = "".join("<tr>" + "".join(cell(v) for v in line) + "</tr>" for line in lines)
    return f'<div class="wide"><table>{head}{body}</table></div>'


def page(report: Outcome, drawn: Mapping[str, Figure]) -> str:
    """The page as text.

    Parameters
    ----------
    report : Outcome
    drawn : mapping of name to Figure
        Its charts.
    """
    values = report.to_dict()
    rating = values["rating"]
    amperes = ", ".join(f"{k} {v:g} A" for k, v in rating["currents"].items())
    violations = "".join(f'<li class="fail">{html.escape(v)}</li>' for v in values["violations"])
    not_judged, assumed, marginal = ("".join(f"<li>{html.escape(v)}</li>" for v in values[n]) for n in ("not_judged", "assumed", "marginal"))
    columns = ("id", "error_pct", "judged", "value_pct", "limit_pct", "margin_pct", "count", "sd_pct", "uncertainty_pct", "provenance", "verdict")
    composite = ("band", "load", "factor", "I", "error_pct", "mpe_pct", "verdict")
    trials = [(name.replace("_", "-"), *_told(values[name])) for name in ("starting", "no_load", "constant")]
    body = f"""<h1>Accuracy, class {html.escape(values["class"])}: {html.escape(report.conclusion)}</h1>
<p class="sub">{html.escape(rating["standard"])} · {html.escape(rating["connection"])} · {html.escape(amperes)} · {rating["u_n"]:g} V ·
{rating["f_n"]:g} Hz<br>front end {html.escape(values["front_end"]["name"])}: {html.escape(values["front_end"]["title"])}</p>
{f"<ul>{violations}</ul>" if violations else f"<p>{_KEPT[values['verdict']]}</p>"}
{f"<h2>Within their uncertainty of the limit</h2><ul>{marginal}</ul>" if marginal else ""}
{f"<h2>Assumed</h2><ul>{assumed}</ul>" if assumed else ""}
{f"<h2>Not judged</h2><ul>{not_judged}</ul>" if not_judged else ""}
{_covered(report)}
<h2>Charts</h2>{"".join(picture(figure, name) for name, figure in drawn.items())}
<h2>Starting, no-load, constant</h2>{rows(("test", "found", "verdict"), trials)}
{"<h2>Composite errors</h2>" + rows(composite, ([c[k] for k in composite] for c in values["composite"])) if values["composite"] else ""}
{_corrected(values.get("correction", {}))}
<h2>Points</h2><details><summary>{len(values["points"])} points</summary>
{rows(columns, ([p.get(k) for k in columns] for p in values["points"]))}</details>
<p class="sub">Limits marked M are from memory of the standard and not verified against its text.</p>"""
    return document(f"Accuracy, class {values['class']}", body, values["program"])


def _covered(report: Outcome) -> str:
    """How much of the type test was judged, where that is not the whole."""
    if not report.untested:
        return ""
    lines = ([c.name, c.judged, c.planned] for c in report.coverage)
    return "<h2>Judged of the type test</h2>" + rows(("test", "judged", "of"), lines)


def _corrected(correction: Mapping[str, Any]) -> str:
    """Errors before and after a correction."""
    if not correction:
        return ""
    lines = ([p["id"], p["before_pct"], p["after_pct"]] for p in correction["points"])
    return "<h2>Correction</h2>" + rows(("id", "before, %", "after, %"), lines)


def _told(trial: Mapping[str, Any]) -> tuple[str, Any]:
    """What a trial found, in words."""
    if trial["verdict"] is None:
        return str(trial.get("reason", "")), "not tested"
    plain = {k: v for k, v in trial.items() if k not in ("verdict", "directions") and isinstance(v, (int, float))}
    words = [f"{k} {v:.6g}" for k, v in plain.items()]
    words += [
        f"{name}: pulses after {', '.join(f'{x:.3f}' for x in d['pulses_after']) or 'none'} periods"
        for name, d in trial.get("directions", {}).items()
    ]
    if isinstance(trial.get("pulses"), Mapping):
        words += [f"{name} {n:.3g} pulses" for name, n in trial["pulses"].items()]
    return "; ".join(words), trial["verdict"]


def document(title: str, body: str, program: Mapping[str, Any]) -> str:
    """A whole page around a body."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>
{body}
<p class="sub">{html.escape(str(program["name"]))} {html.escape(str(program["version"]))}</p>
</body></html>
"""
