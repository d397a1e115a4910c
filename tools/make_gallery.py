"""Make the pictures of docs/gallery: the report of the hand-made week of the tests, as headless Chromium shows it.

Run `python tools/make_gallery.py`; needs chromium. Fonts differ between machines, so nothing compares the pictures.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from reports import made_week  # noqa: E402

GALLERY = ROOT / "docs" / "gallery"


def main() -> int:
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((p for name in names if (p := shutil.which(name))), None)
    if browser is None:
        print("no Chromium on this machine (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    GALLERY.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = made_week.week().report(Path(folder) / "week.html", timezone="Europe/Vienna")
        picture = GALLERY / "report-week.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        options += [f"--screenshot={picture}", "--window-size=960,1440"]
        subprocess.run([browser, *options, page.as_uri()], check=True, capture_output=True, timeout=120)
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
