"""The commands' entry points: a foreign ``dataset``, a missing PyTorch, ``--version``, speed of ``--help``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mia_entry import foreign_dataset

ROOT = Path(__file__).parents[2]

#: As on a machine without PyTorch. (None in ``sys.modules`` would not do: SciPy looks there for array libraries.)
WITHOUT_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name="torch")
sys.meta_path.insert(0, NoTorch())
"""


def _run(root: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=root, env={"PYTHONPATH": str(root), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["record", "sync", "train"])
@pytest.mark.parametrize("as_json", [False, True])
def test_an_overwritten_dataset_is_one_line(tmp_path: Path, command: str, as_json: bool) -> None:
    for package in ("acquire", "dataset", "sync", "model"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mia_entry.py", tmp_path)
    # As the foreign package's file would: it imports what only that package has.
    (tmp_path / "dataset/__init__.py").write_text("from dataset.persistence.database import Database\n")
    arguments = ["status", "--json"] if as_json else ["status"]
    done = _run(tmp_path, f"import mia_entry; mia_entry.{command}()", *arguments)
    assert done.returncode == 2
    if as_json:
        assert json.loads(done.stdout)["error"]["code"] == "missing-dependency"
    else:
        lines = done.stderr.splitlines()
        assert len(lines) == 2 and "overwritten" in lines[0] and lines[1].startswith("hint: ")


def test_our_own_dataset_is_ours_and_others_are_not() -> None:
    assert foreign_dataset((ROOT / "dataset/__init__.py").read_text(encoding="utf-8")) == ""
    assert "missing" in foreign_dataset(None)
    assert "overwritten" in foreign_dataset("")


def test_training_without_pytorch_names_the_extra(tmp_path: Path) -> None:
    code = WITHOUT_TORCH + "import mia_entry; mia_entry.train()"
    done = _run(ROOT, code, "fit", str(tmp_path), "--out", str(tmp_path / "run"))
    assert done.returncode == 2 and "muscles-in-action[train]" in done.stderr
    assert not (tmp_path / "run").exists()


def test_recording_and_aligning_import_no_pytorch() -> None:
    code = "import acquire.recording.recorder, sync.pipeline, sync.batch, dataset.pose.extract, dataset.windows\n"
    done = _run(ROOT, WITHOUT_TORCH + code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["record", "sync", "train"])
def test_the_version_is_printed(command: str) -> None:
    done = _run(ROOT, f"import mia_entry; mia_entry.{command}()", "--version")
    assert done.returncode == 0 and done.stdout.startswith(f"mia-{command}, muscles-in-action ")


@pytest.mark.slow
def test_a_wheel_holds_profiles_protocols_templates_and_the_entry_point(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        held = set(file.namelist())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", str(wheel)], check=True, capture_output=True)
    data = {
        str(path.relative_to(ROOT))
        for package in ("acquire", "dataset", "model", "sync")
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".toml", ".html", ".css", ".tcss", ".js", ".py"} and "__pycache__" not in path.parts
    }
    assert {"dataset/sensors/anr-m40.toml", "acquire/protocol/demo.toml", "sync/report/report.html"} <= data
    assert data | {"mia_entry.py"} <= held
