"""Scores stored after each session, so that an interrupted run can be continued without loss."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

import benchmarks.alignment
import dataset
import sync
from benchmarks.alignment.score import Score
from dataset.support.errors import InputError


def code_version(*, rivals: bool) -> str:
    """Return what scores depend on besides the session: the code of estimator and benchmark, and the methods scored."""
    digest = hashlib.sha256(b"rivals" if rivals else b"ours alone")
    for package in (dataset, sync, benchmarks.alignment):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def keep(path: Path, version: str, stratum: str, seed: int, scores: list[Score]) -> None:
    """Append one session's scores to the file."""
    rows = [{**asdict(s), "error_s": s.error_s.tolist(), "half_width_s": s.half_width_s.tolist()} for s in scores]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"version": version, "stratum": stratum, "seed": seed, "scores": rows}) + "\n")


def kept(path: Path, version: str) -> Iterator[tuple[str, int, list[Score]]]:
    """Yield each stored session's stratum, seed and scores; an incomplete last line is removed from the file.

    Raises
    ------
    InputError
        The file is of another kind, or has scores of other code.
    """
    if not path.is_file():
        return
    content = path.read_bytes()
    n_whole = content.rfind(b"\n") + 1
    if not content.startswith(b'{"version": '[: len(content)]):
        raise InputError(f"{path} has no scores", "it is another kind of file", "give a new file")
    os.truncate(path, n_whole)
    for line in content[:n_whole].splitlines():
        session = json.loads(line)
        if session["version"] != version:
            raise InputError(f"{path} has scores of other code or other methods", "they would be mixed",
                             "name a new file")  # fmt: skip
        yield session["stratum"], session["seed"], [_score(**row) for row in session["scores"]]


def _score(*, error_s: list[float], half_width_s: list[float], **rest: object) -> Score:
    return Score(error_s=np.array(error_s), half_width_s=np.array(half_width_s), **rest)  # type: ignore[arg-type]
