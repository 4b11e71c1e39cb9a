"""``python -m benchmarks.detectors [--seeds 20] [--seed 0]``: contacts in sound and flashes in films, against truth."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.detectors import lightscape, soundscape
from benchmarks.detectors.lightscape import DISTURBANCES, Shot
from benchmarks.detectors.soundscape import CONTACTS, Setting
from dataset.support.arrays import FloatArray
from dataset.support.console import progress
from sync.events.contacts import detect_contacts
from sync.events.flashes import detect_flashes
from sync.fit.flash_fit import fit_flashes, host_flashes

#: Largest time between a detection and the true event that it is matched with.
_NEAR_CONTACT_S, _NEAR_FLASH_S = 0.03, 0.06
SETTINGS = (
    Setting(),
    Setting(background="speech", background_peak=0.1),
    Setting(background="speech", background_peak=0.4),
    Setting(background="music", background_peak=0.1),
    Setting(background="noise", background_peak=0.1),
    Setting(reverberant=True),
    Setting(channel="clipped", background="speech", background_peak=0.1),
    Setting(channel="agc"),
    Setting(channel="coded", rate_hz=44100),
    Setting(channel="downmixed"),
    Setting(rate_hz=8000),
)
_OUT = Console(width=150)


def main() -> None:
    """Run both parts and print a table each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="scenes and films of each kind (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.seeds)
    began = time.monotonic()
    n_shots = 2 * len(DISTURBANCES)
    with progress("detectors", float(len(seeds) * (len(SETTINGS) + n_shots))) as advance:
        contacts = contact_table(seeds, advance)
        flashes = flash_table(seeds, advance)
    _OUT.print(f"synthetic scenes, seeds {seeds.start}-{seeds.stop - 1}; {os.cpu_count()} cores; "
               f"{time.monotonic() - began:.0f} s")  # fmt: skip
    _OUT.print(contacts)
    _OUT.print(flashes)


def contact_table(seeds: range, advance: Callable[[float], None]) -> Table:
    """Score the contacts in every setting."""
    table = Table(title="contacts in sound: share detected with the right kind", title_justify="left")
    for head in ("background", "channel", "rate", *CONTACTS, "snap or door detected as clap", "missed claps",
                 "false a minute", "error p50", "p95 (ms)", "within stated"):  # fmt: skip
        table.add_column(head, justify="left" if head in ("background", "channel") else "right")
    for setting in SETTINGS:
        detected: Counter[tuple[str, str]] = Counter()
        invented, errors = 0, []
        for seed in seeds:
            made = soundscape.scene(np.random.default_rng(seed), setting)
            found = detect_contacts(made.sound)
            for kind, at_s in made.truth:
                near = [c for c in found if abs(c.time_s - at_s) < _NEAR_CONTACT_S]
                best = near[int(np.argmin([abs(c.time_s - at_s) for c in near]))] if near else None
                detected[kind, best.kind if best else "missed"] += 1
                if best and best.kind == kind:
                    errors.append((best.time_s - at_s, best.uncertainty_s))
            invented += sum(
                c.kind in ("clap", "stomp") and all(abs(c.time_s - at_s) > _NEAR_CONTACT_S for _, at_s in made.truth)
                for c in found
            )
            advance(1.0)
        off = np.array(errors)
        background = setting.background + (" in a room" if setting.reverberant else "")
        table.add_row(
            f"{background} {setting.background_peak:g}" if setting.background != "quiet" else background,
            setting.channel, f"{setting.rate_hz}",
            *(f"{_share(detected, kind, (kind,)):.1%}" for kind in CONTACTS),
            f"{(detected['snap', 'clap'] + detected['door', 'clap']) / max(1, _total(detected, ('snap', 'door'))):.1%}",
            f"{_share(detected, 'clap', ('missed',)):.1%}",
            f"{60 * invented / (len(seeds) * setting.seconds):.2f}",
            *(f"{1e3 * v:.1f}" for v in np.percentile(np.abs(off[:, 0]), (50, 95))),
            f"{np.mean(np.abs(off[:, 0]) < off[:, 1]):.1%}",
        )  # fmt: skip
    return table


def flash_table(seeds: range, advance: Callable[[float], None]) -> Table:
    """Score the flash detection, in the whole picture and in the selected region, under each disturbance."""
    title = "flashes in videos: in the whole picture alone, and in the region selected with the flash log"
    table = Table(title=title, title_justify="left")
    for head in ("beside", "flash", "n", "found, whole", "invented", "paired with the log", "wrongly", "refused films"):
        table.add_column(head, justify="left" if head in ("beside", "flash") else "right")
    for name in DISTURBANCES:
        for small in (False, True):
            counts: Counter[str] = Counter()
            for seed in seeds:
                made = lightscape.film(np.random.default_rng([seed, small]), Shot(disturbance=name, small=small))
                counts["n"] += len(made.flash_s)
                found = detect_flashes(made.brightness)
                hits = [f for f in found if _near(f.time_s, made.flash_s) < _NEAR_FLASH_S]
                counts["found"] += len({int(np.argmin(np.abs(made.flash_s - f.time_s))) for f in hits})
                counts["invented"] += len(found) - len(hits)
                log = host_flashes(made.flash_s, np.full(len(made.flash_s), 0.002), ["ledbox"] * len(made.flash_s))
                fit = fit_flashes(made.brightness, log)
                counts["refused"] += fit.line is None
                if fit.line is not None:
                    at_s = np.array([fit.detected[j].time_s for j in fit.pairing.pairs[:, 1]])
                    good = np.abs(at_s - made.flash_s[fit.pairing.pairs[:, 0]]) < _NEAR_FLASH_S
                    counts["paired"] += int(good.sum())
                    counts["wrong"] += int((~good).sum())
                advance(1.0)
            n = counts["n"]
            table.add_row(
                name, "spot" if small else "whole picture", str(n), f"{counts['found'] / n:.1%}",
                str(counts["invented"]), f"{counts['paired'] / n:.1%}", str(counts["wrong"]), str(counts["refused"]),
            )  # fmt: skip
    return table


def _near(at_s: float, truth_s: FloatArray) -> float:
    return float(np.min(np.abs(truth_s - at_s))) if len(truth_s) else float("inf")


def _total(detected: Counter[tuple[str, str]], kinds: Iterable[str]) -> int:
    return sum(n for (kind, _), n in detected.items() if kind in kinds)


def _share(detected: Counter[tuple[str, str]], kind: str, as_kinds: Iterable[str]) -> float:
    return sum(detected[kind, k] for k in as_kinds) / max(1, _total(detected, (kind,)))


if __name__ == "__main__":
    main()
