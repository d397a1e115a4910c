"""The page as PDF."""

from __future__ import annotations

import logging

from ..errors import SettingsError

__all__ = ["pdf"]


def pdf(text: str) -> bytes:
    """The HTML of a report as PDF, A4.

    Raises
    ------
    SettingsError
        weasyprint is not installed, or the system lacks Pango, which it needs.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except ImportError:
        raise SettingsError('pdf: weasyprint is not installed; expected the extra "pdf": pip install "ctmeter[pdf]"') from None
    except OSError as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingsError(
            f"pdf: weasyprint finds no Pango; expected the system's package, on Debian libpango-1.0-0 and libpangoft2-1.0-0 ({said})"
        ) from None
    for name in ("weasyprint", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)  # what CSS it does not know is no matter of the user's
    # a report refers to nothing outside itself
    made: bytes = HTML(string=text, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf()
    return made
