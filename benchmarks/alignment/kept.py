"""Scores kept session by session, so that a run that is cut off loses none and goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.alignment.score import Score


def keep(path: Path, stratum: str, seed: int, scores: list[Score]) -> None:
    """Append one session's scores to the file."""
    rows = [{**asdict(s), "error_s": s.error_s.tolist(), "half_width_s": s.half_width_s.tolist()} for s in scores]
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"stratum": stratum, "seed": seed, "scores": rows}) + "\n")


def kept(path: Path) -> Iterator[tuple[str, int, list[Score]]]:
    """Yield each kept session's stratum, seed and scores; a last line that was cut off is taken off the file."""
    if not path.is_file():
        return
    whole, line_end, cut_off = path.read_text(encoding="utf-8").rpartition("\n")
    if cut_off:
        path.write_text(whole + line_end, encoding="utf-8")
    for line in whole.splitlines():
        session = json.loads(line)
        yield session["stratum"], session["seed"], [_score(**row) for row in session["scores"]]


def _score(*, error_s: list[float], half_width_s: list[float], **rest: object) -> Score:
    return Score(error_s=np.array(error_s), half_width_s=np.array(half_width_s), **rest)  # type: ignore[arg-type]
