#!/usr/bin/env python3
"""Make the sample recordings in `waveforms/` and the catalogue of their analytic truths.

Every `waveforms/<stem>.synth.toml` becomes a recording; the catalogue says which file it is and what is in it.

    python tools/make_waveforms.py [FOLDER]

FOLDER is where the recordings and the catalogue go, by default `waveforms/` itself.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctmeter import synth

WAVEFORMS = Path(__file__).resolve().parents[1] / "waveforms"
#: How each recording is written: file ending, and options of the writer.
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "aron": (".cfg", {}),
    "events": (".cfg", {}),
    "export": (".cfg", {}),
    "feeder": (".cfg", {}),
    "single-phase": (".wav", {}),
}
MOST_BYTES = 5_000_000


def rounded(value: Any) -> Any:
    """The same with 12 significant digits, so that no machine's last bit shows."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, dict):
        return {str(k): rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else value


def make(folder: Path) -> dict[str, Any]:
    """Write all recordings into a folder; returns the catalogue."""
    catalogue = {}
    for stem, (ending, options) in FORMATS.items():
        recording = synth.generate(WAVEFORMS / f"{stem}.synth.toml")
        # what is synthesised without a side is meant as primary, which COMTRADE has to say
        recording.with_channels([replace(c, side=c.side or "primary") for c in recording.channels]).write(folder / (stem + ending), **options)
        truth = recording.metadata["truth"]
        spectra = {c.name: truth["spectra"][c.name] for c in recording.channels}
        for spectrum in spectra.values():
            spectrum["harmonics"] = {h: line for h, line in spectrum["harmonics"].items() if h <= 50}
        catalogue[stem] = {
            "file": stem + ending,
            "title": recording.metadata["title"],
            "sample_rate": recording.sample_rate,
            "channels": [c.name for c in recording.channels],
            **truth,
            "spectra": spectra,
        }
    return rounded(catalogue)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else WAVEFORMS
    catalogue = make(folder)
    (folder / "catalogue.json").write_text(json.dumps(catalogue, indent=1) + "\n", encoding="utf-8")
    size = sum(p.stat().st_size for p in folder.iterdir())
    print(f"{len(catalogue)} recordings, {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"more than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
