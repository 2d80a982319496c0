import json
from pathlib import Path


def test_notebooks_are_stored_without_outputs(repository: Path) -> None:
    notebooks = sorted((repository / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert cells[0]["source"][0].startswith("# "), path
        for cell in cells:
            if cell["cell_type"] == "code":
                assert not cell["outputs"], path
                assert cell["execution_count"] is None, path
                assert len("".join(cell["source"]).splitlines()) <= 15, path
