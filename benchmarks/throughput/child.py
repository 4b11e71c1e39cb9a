"""One measured process: ``decode`` or ``sync`` a capture, its times and peak memory as one JSON object on stdout.

The peak that counts is that of anonymous memory (``RssAnon`` of ``/proc/self/status``), sampled every 5 ms. The
resident set counts pages of files too, which the kernel drops when memory is needed.
"""

from __future__ import annotations

import functools
import importlib
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from sync.options import SyncOptions

_STATUS = Path("/proc/self/status")

#: Stages by the function that does each: (stage, module whose name is looked up, name, stage it is part of).
STAGES = (
    ("reading", "sync.pipeline", "read_recording", ""),
    ("  choice of pose frames", "sync.read_capture", "predict_pose_frames", "reading"),
    ("  pictures", "sync.read_capture", "run_video_pass", "reading"),
    ("  sound", "sync.read_capture", "read_sound", "reading"),
    ("  contacts", "sync.read_capture", "detect_contacts", "reading"),
    ("aligning", "sync.pipeline", "align", ""),
    ("assembling", "sync.pipeline", "build_session", ""),
    ("  checksum of the video", "sync.build_session", "describe_files", "assembling"),
    ("  keypoints of other frames", "sync.build_session", "extract_pose", "assembling"),
    ("report", "sync.report", "write_report", ""),
    ("session file", "sync.pipeline", "write_session", ""),
)


def decode(capture: Path, threads: int) -> dict[str, Any]:
    """Decode the video and do nothing with it."""
    import av

    began = time.perf_counter()
    with av.open(str(capture / "video.mkv")) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "NONE" if threads == 1 else "AUTO"
        n, last = 0, None
        for frame in container.decode(stream):
            n, last = n + 1, frame.time
    return {"wall_s": time.perf_counter() - began, "frames": n, "video_s": last}


def sync(capture: Path, *, pose: bool, workers: int | None) -> dict[str, Any]:
    """Synchronise the capture into a folder that is thrown away."""
    began = time.perf_counter()
    from sync.pipeline import run_capture

    spent = {"start-up": time.perf_counter() - began}
    lock = threading.Lock()

    def timed(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                with lock:
                    spent[stage] = spent.get(stage, 0.0) + time.perf_counter() - start

        return run

    for stage, module_name, name, _ in STAGES:
        module = importlib.import_module(module_name)
        setattr(module, name, timed(stage, getattr(module, name)))
    with tempfile.TemporaryDirectory() as out:
        result = run_capture(capture, Path(out), SyncOptions(pose=pose, workers=workers))
        session = result.session
        return {
            "wall_s": time.perf_counter() - began,
            "stages_s": spent,
            "verdict": result.verdict,
            "reasons": list(result.reasons),
            "frames_looked_at": len(session.pose.frame_index) if session.pose else 0,
            "video_s": float(session.video.frame_time_s[-1] - session.video.frame_time_s[0]) if session.video else 0.0,
        }


class AnonymousPeak(threading.Thread):
    """Peak of this process's anonymous memory, sampled in a thread while the block lasts; 0 where not reported."""

    def __init__(self, every_s: float = 0.005) -> None:
        super().__init__(name="anonymous-peak", daemon=True)
        self._every_s = every_s
        self._done = threading.Event()
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
        self._look()

    def run(self) -> None:
        """Sample until the block ends."""
        while not self._done.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        self.peak_bytes = max(self.peak_bytes, anonymous_bytes())


def anonymous_bytes() -> int:
    """Return this process's resident anonymous memory; 0 where the system has no ``/proc``."""
    try:
        status = _STATUS.read_text(encoding="ascii")
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), 0)


def main(arguments: list[str]) -> None:
    """Do what the arguments say: ``decode CAPTURE THREADS`` or ``sync CAPTURE pose|no-pose WORKERS``."""
    task, capture, how, *rest = arguments
    with AnonymousPeak() as anonymous:
        if task == "decode":
            result = decode(Path(capture), int(how))
        else:
            result = sync(Path(capture), pose=how == "pose", workers=int(rest[0]) or None)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    # Linux counts in KiB, macOS in bytes. A child that was forked counts what it shares with this process too.
    result["resident_bytes"] = max(own.ru_maxrss, children.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
    result["peak_bytes"] = anonymous.peak_bytes or result["resident_bytes"]
    result["peak_of"] = "anonymous" if anonymous.peak_bytes else "resident"
    result["cpu_s"] = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
