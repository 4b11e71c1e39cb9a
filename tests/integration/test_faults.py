"""The fault matrix: what goes wrong with one of eight sensors, and what capture, log, screen and the others make of it.

Each row of the tables is one fault on one virtual sensor (a real GATT server, reached through bleak) in a recording
of all eight. The faults of a table come one after the other, so that of each the other seven can be asked whether
they noticed: nothing of theirs is lost, none leaves its state, and no row of the log is about them.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.bluetooth.manager import SensorManager
from acquire.bluetooth.status import SensorStatus, trouble
from acquire.cli import health_text
from acquire.event_log import EventLog
from acquire.virtual.devices.sensors import VirtualSensors
from acquire.virtual.faults import Faults
from dataset.capture.reader import Capture
from dataset.capture.types import Notifications
from dataset.capture.writer import CaptureWriter

#: No pauses but those that are ordered.
CALM = Faults(pauses_per_minute=0.0)
#: Rows that a busy test machine may cause by itself, and those of one that stood still for longer than this.
BY_THE_MACHINE = {"overdue: late or lost", "values came late", "the Bluetooth loop was blocked"}
STARVED_S = 0.25
BY_A_STARVED_MACHINE = BY_THE_MACHINE | {"stale", "back"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row: what is ordered of which sensor, how long it takes, and what must be seen.

    ``log`` are words that must follow one another in the log, ``states`` what the person sees the sensor pass through,
    ``shown`` a part of the words beside it, ``capture`` what the rows of this sensor must satisfy.
    """

    name: str
    slot: int
    order: Callable[[VirtualSensors, int], None]
    seconds: float
    log: tuple[str, ...]
    states: tuple[str, ...]
    capture: Callable[[Seen], None]
    shown: str = ""


@dataclass
class Seen:
    """What one recording showed of one sensor between two moments."""

    seconds: float
    stood_s: float
    notifications: Notifications
    health: dict[str, Any]
    rows: list[tuple[int, str, str, dict[str, Any]]]
    states: list[str]
    words: set[str]

    @property
    def slack(self) -> float:
        """Values by which a count may differ: the window's two ends, and a machine that stood still."""
        return 1.5 + 10 * self.stood_s

    @property
    def what(self) -> list[str]:
        return [what for _, _, what, _ in self.rows]

    def detail(self, what: str, key: str) -> list[Any]:
        return [detail[key] for _, _, row, detail in self.rows if row == what and key in detail]

    @property
    def path(self) -> tuple[str, ...]:
        """The states by the log, the first as it was shown."""
        steps = [(detail["from"], detail["to"]) for _, _, _, detail in self.rows if "to" in detail]
        return (self.states[0], *(to for came_from, to in steps if to != came_from))

    @property
    def gaps_s(self) -> np.ndarray[Any, Any]:
        return np.diff(self.notifications.arrival_ns) * 1e-9

    @property
    def sizes(self) -> list[int]:
        return [len(p) for p in self.notifications.payload]

    @property
    def values(self) -> list[int]:
        return [struct.unpack("<H", p)[0] for p in self.notifications.payload if len(p) == 2]

    @property
    def epochs(self) -> list[int]:
        return sorted(set(self.notifications.epoch.tolist()))


@dataclass
class Session:
    """A recording of eight sensors that watches what a person would see."""

    hardware: VirtualSensors
    folder: Path
    event_log: EventLog = field(default_factory=EventLog)
    seen: list[tuple[int, tuple[SensorStatus, ...]]] = field(default_factory=list)
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)
    began_ns: int = 0
    ended_ns: int = 0

    @contextmanager
    def recording(self, ready: int = 8) -> Iterator[SensorManager]:
        """Record as the recorder does, from the moment ``ready`` sensors stream."""
        self.manager = SensorManager(self.hardware, self.event_log)
        looking, stop = threading.Thread(target=self._look), threading.Event()
        self._stop = stop
        try:
            self.manager.start()
            self.wait(lambda: sum(self.streams(slot) for slot in range(1, 9)) >= ready)
            writer = CaptureWriter(self.folder, subject="S1", sensors=self.manager.sensors)
            self.event_log.attach(writer)
            self.began_ns = self.manager.attach(writer)
            looking.start()
            yield self.manager
            self.ended_ns = self.manager.detach()
            self.health = self.manager.health(self.ended_ns)
            self.event_log.detach()
            writer.close({"sensors": self.health})
            self.manager.stop()
            self.sent = self.hardware.report()
        finally:
            stop.set()
            if looking.ident is not None:
                looking.join()
            self.manager.stop()
            self.hardware.close()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.seen.append((time.perf_counter_ns(), self.manager.statuses()))

    def wait(self, condition: Callable[[], bool], timeout_s: float = 40.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, [(s.sensor.channel, s.state) for s in self.manager.statuses()]
            time.sleep(0.02)

    def unhurt(self, slot: int, window: tuple[int, int], also: frozenset[str] = frozenset()) -> None:
        """Hold a sensor against one that nothing has happened to."""
        seen = self.of(slot, window)
        assert len(seen.values) == pytest.approx(10 * seen.seconds, abs=seen.slack), f"slot {slot} lost something"
        assert len(seen.epochs) == 1
        looked_ns = [t for t, _ in self.seen if window[0] <= t <= window[1]]
        stood_s = max(
            np.diff(looked_ns).max() * 1e-9, self.sent[self.manager.sensors[slot - 1].channel]["worst_lateness_s"]
        )
        if stood_s < STARVED_S:
            assert seen.states == ["streaming"]
        assert set(seen.what) <= (BY_THE_MACHINE if stood_s < STARVED_S else BY_A_STARVED_MACHINE) | also

    def streams(self, slot: int) -> bool:
        status = self.manager.statuses()[slot - 1]
        return status.state == "streaming" and status.health.received > 2 and status.health.silent_s < 0.3

    def run(self, fault: Fault) -> None:
        """Let one fault happen, and wait until its sensor streams again."""
        began_ns = time.perf_counter_ns()
        time.sleep(0.2)
        fault.order(self.hardware, fault.slot)
        time.sleep(fault.seconds)
        self.wait(lambda: self.streams(fault.slot))
        time.sleep(0.5)  # lost and late are told apart by the values that follow
        self.windows[fault.name] = (began_ns, time.perf_counter_ns())

    def of(self, slot: int, window: tuple[int, int] | None = None) -> Seen:
        """Return what was stored, told and shown of one slot."""
        from_ns, until_ns = window or (self.began_ns, self.ended_ns)
        with Capture.open(self.folder) as capture:
            got = capture.notifications(slot)
            inside = (got.arrival_ns >= from_ns) & (got.arrival_ns <= until_ns)
            rows = [
                (t, level, what, detail)
                for t, level, what, detail in capture.log()
                if from_ns <= t <= until_ns and detail.get("slot") == slot
            ]
            (sensor,) = (s for s in capture.sensors if s.slot == slot)
            health = capture.manifest["health"]["sensors"][sensor.channel]
        chosen = np.flatnonzero(inside)
        statuses = [all_of[slot - 1] for t, all_of in self.seen if from_ns <= t <= until_ns]
        states = [s.state for s in statuses]
        # How long the recorder's process, or the sensors', was kept from running.
        looked_ns = [t for t, _ in self.seen if from_ns <= t <= until_ns]
        stood_s = max(float(np.diff(looked_ns).max()) * 1e-9, self.sent[sensor.channel]["worst_lateness_s"])
        return Seen(
            seconds=(until_ns - from_ns) * 1e-9,
            stood_s=stood_s if stood_s > STARVED_S else 0.0,
            notifications=Notifications(
                epoch=got.epoch[chosen],
                host_seq=got.host_seq[chosen],
                arrival_ns=got.arrival_ns[chosen],
                characteristic=tuple(got.characteristic[i] for i in chosen),
                payload=tuple(got.payload[i] for i in chosen),
            ),
            health=health,
            rows=rows,
            states=[s for i, s in enumerate(states) if i == 0 or s != states[i - 1]],
            words={trouble(s) for s in statuses},
        )


def follow_one_another(wanted: tuple[str, ...], told: list[str]) -> bool:
    rest = iter(told)
    return all(word in rest for word in wanted)


def check(session: Session, fault: Fault) -> None:
    """Hold one fault against its row, and the other seven against a recording without one."""
    window = session.windows[fault.name]
    seen = session.of(fault.slot, window)
    assert follow_one_another(fault.log, seen.what), seen.what
    if fault.states:
        assert seen.path == fault.states
        assert set(seen.states) == set(fault.states), "and a person saw it"
    assert any(fault.shown in words for words in seen.words), seen.words
    fault.capture(seen)
    for other in set(range(1, 9)) - {fault.slot}:
        session.unhurt(other, window)


# -- what the capture must hold ----------------------------------------------------------------------------------------


def late_but_whole(seen: Seen) -> None:
    """Every value is there; those that waited came at once."""
    assert len(seen.values) == pytest.approx(10 * seen.seconds, abs=seen.slack)
    assert seen.gaps_s.max() > 0.25
    assert np.sum(seen.gaps_s < 0.03) >= 1
    assert seen.health["suspected_lost"] == 0
    assert seen.health["late"] >= 2
    assert seen.epochs == [0]


def three_lost(seen: Seen) -> None:
    """Three values have no row, and nothing stands in for them."""
    assert 0.35 < seen.gaps_s.max() < 0.6
    assert seen.detail("values suspected lost", "total") == [3]
    assert seen.health["suspected_lost"] == 3
    assert seen.health["expected"] - seen.health["received"] == pytest.approx(3, abs=1)


def odd_payloads(seen: Seen) -> None:
    """They are stored as they came."""
    assert (seen.sizes.count(1), seen.sizes.count(3)) == (2, 2)
    assert seen.health["malformed"] == 4
    assert len(seen.sizes) == pytest.approx(10 * seen.seconds, abs=seen.slack)


def over_range(seen: Seen) -> None:
    """Never clipped."""
    assert sum(value > 1023 for value in seen.values) == 3
    assert sum(epoch["out_of_range"] for epoch in seen.health["epochs"]) == 3


def twice(seen: Seen) -> None:
    """Both deliveries are kept: what is one value and what two is for who decodes."""
    assert np.sum(seen.gaps_s < 0.02) >= 20, "24 less those sent in the moment of the drop"
    assert [epoch["surplus"] for epoch in seen.health["epochs"]] == [False, True]


def reconnected(reason: str, away_s: float, within_s: float = 1.2) -> Callable[[Seen], None]:
    """A new epoch after a gap without rows."""

    def capture(seen: Seen) -> None:
        assert len(seen.epochs) == 2
        assert seen.epochs[1] == seen.epochs[0] + 1
        # Sensors that stood still did not advertise either: one scan more.
        assert seen.gaps_s.max() == pytest.approx(away_s, abs=within_s + 5 * bool(seen.stood_s))
        assert [r for r in seen.detail("disconnected", "reason") if reason in r] or not reason
        assert seen.health["reconnects"] == len(seen.health["epochs"]) - 1 >= 1
        assert len(seen.detail("found", "rssi_dbm")) >= 1

    return capture


def after_two_tries(failure: str) -> Callable[[Seen], None]:
    def capture(seen: Seen) -> None:
        reconnected("0x13", 1.5)(seen)
        assert seen.what.count("connecting failed") == 2
        told = [str(detail) for _, _, what, detail in seen.rows if what == "connecting failed"]
        assert all(failure in text for text in told), told

    return capture


def connected_anew_until_it_sends(seen: Seen) -> None:
    """Each connection that brings nothing is given up after 3 s, ever more rarely; the epochs between have no row."""
    assert seen.epochs[0] == 0
    assert 4 <= seen.epochs[-1] <= 7
    assert len(seen.epochs) == 2
    assert sum(epoch["received"] == 0 for epoch in seen.health["epochs"]) == seen.epochs[-1] - 1
    assert seen.gaps_s.max() == pytest.approx(31.5, abs=3.5)


def drop_and(after: Callable[[VirtualSensors, int], None]) -> Callable[[VirtualSensors, int], None]:
    def order(rig: VirtualSensors, slot: int) -> None:
        after(rig, slot)
        rig.drop(slot)

    return order


BACK_AGAIN = ("streaming", "lost", "reconnecting", "streaming")
REJOIN = ("reconnecting", "found", "streaming")


def spoil_both_ways(rig: VirtualSensors, slot: int) -> None:
    """Two payloads that are too short, and two that are too long."""
    rig.spoil(slot, "short", 2)
    rig.spoil(slot, "long", 2)


FAULTS = (
    Fault(
        name="a pause of 0.3 s",
        slot=1,
        order=lambda rig, slot: rig.silence(slot, 0.3),
        seconds=0.5,
        log=("overdue: late or lost", "values came late"),
        states=("streaming",),
        capture=late_but_whole,
    ),
    Fault(
        name="a burst after a pause",
        slot=2,
        order=lambda rig, slot: rig.silence(slot, 1.5),
        seconds=1.6,
        log=("overdue: late or lost", "stale", "back", "values came late"),
        states=("streaming", "stale", "streaming"),
        shown="stale 1 s",
        capture=late_but_whole,
    ),
    Fault(
        name="a pause of 3 s: reason 0x08",
        slot=3,
        order=lambda rig, slot: rig.silence(slot, 3.0),
        seconds=3.0,
        log=("overdue: late or lost", "stale", "disconnected", *REJOIN),
        states=("streaming", "stale", *BACK_AGAIN[1:]),
        shown="reconnecting",
        capture=reconnected("0x08 supervision timeout", 3.3),
    ),
    Fault(
        name="a pause of 3 s on a link that stands",
        slot=4,
        order=lambda rig, slot: rig.spoil(slot, "lost", 34),
        seconds=3.5,
        log=("overdue: late or lost", "stale", "silent: connection closed", *REJOIN),
        states=("streaming", "stale", *BACK_AGAIN[1:]),
        shown="stale 2 s",
        capture=reconnected("", 3.5),
    ),
    Fault(
        name="silent losses",
        slot=5,
        order=lambda rig, slot: rig.spoil(slot, "lost", 3),
        seconds=0.8,
        log=("overdue: late or lost", "values suspected lost"),
        states=("streaming",),
        capture=three_lost,
    ),
    Fault(
        name="payloads of 1 and 3 bytes",
        slot=6,
        order=spoil_both_ways,
        seconds=0.8,
        log=("malformed payloads",),
        states=("streaming",),
        capture=odd_payloads,
    ),
    Fault(
        name="values over 1023",
        slot=7,
        order=lambda rig, slot: rig.spoil(slot, "over", 3),
        seconds=0.6,
        log=("values out of range",),
        states=("streaming",),
        capture=over_range,
    ),
    Fault(
        name="a duplicate stream after a reconnection",
        slot=8,
        order=drop_and(lambda rig, slot: rig.spoil(slot, "double", 24)),
        seconds=2.8,
        log=("disconnected", *REJOIN, "more values than the sensor can send: duplicates?"),
        states=BACK_AGAIN,
        shown="sends too many values",
        capture=twice,
    ),
    Fault(
        name="reason 0x13",
        slot=1,
        order=lambda rig, slot: rig.drop(slot),
        seconds=0.3,
        log=("disconnected", *REJOIN),
        states=BACK_AGAIN,
        shown="lost",
        capture=reconnected("0x13 ended by the sensor", 0.6),
    ),
    Fault(
        name="reason 0x3E, twice",
        slot=2,
        order=drop_and(lambda rig, slot: rig.fail_to_establish(slot, 2)),
        seconds=0.3,
        log=("disconnected", "connecting failed", "reconnecting", "found", "connecting failed", *REJOIN),
        states=("streaming", *("lost", "reconnecting") * 3, "streaming"),
        capture=after_two_tries("0x3E failed to be established"),
    ),
    Fault(
        name="a refused connection, twice",
        slot=6,
        order=drop_and(lambda rig, slot: rig.refuse(slot, 2)),
        seconds=0.3,
        log=("disconnected", "connecting failed", "reconnecting", "found", "connecting failed", *REJOIN),
        states=("streaming", *("lost", "reconnecting") * 3, "streaming"),
        capture=after_two_tries("CONNECTION_LIMIT_EXCEEDED"),
    ),
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One recording in which every fault of the table happens, one after the other."""
    made = Session(VirtualSensors(31, faults=CALM), tmp_path_factory.mktemp("faults"))
    with pytest.MonkeyPatch.context() as patch, made.recording():
        patch.setattr("acquire.bluetooth.slot.TELL_EVERY_S", 0.0)  # or a row might come in the next fault's window
        for fault in FAULTS:
            made.run(fault)
    return made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_told_and_the_other_seven_never_notice(session: Session, fault: Fault) -> None:
    check(session, fault)


# -- what is so from the beginning, and what holds up the recorder itself ----------------------------------------------

NO_BATTERY, NO_SERIAL, ABSENT, DEAD = 1, 2, 7, 8
STALL_S = 1.5


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One recording with sensors that lack something, one that comes later, one that never comes, and stalls."""
    channels = [sensor.channel for sensor in VirtualSensors(32).sensors]
    faults = CALM.model_copy(
        update={
            "no_battery_channels": (channels[NO_BATTERY - 1],),
            "no_serial_channels": (channels[NO_SERIAL - 1],),
        }
    )
    made = Session(VirtualSensors(32, faults=faults), tmp_path_factory.mktemp("odd"))
    made.hardware.silence(ABSENT, 3600.0)
    made.hardware.silence(DEAD, 3600.0)
    with pytest.MonkeyPatch.context() as patch, made.recording(ready=6):
        patch.setattr("acquire.bluetooth.battery.EVERY_S", 0.5)
        for slot in (3, 4, NO_BATTERY):
            made.hardware.drop(slot)  # the new interval holds from the next connection on
        made.wait(lambda: all(made.streams(slot) for slot in range(1, 7)))
        made.windows["six"] = (time.perf_counter_ns(), 0)
        made.hardware.silence(ABSENT, 0.0)
        for slot in (3, 4, NO_BATTERY):
            made.hardware.set_battery(slot, 12)
        with sqlite3.connect(made.folder / "capture.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")  # the writer cannot commit
            time.sleep(STALL_S)
            other.execute("ROLLBACK")
        other.close()
        made.windows["writer"] = (made.windows["six"][0], time.perf_counter_ns())
        until = time.monotonic() + STALL_S
        while time.monotonic() < until:  # a screen that computes and draws nothing
            "".join(sorted(map(trouble, made.manager.statuses())))
        made.windows["screen"] = (made.windows["writer"][1], time.perf_counter_ns())
        made.wait(lambda: made.streams(ABSENT))
        time.sleep(0.6)
        made.windows["six"] = (made.windows["six"][0], time.perf_counter_ns())
    return made


def test_a_sensor_without_a_battery_service_streams_and_says_nothing_of_it(odd: Session) -> None:
    seen = odd.of(NO_BATTERY)
    assert "battery" not in seen.what
    assert seen.health["battery_percent"] is None
    assert {s[NO_BATTERY - 1].battery_percent for _, s in odd.seen} == {None}
    assert len(odd.of(NO_BATTERY, odd.windows["six"]).values) > 30


@pytest.mark.parametrize("slot", [3, 4], ids=["notified", "read again"])
def test_a_battery_that_falls_is_told(odd: Session, slot: int) -> None:
    seen = odd.of(slot)
    assert seen.detail("battery", "percent") == [12]
    assert [level for _, level, what, _ in seen.rows if what == "battery"] == ["warning"]
    assert seen.health["battery_percent"] == 12
    assert seen.health["epochs"][-1]["battery_percent"] == [80, 12]
    assert odd.seen[-1][1][slot - 1].battery_percent == 12


def test_eight_equal_names_are_told_apart_by_serial_and_where_there_is_none_by_address(odd: Session) -> None:
    with Capture.open(odd.folder) as capture:
        stored = {sensor.slot: sensor for sensor in capture.sensors}
    for wanted in odd.hardware.sensors:
        assert stored[wanted.slot].name == "ANR Corp M40"
        assert (stored[wanted.slot].serial, stored[wanted.slot].address) == (wanted.serial, wanted.address)
    assert not stored[NO_SERIAL].serial
    assert len(odd.of(NO_SERIAL).values) > 30


def test_an_absent_sensor_that_comes_later_takes_its_own_slot(odd: Session) -> None:
    seen = odd.of(ABSENT)
    told = [row.what for row in odd.event_log.recent(1000) if row.detail.get("slot") == ABSENT]
    assert follow_one_another(("not found", "found", "streaming"), told), "also what was before the recording"
    assert seen.states == ["scanning", "connecting", "streaming"] or seen.states == ["scanning", "streaming"]
    assert seen.epochs == [0]
    assert seen.notifications.arrival_ns[0] > odd.windows["six"][0]
    assert seen.health["away_s"] == pytest.approx((seen.notifications.arrival_ns[0] - odd.began_ns) * 1e-9, abs=0.3)
    assert any("scanning" in words for words in seen.words)


def test_a_dead_sensor_that_never_comes_leaves_no_row_and_is_named_all_the_time(odd: Session) -> None:
    seen = odd.of(DEAD)
    assert (len(seen.values), seen.health["received"], seen.health["epochs"]) == (0, 0, [])
    assert seen.health["expected"] > 10 * 2 * STALL_S
    assert seen.states == ["scanning"]
    assert seen.words == {f"{odd.hardware.sensors[DEAD - 1].channel} scanning"}
    told = [row for row in odd.event_log.recent(1000) if row.what == "not found" and row.detail["slot"] == DEAD]
    assert 1 <= len(told) <= 6, "not with every scan"
    assert "   0 of" in health_text(seen.health)


@pytest.mark.parametrize("stall", ["writer", "screen"])
def test_a_stalled_consumer_costs_no_value_and_no_stamp(odd: Session, stall: str) -> None:
    for slot in range(1, 7):
        odd.unhurt(slot, odd.windows[stall], frozenset({"battery"}))
        gaps_s = odd.of(slot, odd.windows[stall]).gaps_s
        assert gaps_s.max() < 0.4 * STALL_S, "arrivals are stamped when they come, not when they are written"


def test_the_other_six_never_notice_who_is_missing(odd: Session) -> None:
    for slot in range(1, 7):
        odd.unhurt(slot, odd.windows["six"], frozenset({"battery"}))


def test_adapter_and_loop_lag_are_rows_of_the_log(odd: Session) -> None:
    with Capture.open(odd.folder) as capture:
        log = [(what, detail) for _, _, what, detail in capture.log()]
    assert ("adapter", {"adapter": "virtual", "slots": list(range(1, 9))}) in log
    (lag,) = (detail for what, detail in log if what == "loop lag")
    assert 0 <= lag["p50_s"] < 0.05
    assert lag["n"] > 50


# -- long waits --------------------------------------------------------------------------------------------------------

LONG = (
    Fault(
        name="a pause of 30 s: reason 0x08",
        slot=3,
        order=lambda rig, slot: rig.silence(slot, 30.0),
        seconds=30.0,
        log=("stale", "disconnected", "reconnecting", "not found", *REJOIN),
        states=(),
        shown="3 s",
        capture=reconnected("0x08 supervision timeout", 33.0, within_s=4.0),
    ),
    Fault(
        name="a pause of 30 s on a link that stands",
        slot=4,
        order=lambda rig, slot: rig.spoil(slot, "lost", 190),  # it measures only while it is connected
        seconds=29.0,
        log=("stale", "silent: connection closed", *REJOIN, "stale", "silent: connection closed", *REJOIN),
        states=(),
        shown="stale 2 s",
        capture=connected_anew_until_it_sends,
    ),
)


@pytest.mark.slow
def test_after_thirty_seconds_a_sensor_is_back_in_its_slot(tmp_path: Path) -> None:
    session = Session(VirtualSensors(33, faults=CALM), tmp_path)
    with session.recording():
        for fault in LONG:
            session.run(fault)
    for fault in LONG:
        check(session, fault)
