"""Put the pages of an experiment's folder together as one page of the docs, its figures beside it.

`python scripts/experiments_page.py experiments/quick docs/experiments-virtual.md`
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from dataset.support.errors import InputError
from dataset.support.files import write_atomically
from model.experiments.run import EXPERIMENTS

_IMAGE = re.compile(r"(!\[[^\]]*\])\(([^)]+)\)")


def page_of(folder: Path, images: Path, images_as: str) -> str:
    """Return the experiments' pages as one, their figures copied to ``images``.

    Raises
    ------
    InputError
        There is no page in ``folder``.
    """
    pages = [folder / f"{name}.md" for name in EXPERIMENTS if (folder / f"{name}.md").is_file()]
    if not pages:
        raise InputError(f"no experiment in {folder}", "it has no page", "run mia-train experiment first")
    images.mkdir(parents=True, exist_ok=True)

    def moved(found: re.Match[str]) -> str:
        shutil.copyfile(folder / found[2], images / found[2])
        return f"{found[1]}({images_as}/{found[2]})"

    heading = "# The experiments on the virtual set\n\nMade by `make experiments`; how they are made: [experiments.md]"
    return "\n".join([heading + "(experiments.md).\n", *(_IMAGE.sub(moved, page.read_text("utf-8")) for page in pages)])


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path)
    given = parser.parse_args()
    images = given.page.parent / "images" / given.page.stem
    write_atomically(given.page, page_of(given.folder, images, f"images/{given.page.stem}").encode())


if __name__ == "__main__":
    main()
