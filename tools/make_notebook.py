#!/usr/bin/env python3
"""Carry out the code of a notebook and store what its cells print and give: `python tools/make_notebook.py docs/notebooks/fleet.ipynb`.

Without Jupyter: cells run one after the other in one namespace, in a scratch folder; of each, standard output and the value of the last
expression are kept.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import pprint
import sys
import tempfile
from pathlib import Path
from typing import Any


def carry_out(notebook: dict[str, Any], name: str = "notebook") -> list[str]:
    """What the code cells print and give, in the working directory.

    Parameters
    ----------
    notebook : dict
        As it stands in the file.
    name : str
        For messages.

    Returns
    -------
    list of str
        A text for each code cell.
    """
    namespace: dict[str, Any] = {}
    texts = []
    for number, cell in enumerate(c for c in notebook["cells"] if c["cell_type"] == "code"):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        place = f"{name}, code cell {number + 1}"
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(tree, place, "exec"), namespace)
            value = None if last is None else eval(compile(ast.Expression(last.value), place, "eval"), namespace)
        text = printed.getvalue()
        texts.append(text + (pprint.pformat(value, width=120, sort_dicts=False) if value is not None else ""))
    return texts


def main(path: Path) -> None:
    """Store the outputs in the file."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        try:
            texts = carry_out(notebook, path.name)
        finally:
            os.chdir(here)
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    for number, (cell, text) in enumerate(zip(cells, texts, strict=True), 1):
        cell["execution_count"] = number
        lines = text.splitlines(keepends=True)
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}] if text else []
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
