"""A recording of the virtual rig whose disk another program fills: it ends by itself, closed, and says so loudly."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from acquire.maintenance.recover import verify
from dataset.capture.reader import Capture
from tests.small_disk import run_on_small_disk

pytestmark = pytest.mark.slow

RECORD = """
"$1" -c "from acquire.cli import main; main()" run --headless --rig virtual --out "$DISK" --subject S1 --seed 5 --json \
    >"$WORK/stdout" 2>"$WORK/stderr" &
while [ ! -s "$DISK"/sub-S1/ses-*/video.mkv ] && kill -0 $!; do sleep 0.1; done
sleep 4
head -c "$2" /dev/zero >"$DISK/filler"
wait $!
echo $? >"$WORK/code"
cp -a "$DISK/sub-S1" "$WORK/"
"""


@pytest.mark.parametrize(("filler", "n_mb"), [("to the last byte", 300), ("almost", 110)])
def test_the_recording_ends_closed_and_loudly(tmp_path: Path, filler: str, n_mb: int) -> None:
    done = run_on_small_disk(RECORD, tmp_path, 160, sys.executable, str(n_mb * 2**20))
    told = (tmp_path / "stderr").read_text()
    assert (tmp_path / "code").read_text().strip() == "2", (told, done.stderr)
    assert "THE DISK IS FULL: the recording ended after" in told and "saved and closed" in told
    result = json.loads((tmp_path / "stdout").read_text())
    assert result["error"]["code"] == "disk-full"
    (folder,) = tmp_path.glob("sub-S1/ses-*")
    assert verify(folder) == ()
    with Capture.open(folder) as capture:
        assert any(what.startswith("the disk is full") for _, _, what, _ in capture.log())
        assert capture.manifest["health"]["disk_full"]
        ended_ns = max(host_ns for host_ns, _ in capture.clock_anchors())
        for sensor in capture.sensors:
            arrival = capture.notifications(sensor.slot).arrival_ns
            assert len(arrival) > 20 and (ended_ns - arrival[-1]) * 1e-9 < 0.8
        frames = capture.frames()
        with av.open(str(folder / "video.mkv")) as video:
            decoded_ms = [round(1000 * float(f.time)) for f in video.decode(video=0) if f.time is not None]
        kept = frames.pts_ns[frames.pts_ns >= 0]
        missing_s = (kept[-1] * 1e-6 - decoded_ms[-1]) * 1e-3
        assert np.isin(decoded_ms, kept // 1_000_000).all() and missing_s <= 0.6
        if filler == "almost":
            assert missing_s == 0
