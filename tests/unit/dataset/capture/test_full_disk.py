"""A capture on a disk that fills up for good: nothing that was handed over is lost, and it is closed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dataset.capture.reader import Capture
from tests.small_disk import run_on_small_disk

WRITE = """
import json, sys, time
from pathlib import Path
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter, new_capture_folder
from dataset.support.errors import MiaError

disk, to_the_brim = Path(sys.argv[1]), sys.argv[2] == "brim"
writer = CaptureWriter(new_capture_folder(disk, "S1", "20260101T000000"), subject="S1",
                       sensors=[Sensor(slot=1, channel="a", muscle="a", side="left")])
def write(n):
    for k in range(n):
        writer.notification(1, 0, "u", time.perf_counter_ns(), bytes(500))
    while writer.counts["notification"] < total and writer.failure is None:
        time.sleep(0.01)
total = 50
write(50)
filler = (disk / "filler").open("wb")
try:
    while True:
        filler.write(bytes(1 << 16))
        filler.flush()
except OSError:
    pass
n = 2000 if to_the_brim else 40000
total += n
write(n)
told = {"disk_full": writer.disk_full, "failure": repr(writer.failure), "error": None}
try:
    writer.close()
except MiaError as error:
    told["error"] = error.as_dict()
print(json.dumps(told))
"""
COPY = 'python="$1"; shift; "$python" -c "$@" || exit 1; cp -a "$DISK/sub-S1" "$WORK/"'


def test_everything_handed_over_is_stored_and_the_capture_is_closed(tmp_path: Path) -> None:
    done = run_on_small_disk(COPY, tmp_path, 40, sys.executable, WRITE, str(tmp_path / "disk"), "brim")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"disk_full": True, "failure": "None", "error": None}
    with Capture.open(tmp_path / "sub-S1" / "ses-20260101T000000") as capture:
        assert capture.notifications(1).host_seq.tolist() == list(range(2050))
        assert set(capture.manifest["files"]) == {"capture.db"}


def test_more_than_the_room_held_back_is_said_and_what_was_committed_can_be_recovered(tmp_path: Path) -> None:
    from acquire.maintenance.recover import recover

    done = run_on_small_disk(COPY, tmp_path, 40, sys.executable, WRITE, str(tmp_path / "disk"), "over")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["disk_full"] and "full" in told["failure"]
    assert told["error"]["code"] == "disk-full" and "mia-record recover" in told["error"]["hint"]
    assert recover(tmp_path / "sub-S1" / "ses-20260101T000000").counts["notification"] >= 50
