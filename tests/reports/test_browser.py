"""Reports as a browser shows them: headless Chromium measures every box of text at the width of a page and of a phone.

Skips where there is no Chromium. A small script is put into copies of the pages; the reports themselves have none.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ctmeter
from reports import made_week

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ("feeder.cfg", "events.cfg", "export.cfg", "aron.cfg", "single-phase.wav")
REAL = {"line-275kv": ("line-275kv/test1.cfg", 158771.0), "ion7650": ("ion7650/keating_1999.CFG", 347.0)}
PAGES = (*SAMPLES, *REAL, "week")
WIDTHS = (1000, 375)

MEASURE = """<script>
addEventListener("load", () => {
  const found = {width: innerWidth, wide: document.documentElement.scrollWidth, clipped: [], overlapping: [], small: [], sections: []};
  const seen = e => e.getClientRects().length > 0;
  for (const s of document.querySelectorAll("section")) found.sections.push(s.id);
  for (const svg of document.querySelectorAll("figure svg")) {
    if (!seen(svg) || svg.classList.contains("icon")) continue;
    const edge = svg.getBoundingClientRect(), boxes = [];
    for (const t of svg.querySelectorAll("text")) {
      if (t.classList.contains("halo") || !t.textContent.trim()) continue;
      const b = t.getBoundingClientRect();
      const words = `${t.textContent} (${svg.getAttribute("aria-label").slice(0, 60)})`;
      if (b.left < edge.left - 1 || b.right > edge.right + 1 || b.top < edge.top - 1 || b.bottom > edge.bottom + 1) found.clipped.push(words);
      if (b.height < 10) found.small.push(words);
      for (const o of boxes) {
        const w = Math.min(b.right, o.b.right) - Math.max(b.left, o.b.left), h = Math.min(b.bottom, o.b.bottom) - Math.max(b.top, o.b.top);
        if (w > 1 && h > 0.3 * Math.min(b.height, o.b.height)) found.overlapping.push(`${words} over ${o.words}`);
      }
      boxes.push({b, words});
    }
  }
  for (const e of document.querySelectorAll("main *, header *, footer *")) {
    if (!seen(e) || e.closest("svg") || e.closest(".scroll")) continue;
    if (e.getBoundingClientRect().right > document.documentElement.clientWidth + 1) {
      found.clipped.push(`<${e.tagName} ${e.className}> ${e.textContent.slice(0, 60)}`);
    }
  }
  parent.postMessage({name: window.name, found}, "*");
});
</script>"""

COLLECT = """<!doctype html><meta charset="utf-8"><body><pre id="found"></pre><script>
const all = {};
addEventListener("message", e => { all[e.data.name] = e.data.found; document.getElementById("found").textContent = JSON.stringify(all); });
</script>"""


def chromium() -> str:
    found = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return found


def make_pages(folder: Path) -> dict[str, Path]:
    """The reports by name."""
    made = {}
    for name in SAMPLES:
        made[name] = ctmeter.measure(ROOT / "waveforms" / name).report(folder / f"{name}.html")
    recordings = Path(os.environ.get("CTMETER_RECORDINGS") or ROOT.parent / "shared" / "recordings")
    for name, (file, un) in REAL.items():
        if (recordings / file).is_file():
            made[name] = ctmeter.measure(recordings / file, nominal_voltage=un).report(folder / f"{name}.html")
    made["week"] = made_week.week().report(folder / "week.html")
    return made


def look(folder: Path, pages: dict[str, Path]) -> tuple[dict, list[str], list[str]]:
    """What the browser found on each page at each width, what it said, and what pages asked the network for."""
    browser = chromium()
    frames = []
    for name, path in pages.items():
        (folder / f"measured-{path.name}").write_text(path.read_text("utf-8").replace("</body>", f"{MEASURE}</body>"), "utf-8")
        frames += [f'<iframe name="{name} {w}" src="measured-{path.name}" width="{w}" height="900"></iframe>' for w in WIDTHS]
    index = folder / "index.html"
    index.write_text(COLLECT + "".join(frames), "utf-8")
    log = folder / "net.json"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
               "--virtual-time-budget=60000", "--timeout=120000", "--dump-dom", index.as_uri()]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "HOME": str(folder)})
    dom = re.search(r'<pre id="found">(.*?)</pre>', run.stdout, re.DOTALL)
    assert dom, run.stderr[-2000:]
    said = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    # Chromium's own requests, for updates, come from no page; those of a page say where they come from
    asked = re.findall(r'"initiator":"([^"]*)".*?"url":"((?:https?|wss?|ftp)://[^"]*)"', log.read_text("utf-8", errors="replace"))
    return json.loads(html.unescape(dom[1])), said, [url for initiator, url in asked if initiator != "not an origin"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    chromium()
    folder = tmp_path_factory.mktemp("pages")
    return look(folder, make_pages(folder))


def test_the_measuring_itself_sees_faults(tmp_path):
    page = tmp_path / "faulty.html"
    texts = (
        '<text x="10" y="20">one</text><text x="12" y="22">two</text><text x="95" y="60">cut off</text><text x="5" y="60" font-size="4">tiny</text>'
    )
    svg = f'<figure><svg aria-label="chart" width="100" height="70" viewBox="0 0 100 70">{texts}</svg></figure>'
    wide = '<p style="width:3000px">wide</p><img src="http://127.0.0.1:9/x.png"><script>console.error("oh")</script>'
    page.write_text(f"<!doctype html><html><body><main>{svg}{wide}</main></body></html>", "utf-8")
    found, said, asked = look(tmp_path, {"faulty": page})
    for width in WIDTHS:
        one = found[f"faulty {width}"]
        assert len(one["overlapping"]) == 1 and "two" in one["overlapping"][0] and "one" in one["overlapping"][0]
        assert any("cut off" in words for words in one["clipped"]) and any("wide" in words for words in one["clipped"])
        assert one["wide"] > width and any("tiny" in words for words in one["small"])
    assert any("oh" in line for line in said) and "http://127.0.0.1:9/x.png" in asked


def test_the_console_is_silent(seen):
    assert seen[1] == []


def test_no_page_asks_the_network_for_anything(seen):
    assert seen[2] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
class TestPages:
    def found(self, seen, name, width):
        if name in REAL and f"{name} {width}" not in seen[0]:
            pytest.skip("the real recordings are not there; set CTMETER_RECORDINGS")
        return seen[0][f"{name} {width}"]

    def test_all_parts_are_there(self, seen, name, width):
        wanted = (
            {"verdict", "summary", "table", "voltage", "trends", "harmonics", "event-sheets"}
            if name == "week"
            else {"waveforms", "spectrum", "values"}
        )
        assert set(self.found(seen, name, width)["sections"]) >= wanted | {"phasors", "events", "method"}

    def test_nothing_is_wider_than_the_screen(self, seen, name, width):
        found = self.found(seen, name, width)
        assert found["width"] <= width and found["wide"] <= found["width"], found["clipped"][:5]

    def test_no_text_is_clipped(self, seen, name, width):
        assert self.found(seen, name, width)["clipped"] == []

    def test_no_text_lies_over_other_text(self, seen, name, width):
        assert self.found(seen, name, width)["overlapping"] == []

    def test_text_in_charts_can_be_read(self, seen, name, width):
        assert self.found(seen, name, width)["small"] == []
