"""The example notebook: every cell runs, and its last value shows as in Jupyter.

The cells run in this interpreter, because Jupyter would add some 30 packages to the development environment and a kernel process
to the test, for cells that are plain Python.
"""

import ast
import json
from pathlib import Path
from typing import Any

import softstream

NOTEBOOK = Path(__file__).resolve().parents[2] / "scripts" / "notebook.ipynb"
CONTENT = json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Runs a cell; the value of its last statement where that is an expression, else None."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_every_cell_runs_and_shows_its_value() -> None:
    names: dict[str, Any] = {}
    shown = []
    for cell in CONTENT["cells"]:
        if cell["cell_type"] != "code":
            continue
        value = run_cell("".join(cell["source"]), names)
        if value is not None:
            html = value._repr_html_() if hasattr(value, "_repr_html_") else ""
            assert html.startswith("<table>") == hasattr(value, "_repr_html_")
            assert repr(value)
            shown.append(type(value).__name__)
    assert shown == ["Config", "Plan", "RunResult", "tuple", "Comparison", "Exploration", "Config", "int"]
    assert names["exploration"].meets
    assert names["verilog"] == softstream.verilog(names["chosen"])


def test_the_notebook_has_the_form_of_version_4_and_no_outputs() -> None:
    """Outputs would be stale after a change, and no test could tell."""
    assert (CONTENT["nbformat"], CONTENT["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in CONTENT["cells"]}) == len(CONTENT["cells"])
    for cell in CONTENT["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
