"""``python -m benchmarks.hostile [--trials N] [--seed N]``: mutated files in processes of their own, with limits."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hostile.mutations import MIX, remove
from benchmarks.hostile.samples import Samples, make_samples
from benchmarks.hostile.trial import Outcome, refused_samples, run_trial
from dataset.support.console import STDERR, progress

#: Verdicts that a file may have; every other is a fault.
ALLOWED = ("refused", "accepted")


def run_trials(samples: Samples, work: Path, seeds: range, *, deep: bool = True) -> Iterator[Outcome]:
    """Yield the outcome of each seed."""
    for seed in seeds:
        folder = work / f"trial{seed}"
        folder.mkdir()
        yield run_trial(samples, folder, seed, deep=deep)
        remove(folder)


def main() -> int:
    """Run the trials; return 1 if any is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="how many files (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first of the files' seeds (default 0)")
    parser.add_argument("--quick", action="store_true", help="without training and synchronising")
    given = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="mia-hostile-") as name, progress("files", given.trials) as advance:
        samples = make_samples(Path(name) / "samples")
        if refused := refused_samples(samples, Path(name) / "valid"):
            sys.stdout.write(f"valid files are refused: {refused}\n")
            return 1
        seeds = range(given.seed, given.seed + given.trials)
        for outcome in run_trials(samples, Path(name), seeds, deep=not given.quick):
            counts[outcome.format, outcome.verdict] += 1
            advance(1)
            if outcome.verdict not in ALLOWED:
                words = f"seed {outcome.seed}: {outcome.verdict}: {outcome.format}, {outcome.mutation}: "
                words += outcome.detail
                STDERR.print(words, markup=False, soft_wrap=True)
    verdicts = sorted({verdict for _, verdict in counts})
    sys.stdout.write(f"{'format':16}" + "".join(f"{v:>10}" for v in verdicts) + "\n")
    for format_name in MIX:
        sys.stdout.write(f"{format_name:16}" + "".join(f"{counts[format_name, v]:10}" for v in verdicts) + "\n")
    total = Counter(verdict for _, verdict in counts.elements())
    sys.stdout.write(f"{'all':16}" + "".join(f"{total[v]:10}" for v in verdicts) + "\n")
    return int(any(verdict not in ALLOWED for verdict in total))


if __name__ == "__main__":
    sys.exit(main())
