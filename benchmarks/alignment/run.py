"""One session scored by every estimator, as a worker process does it."""

from __future__ import annotations

import traceback

from benchmarks.alignment.bound import response_sd_s
from benchmarks.alignment.ours import estimate
from benchmarks.alignment.rivals import RIVALS
from benchmarks.alignment.score import Score, score
from benchmarks.alignment.synthetic import make_session

OURS = "ours"


def run_one(stratum: str, seed: int, rivals: bool) -> tuple[list[Score], str]:
    """Make one session and score every estimator on it; a crash is told beside the scores."""
    session = make_session(stratum, seed)
    try:
        scores = score(session, OURS, estimate(session), response_sd_s)
    except Exception:  # noqa: BLE001 - the other sessions go on, and the table counts it
        return [], f"{stratum} {seed}: {traceback.format_exc()}"
    if rivals:
        for name, rival in RIVALS.items():
            scores += score(session, name, rival(session), None)
    return scores, ""
