"""The PDF: made from the same page where weasyprint and Pango are there, a clear error where they are not."""

from __future__ import annotations

import builtins
import sys

import pytest

import ctmeter
from ctmeter.reports.pdf import pdf
from reports import made_week


def without(monkeypatch, module: str, error: Exception) -> None:
    """Importing that module fails in that way."""
    real = builtins.__import__

    def fake(name, *args, **kwargs):
        if name.partition(".")[0] == module:
            raise error
        return real(name, *args, **kwargs)

    for name in [n for n in sys.modules if n.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", fake)


def test_without_weasyprint(monkeypatch, tmp_path):
    without(monkeypatch, "weasyprint", ImportError("no weasyprint"))
    with pytest.raises(ctmeter.SettingsError, match=r'weasyprint is not installed.*pip install "ctmeter\[pdf\]"'):
        made_week.week(rows=36, with_events=False).report(tmp_path / "r.html", pdf=tmp_path / "r.pdf")
    assert not (tmp_path / "r.pdf").exists()


def test_without_pango(monkeypatch):
    without(monkeypatch, "weasyprint", OSError("cannot load library 'libpango-1.0-0'\nand more"))
    with pytest.raises(ctmeter.SettingsError, match=r"no Pango.*libpango-1.0-0 and libpangoft2-1.0-0.*cannot load library"):
        pdf("<p>page</p>")


def test_without_jinja(monkeypatch, tmp_path):
    from ctmeter.reports import page

    page._environment.cache_clear()
    without(monkeypatch, "jinja2", ImportError("no jinja2"))
    with pytest.raises(ctmeter.SettingsError, match=r'jinja2 is not installed.*pip install "ctmeter\[report\]"'):
        made_week.week(rows=36, with_events=False).report(tmp_path / "r.html")


@pytest.fixture
def weasyprint():
    try:
        return pytest.importorskip("weasyprint", exc_type=ImportError)
    except OSError as error:
        pytest.skip(f"weasyprint finds no Pango: {error}")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_page_as_pdf(weasyprint, tmp_path):
    made_week.week(rows=144, with_events=False).report(tmp_path / "r.html", pdf=tmp_path / "r.pdf")
    data = (tmp_path / "r.pdf").read_bytes()
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF") and len(data) > 30_000


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pdf_loads_nothing(weasyprint):
    assert pdf('<p>page<img src="file:///etc/hostname"><img src="http://127.0.0.1:9/x.png"></p>').startswith(b"%PDF-")
