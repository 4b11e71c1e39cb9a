"""Write docs/session.md from the session's schema."""

from __future__ import annotations

import sys
from pathlib import Path

from dataset.session_schema import (
    DATASETS,
    FORMAT_VERSION,
    ROOT_ATTRIBUTES,
    SUBJECT_ATTRIBUTES,
    SYNC_CONSTANTS,
    SYNC_FLOATS,
    SYNC_INTS,
    SYNC_TEXTS,
)

SENSOR_OFFSETS = (
    "A clap or a stomp measures a sensor's response, the sum of its delay and of the muscle's burst against the",
    "contact: `response_s`, with the half-width `error_ci95_s`, which the verdict rests on. How the sum splits is",
    "assumed: `offset_s = -(response_s - burst_prior_s)`, and `offset_ci95_s` holds what is assumed. To say which of",
    "two muscles worked first, take the half-width of the difference of their offsets, not the two half-widths: what",
    "is assumed of a limb is common to its sensors.",
)

KIND = {"f": "float64", "i": "int64", "b": "bool", "s": "UTF-8 text"}


def main() -> None:
    """Print the page."""
    lines = [
        "# Session file",
        "",
        "One HDF5 file a recording, on one clock: seconds from the session's own zero, `zero_host_ns` on the host",
        "clock (-1 where there is none). Made by `python scripts/session_docs.py > docs/session.md` from",
        f"`dataset/session_schema.py`; format version {FORMAT_VERSION}.",
        "",
        "C channels, T grid times, F frames looked at, V frames of the video, N values, E events, X exercises,",
        "M matched pairs, P epochs, L steps. Absent things are absent groups.",
        "",
        f"Root attributes: {', '.join(f'`{name}`' for name in ROOT_ATTRIBUTES)}.",
        "",
        "| dataset | type | shape | unit | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `/{s.path}` | {KIND[s.kind]} | ({', '.join(map(str, s.shape))}) | {s.unit or '-'} | {s.description} |"
        for s in DATASETS
    ]
    subject = ", ".join(f"`{name}`" for name in SUBJECT_ATTRIBUTES)
    lines += ["", f"Attributes of `/subject`, each optional: {subject}."]
    attributes = ", ".join(f"`{name}`" for name in (*SYNC_TEXTS, *SYNC_INTS, *SYNC_FLOATS))
    lines += ["", f"Attributes of `/sync/<stream>`: {attributes}, and the stream's named constants.", ""]
    lines += ["| constant | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in SYNC_CONSTANTS.items()]
    lines += ["", *SENSOR_OFFSETS, ""]
    lines += ["Stream map: `session_s = (1 + rate_ppm * 1e-6) * stream_s + offset_s`.", ""]
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(f"usage: {Path(sys.argv[0]).name} > docs/session.md")
    main()
