"""Score every estimator on one session, in a worker process."""

from __future__ import annotations

import traceback

from benchmarks.alignment.bound import response_sd_s
from benchmarks.alignment.ours import estimate
from benchmarks.alignment.rivals import RIVALS
from benchmarks.alignment.score import Score, score
from benchmarks.alignment.synthetic import make_session

OURS = "ours"


def run_one(stratum: str, seed: int, rivals: bool) -> tuple[list[Score], str]:
    """Make one session and score every estimator on it; return the scores and a crash report, if any."""
    session = make_session(stratum, seed)
    try:
        scores = score(session, OURS, estimate(session), response_sd_s)
    except Exception:  # noqa: BLE001 - the other sessions continue, and the crash is counted
        return [], f"{stratum} {seed}: {traceback.format_exc()}"
    if rivals:
        for name, rival in RIVALS.items():
            scores += score(session, name, rival(session), None)
    return scores, ""
