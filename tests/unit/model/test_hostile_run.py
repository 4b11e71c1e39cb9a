"""A run folder of somebody else's: its files are its own, or refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dataset.support.errors import InputError
from model.checkpoint import REFERENCE, WEIGHTS, load_network, load_training_windows
from model.run_files import CONFIG, METRICS, KeptWindows, RunConfig, load_config, load_metrics

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes")

#: Without fields: the paths are checked before any of them is read.
_CONFIG = RunConfig.model_construct(training_windows=KeptWindows.model_construct())

READERS: dict[str, Callable[[Path], object]] = {
    CONFIG: load_config,
    METRICS: load_metrics,
    WEIGHTS: lambda run: load_network(run, _CONFIG),
    REFERENCE: lambda run: load_training_windows(run, _CONFIG),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "make",
    [lambda p: p.symlink_to("../secret"), lambda p: p.symlink_to("/dev/zero"), os.mkfifo],
    ids=["link", "device", "pipe"],
)
def test_links_and_pipes_in_place_of_its_files_are_refused(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    (tmp_path / "secret").write_text("secret")
    run = tmp_path / "run"
    run.mkdir()
    if name == METRICS:
        (run / CONFIG).write_text('{"format": "mia-run", "format_version": "1"}')
    make(run / name)
    with pytest.raises(InputError, match=r"is not a regular file of the folder"):
        READERS[name](run)
