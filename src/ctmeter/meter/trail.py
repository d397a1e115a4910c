"""The audit trail: who did what when, by the clock of the computer."""

from __future__ import annotations

import getpass
import json
import os
import time
from collections.abc import Mapping
from typing import Any

__all__ = ["audit_row"]


def audit_row(action: str, detail: Mapping[str, Any]) -> tuple[int, str, str, str]:
    """A row of the table `audit`: ns UTC, user, action, and the detail as JSON."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError, ImportError):
        who = str(os.getuid()) if hasattr(os, "getuid") else ""
    return time.time_ns(), who, action, json.dumps(detail, sort_keys=True, default=str)
