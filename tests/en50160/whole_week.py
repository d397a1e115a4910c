"""One week of three voltages and currents at 1.6 kHz: synthesised as it is measured, measured to a directory, assessed.

Run with a directory; prints what it found, its CPU times and its memory as JSON. The waveforms (967 680 000 frames, 11.6 GB) are never
on disk, nor in memory at once.
"""

import json
import sys
import time

import ctmeter
import ctmeter.en50160

SECONDS = 7 * 86_400
#: Interval of ten minutes at which 51 of them at 87 % of 230 V begin on L1, and when a dip to half of it for ten cycles lies.
LOW, DIP = 300, 400_100.0
SPEC = {
    "sample_rate": 1600.0,
    "duration": float(SECONDS),
    "start": "2026-03-02T00:00:00Z",
    "dtype": "int16",
    "nominal_frequency": 50,
    "voltage": {"amplitude": 230.0, "harmonics": [{"order": 5, "percent": 3.0}, {"order": 11, "percent": 3.4}]},
    "current": {"amplitude": 5.0, "lag": 30.0},
    "quantisation": {"bits": 16, "full_scale_voltage": 500.0, "full_scale_current": 10.0},
    "event": [
        {"type": "dip", "start": LOW * 600.0, "duration": 51 * 600.0, "residual": 0.87, "phases": ["L1"]},
        {"type": "dip", "start": DIP, "cycles": 10, "residual": 0.5},
    ],
}


def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))


def main(directory):
    idle, used = anonymous(), []
    began, wall = time.process_time(), time.perf_counter()
    with ctmeter.synth.generate(SPEC) as recording:
        ctmeter.measure(
            recording,
            out=directory,
            nominal_voltage=230.0,
            nominal_frequency=50.0,
            snippets=False,
            progress=lambda _: used.append(anonymous() - idle),
        )
    measured = time.process_time()
    found = ctmeter.en50160.assess(directory)
    done = time.process_time()
    used.append(anonymous() - idle)
    seconds = {"synth and measure": measured - began, "assess": done - measured}
    wall = time.perf_counter() - wall
    print(json.dumps({"seconds": seconds, "wall": wall, "memory_mb": max(used), "found": found.to_dict()}))


if __name__ == "__main__":
    main(sys.argv[1])
