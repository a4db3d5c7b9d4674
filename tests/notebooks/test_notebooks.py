"""The notebooks run from any folder, and what they show holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = ("01_explore_a_patch", "02_train_and_evaluate")
Facts = dict[str, Any]


def executed(name: str, folder: Path, told: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Facts]:
    """A notebook run in a folder of its own, and an expression of its names at the end, as JSON."""
    monkeypatch.setenv("TMPDIR", str(folder))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({told}))"))
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    return notebook, json.loads(notebook.cells[-1].outputs[0].text)


def pictures(notebook: Any) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_stripped_and_the_first_words_say_simulated(name: str) -> None:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert "Everything here is simulated" in notebook.cells[0].source
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_a_patch_is_explored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        "{'checks': {k: bool(v) for k, v in checks.items()}, 'vh': loss_db['VH'], 'ndvi': ndvi_loss, "
        "'sides': {s: [len(own.split.pre), len(own.split.post)] for s, own in sides.items()}, "
        "'refused': [r.id for r in report.refused], 'written': report.written}"
    )
    notebook, facts = executed("01_explore_a_patch", tmp_path, told, monkeypatch)
    assert len(facts["checks"]) == 4
    assert all(facts["checks"].values())
    assert facts["sides"] == {"s1asc": [5, 4], "s1dsc": [5, 4], "s2": [5, 4]}
    assert facts["vh"] > 1.0  # forest went: VH falls
    assert facts["ndvi"] > 0.3
    assert (facts["written"], facts["refused"]) == (1, ["hokkaido_2"])
    assert pictures(notebook) == 5


def test_a_network_is_trained_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        "{'leaking': leaking, 'pr_auc': {n: f['pr_auc'] for n, f in figures.items()}, "
        "'patches': {n: len(c.ids) for n, c in counts.items()}, 'finished': trained.finished, "
        "'share': record.landslide_share, 'epochs': len(log), 'rows': list(table.index)}"
    )
    notebook, facts = executed("02_train_and_evaluate", tmp_path, told, monkeypatch)
    assert facts["leaking"] == {"official": 3, "blocked 0": 0, "blocked 1": 0, "blocked 2": 0}
    assert facts["finished"]
    assert facts["epochs"] == 20
    assert facts["patches"] == {"U-Net": 4, "log ratio": 4}
    assert facts["rows"] == ["U-Net", "log ratio"]
    for value in facts["pr_auc"].values():
        assert value > 2 * max(facts["share"].values())  # far better than chance
    assert pictures(notebook) == 3
