import io

import numpy as np
import pytest

import ctmeter
from ctmeter.reports.terminal import console, print_events, print_recording, print_summary
from ctmeter.reports.units import duration, si


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "Wh", "0 Wh"),
        (None, "V", "–"),
        (float("nan"), "V", "–"),
        (999.999, "V", "1.0000 kV"),
        (999.99, "V", "999.99 V"),
        (-230.123456, "V", "-230.12 V"),
        (1.5e-5, "varh", "15.000 µvarh"),
        (1e-15, "varh", "0 varh"),
        (4.2e10, "W", "42.000 GW"),
        (50.0, "Hz", "50.000 Hz"),
        (0.9, "1", "0.90000"),
        (-120.0, "degree", "-120.00 °"),
    ],
)
def test_si(value, unit, text):
    assert si(value, unit) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "200 ms"), (60, "1 min"), (86400 * 2 + 3600, "2 d 1 h"), (59.5, "59.5 s")])
def test_duration(seconds, text):
    assert duration(seconds) == text


def recording(**more):
    channel = {"name": "[red]\x1b[2Jevil[/red]", "role": "U_L1", "phase": "", "unit": "V", "side": None, "ratio": 1.0, "scale": 1.0}
    base = {"format": "arrays", "duration_s": 1.0, "sample_rate_hz": 1000.0, "start": None, "segments": [], "samples": 1000, "status_channels": []}
    return {**base, "gaps": {"count": 0, "samples": 0}, "metadata": {}, "channels": [channel], "warnings": [], **more}


def test_names_of_files_cannot_command_the_terminal():
    out = io.StringIO()
    print_recording(recording(warnings=["[bold]x[/bold]\x07"]), console(out), "a\x1b]0;b.cfg")
    text = out.getvalue()
    assert "\x1b" not in text and "\x07" not in text
    assert "[red]" in text and "[bold]x[/bold]" in text


def test_events():
    out = io.StringIO()
    print_events([{"type": "dip", "t": "2026-03-02T00:00:02Z", "phases": ["L2"], "duration": 0.11, "U_residual": 138.0}], console(out))
    assert "138.00 V" in out.getvalue() and "110 ms" in out.getvalue()
    out = io.StringIO()
    print_events([], console(out))
    assert out.getvalue() == "no events\n"


def test_oddities_of_files_fill_no_screens():
    out = io.StringIO()
    metadata = {"station": "x" * 500, "hdr": "<xml>" * 5000, "trigger_ns": 1_447_824_783_790_289_000, "time_multiplier": 1.0}
    print_recording(recording(metadata=metadata, warnings=["a word " * 40]), console(out), "a.cfg")
    lines = out.getvalue().splitlines()
    assert len(lines) < 20 and "HDR of 25000 bytes" in out.getvalue() and "2015-11-18T05:33:03.790289Z" in out.getvalue().replace("\n", "")
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines if "word" in line)


@pytest.mark.parametrize("kind", ["U", "I"])
def test_all_phases_of_one_kind_alone(kind, capsys):
    t = np.arange(3200) / 3200.0
    arrays = {f"{kind}_L{k}": 10.0 * k * np.sin(2 * np.pi * 50.0 * t) for k in (1, 2, 3)}
    result = ctmeter.measure(ctmeter.Recording.from_arrays(arrays, sample_rate=3200.0))
    print_summary(result.summary, console())
    shown = capsys.readouterr().out
    assert all(phase in shown for phase in ("L1", "L2", "L3")) and "7.071" in shown and "14.14" in shown and "21.21" in shown
