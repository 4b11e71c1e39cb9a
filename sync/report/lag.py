"""The lag probe's section: what motion alone says of the alignment."""

from __future__ import annotations

import math

from dataset.session.types import Session
from sync.fit.priors import MOTION_LAG
from sync.quality.lag_probe import LagProbe, probe_lag
from sync.report import figures
from sync.report.section import Section

#: A lag this far off what physiology explains deserves a word.
_NOTEWORTHY_S = 0.2


def lag_section(session: Session) -> Section | None:
    """Return the section; None where the session has no keypoints to compare with."""
    aligned = session.aligned
    if aligned.keypoints_2d is None and aligned.keypoints_3d is None:
        return None
    probe = probe_lag(session)
    shown = [(name, c.curve, c.lag_s, c.motion) for name, c in probe.channels.items() if len(c.curve)]
    if not shown:
        return None
    return Section(
        title="Lag of sEMG behind the motion",
        texts=(_in_words(probe), *_aliases(probe), *_relative(session)),
        image=figures.lag_figure(probe.lags_s, shown, probe.lag_s),
        alt="Correlation of each channel with its motion over the lag between them",
        note="An independent probe, not the alignment: it uses no clock, flash or clap. It is coarse, and movement "
        "that repeats fits again a period later. In a recording that is right, muscles lead the motion by "
        f"{-1e3 * MOTION_LAG.value_s:.0f} ± {1e3 * MOTION_LAG.sd_s:.0f} ms or so; those that brake come later.",
    )


def _in_words(probe: LagProbe) -> str:
    if not math.isfinite(probe.lag_s):
        return f"No lag can be told: {probe.reason}."
    text = (
        f"By the motion, sEMG is {abs(probe.lag_s):.2f} s {'later' if probe.lag_s > 0 else 'earlier'} than the motion "
        f"(± {probe.ci95_s:.2f} s over its windows; {probe.muscle}, correlation {probe.r:.2f}, "
        f"{probe.r_at_zero:.2f} at lag 0)."
    )
    if probe.ambiguous:
        return f"{text} It is {probe.reason}."
    beyond_s = abs(probe.lag_s - MOTION_LAG.value_s)
    if beyond_s <= _NOTEWORTHY_S:
        return text
    if beyond_s <= probe.ci95_s:
        return (
            f"{text} Physiology would explain less, but the interval holds what it explains: nothing follows from this."
        )
    return f"{text} That is more than physiology explains: look at the alignment, or at what the movement was."


def _aliases(probe: LagProbe) -> tuple[str, ...]:
    if not probe.aliases:
        return ()
    told = ", ".join(f"{p.lag_s:+.2f} s (r {p.r:.2f})" for p in probe.aliases[:4])
    return (f"The movement repeats, so other lags fit as well: {told}.",)


def _relative(session: Session) -> tuple[str, ...]:
    """Say so where the session was moved by its own lag."""
    for step in session.provenance:
        if step.get("alignment") == "relative":
            return (
                f"The alignment is relative: sEMG was moved {step.get('removed_s', 0.0):+.1f} s earlier by this lag, "
                "less a stated lead of the muscles.",
            )
    return ()
