"""A recording filmed by another camera, in two parts: attached, and aligned as well as the whole file is."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from acquire.maintenance.attach import attach_videos
from acquire.protocol.protocol import parse_protocol
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.capture.closing import seal
from dataset.support.files import sha256_of
from sync.options import SyncOptions
from sync.pipeline import run_capture
from tests.short_protocol import PROTOCOL


def split(path: Path, out: Path) -> list[Path]:
    """Cut a video in two at a key frame, as a phone does at 4 GB: nothing encoded again, each part from 0."""
    with av.open(str(path)) as source:
        keys = [p.pts for p in source.demux(video=0) if p.is_keyframe and p.pts is not None]
    cut_s = keys[len(keys) // 2] * Fraction(1, 1000)
    parts = []
    for number, (start_s, stop_s) in enumerate([(Fraction(0), cut_s), (cut_s, Fraction(10**6))]):
        parts.append(out / f"part{number}.mkv")
        with av.open(str(path)) as source, av.open(str(parts[-1]), "w") as target:
            streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
            for packet in source.demux():
                if packet.pts is None or not start_s <= packet.pts * packet.time_base < stop_s:
                    continue
                shift = round(start_s / packet.time_base)
                packet.pts -= shift
                packet.dts = packet.pts
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return parts


@pytest.mark.slow
def test_two_parts_align_as_the_whole_file_does(tmp_path: Path) -> None:
    capture = simulate(
        tmp_path,
        SimulateOptions(subject="T5", minutes=None, seed=5, protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL)),
    )
    truth = json.loads((capture / "truth.json").read_text())
    parts = split(capture / "video.mkv", tmp_path)
    foreign = tmp_path / "foreign" / "sub-T5" / capture.name
    shutil.copytree(capture, foreign)
    (foreign / "video.mkv").rename(tmp_path / "whole.mkv")
    (foreign / "manifest.json").unlink()
    seal(foreign)
    with_whole = run_capture(foreign, tmp_path / "whole", SyncOptions(video=(tmp_path / "whole.mkv",), pose=False))
    attach_videos(foreign, parts)
    result = run_capture(foreign, tmp_path / "parts", SyncOptions(pose=False))
    assert result.session is not None and result.session.video is not None
    assert result.session.video.sha256 == " + ".join(map(sha256_of, parts))
    assert result.verdict == with_whole.verdict != "FAIL"
    one, two = (made.streams["video"] for made in (with_whole, result))
    assert one.n_matched == two.n_matched
    zero_s = (truth["video"]["host_ns_at_pts0"] - result.session.zero_host_ns) * 1e-9
    times_s = result.session.video.frame_time_s
    assert with_whole.session is not None and with_whole.session.video is not None
    assert len(times_s) == len(with_whole.session.video.frame_time_s)
    np.testing.assert_allclose(times_s, with_whole.session.video.frame_time_s, atol=0.012)
    assert abs(times_s[0] - zero_s) < 0.015
