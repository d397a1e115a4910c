"""Libraries that only some formats need, imported when such a file is opened."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..errors import InputError

__all__ = ["needed"]


def needed(library: str, extra: str, path: Path) -> Any:
    """A library that an extra brings.

    Raises
    ------
    InputError
        It is not installed, or does not load; the text names the extra.
    """
    try:
        return importlib.import_module(library)
    except (ImportError, OSError) as error:
        why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not load ({str(error)[:120]})"
        raise InputError(f"the library {library}, which reads this format, {why}", path=path, expected=f'pip install "ctmeter[{extra}]"') from None
