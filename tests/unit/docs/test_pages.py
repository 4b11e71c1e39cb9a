"""The documentation: its error codes, its Python examples, its drawings, and that the site knows every page."""

from __future__ import annotations

import ast
import lzma
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import docs_drawings

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PACKAGES = ("acquire", "dataset", "model", "sync")


def _codes_in_the_tree() -> set[str]:
    """Return every value of a class attribute ``code``, and of ``"code"`` in a dictionary that is printed."""
    codes: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                    for line in node.body:
                        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
                        value = getattr(line, "value", None)
                        if isinstance(target, ast.Name) and target.id == "code" and isinstance(value, ast.Constant):
                            codes.add(str(value.value))
                elif isinstance(node, ast.Dict):
                    for key, value in zip(node.keys, node.values, strict=True):
                        named = isinstance(key, ast.Constant) and key.value == "code"
                        if named and isinstance(value, ast.Constant) and isinstance(value.value, str):
                            codes.add(value.value)
    return codes


def test_every_error_code_in_the_tree_has_its_paragraph() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    paragraphs = dict(re.findall(r"^\((\S+)\)=\n## (\S+)$", page, flags=re.MULTILINE))
    assert all(label == title for label, title in paragraphs.items())
    codes = _codes_in_the_tree()
    assert len(codes) >= 12, "the search finds fewer codes than there are"
    assert set(paragraphs) == codes


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    entries = [line.strip() for block in re.findall(r"```\{toctree\}(.*?)```", index, flags=re.DOTALL)
               for line in block.splitlines() if line.strip() and not line.startswith(":")]  # fmt: skip
    missing = [
        page.name for page in DOCS.glob("*.md") if page.stem != "index" and not any(
            re.fullmatch(entry.replace("*", ".*"), page.stem) for entry in entries)
    ]  # fmt: skip
    assert missing == []


def _blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(_blocks("own-program.md", "python"))))
def test_python_examples_run_as_written(number: int, tmp_path: Path) -> None:
    stored = ROOT / "tests/golden/session-1-imported.h5.xz"  # has keypoints
    with lzma.open(stored) as packed, (tmp_path / "session.h5").open("wb") as session:
        shutil.copyfileobj(packed, session)
    code = _blocks("own-program.md", "python")[number]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_drawings_are_what_the_script_draws(tmp_path: Path) -> None:
    stored = DOCS / "images/drawn"
    drawn = docs_drawings.write(tmp_path)
    assert {p.name for p in drawn} == {p.name for p in stored.glob("*")}
    for path in drawn:
        assert path.read_text(encoding="utf-8") == (stored / path.name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in DOCS.glob("*.md"))])
def test_links_to_files_hold(page: str) -> None:
    """The site checks its own links; this one also holds for the README, and for reading the files as they are."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(\s*([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    missing = [link for link in links if "://" not in link and not ((ROOT / page).parent / link).exists()]
    assert missing == []


def test_pages_named_in_the_program_exist() -> None:
    named = {
        name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r"docs/[a-z-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
