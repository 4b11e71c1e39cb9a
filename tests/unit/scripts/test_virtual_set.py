"""The virtual set is the same each time, its tiers are what they say, and an interrupted one goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acquire.protocol.protocol import load_protocol
from acquire.protocol.schedule import build_schedule
from acquire.virtual.person.world import World
from dataset.capture.reader import Capture
from dataset.exercises import PAPER_EXERCISES
from dataset.session.file import read_session
from scripts import virtual_set
from scripts.virtual_set import MINUTES, PROTOCOL, TIERS, is_made, record_all, takes


def test_the_full_tier_has_the_papers_minutes_and_the_quick_one_is_its_beginning() -> None:
    full, quick = takes("full"), takes("quick")
    assert {s: MINUTES * n for s, n in TIERS["full"].items()} == {"V1": 100, "V2": 20}
    assert len(full) == 24
    assert set(quick) < set(full)
    assert {take.subject for take in quick} == {"V1", "V2"}
    assert len({take.seed for take in full}) == len({(t.subject, t.stamp) for t in full}) == len(full)


def test_a_recording_holds_one_pass_over_the_papers_exercises_about_as_its_protocol_says() -> None:
    protocol, _ = load_protocol(Path(PROTOCOL))
    schedule = build_schedule(protocol, 1)
    assert schedule.duration_s == pytest.approx(MINUTES * 60.0, abs=15.0)
    assert [p.label for p in schedule.prompts if p.kind == "exercise_start"] == list(PAPER_EXERCISES)


def test_its_two_people_differ_in_build_strength_and_placement() -> None:
    one, other = World(1, "V1"), World(1, "V2")
    assert abs(one.body.height_m - other.body.height_m) > 0.08
    assert abs(one.body.mass_kg - other.body.mass_kg) > 8.0
    ratios = [b / a for a, b in zip(one.muscles.strength, other.muscles.strength, strict=True)]
    assert max(ratios) > 1.25
    gains = [b / a for a, b in zip(one.placement.gain, other.placement.gain, strict=True)]
    assert max(gains) / min(gains) > 1.4


@pytest.mark.slow
def test_an_interrupted_set_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TIERS, "quick", {"V1": 2})
    captures, sessions = tmp_path / "captures", tmp_path / "sessions"
    wanted = takes("quick")
    done: list[int] = []
    assert record_all(captures, wanted[:1], jobs=1, minutes=0.8, each=lambda: done.append(1)) == 1
    first = wanted[0].folder(captures)
    made_ns = (first / "manifest.json").stat().st_mtime_ns
    # The second one was cut off: a folder without a manifest.
    half = wanted[1].folder(captures)
    half.mkdir(parents=True)
    (half / "capture.db").write_bytes(b"")
    assert not is_made(half)

    monkeypatch.setattr("sys.argv", ["virtual_set", "--out", str(tmp_path), "--minutes", "0.8", "--jobs", "1"])
    assert virtual_set.main() == 0
    assert is_made(half)
    assert (first / "manifest.json").stat().st_mtime_ns == made_ns
    with Capture.open(half) as capture:
        assert json.loads((half / "truth.json").read_text())["exercises"]
        assert int(capture.meta["sync_seed"]) == wanted[1].seed
    files = sorted(sessions.glob("*.h5"))
    assert len(files) == 2
    assert all(read_session(f).verdict == "PASS" for f in files)
    written = [f.stat().st_mtime_ns for f in files]
    assert virtual_set.main() == 0
    assert [f.stat().st_mtime_ns for f in files] == written
