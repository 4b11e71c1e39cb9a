"""The section on lag: sEMG against motion, estimated by cross-correlation from the session alone."""

from __future__ import annotations

import math

from dataset.session.types import Session
from sync.fit.priors import MOTION_LAG
from sync.quality.lag_probe import LagProbe, probe_lag
from sync.report import figures
from sync.report.section import Section

#: A lag this far from the physiological one is commented on.
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
        title="Lag of sEMG behind motion",
        texts=(_in_words(probe), *_aliases(probe), *_relative(session)),
        image=figures.lag_figure(probe.lags_s, shown, probe.lag_s),
        alt="Correlation of each channel with its motion by lag",
        note="An independent check, not part of the alignment: it uses no clock, flash or clap. It is coarse, and "
        "periodic movement fits again one period later. In a correctly aligned recording muscles lead the motion by "
        f"about {-1e3 * MOTION_LAG.value_s:.0f} ± {1e3 * MOTION_LAG.sd_s:.0f} ms; braking muscles come later.",
    )


def _in_words(probe: LagProbe) -> str:
    if not math.isfinite(probe.lag_s):
        return f"The lag cannot be estimated: {probe.reason}."
    text = (
        f"Estimated from motion: sEMG {'lags' if probe.lag_s > 0 else 'leads'} by {abs(probe.lag_s):.2f} s "
        f"(± {probe.ci95_s:.2f} s across windows; {probe.muscle}, correlation {probe.r:.2f}, "
        f"{probe.r_at_zero:.2f} at lag 0)."
    )
    if probe.ambiguous:
        return f"{text} It is {probe.reason}."
    beyond_s = abs(probe.lag_s - MOTION_LAG.value_s)
    if beyond_s <= _NOTEWORTHY_S:
        return text
    if beyond_s <= probe.ci95_s:
        return f"{text} This is more than the physiological lag, but that lies within the interval: no conclusion."
    return f"{text} This is more than physiology explains: check the alignment, and which movement it was."


def _aliases(probe: LagProbe) -> tuple[str, ...]:
    if not probe.aliases:
        return ()
    others = ", ".join(f"{p.lag_s:+.2f} s (r {p.r:.2f})" for p in probe.aliases[:4])
    return (f"The movement is periodic, so other lags fit too: {others}.",)


def _relative(session: Session) -> tuple[str, ...]:
    """Return a note where the session's sEMG was shifted by its own lag."""
    for step in session.provenance:
        if step.get("alignment") == "relative":
            return (
                f"The alignment is relative: sEMG was shifted {step.get('removed_s', 0.0):+.1f} s earlier, by this lag "
                "plus an assumed lead of the muscles.",
            )
    return ()
