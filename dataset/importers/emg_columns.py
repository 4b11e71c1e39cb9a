"""Selects the sEMG columns of a table and names their channels: by the user's choice, by name, and by the values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dataset.muscles import Channel, channel_from_name, recognise, words_of
from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError

#: Stream names of a session that are not channels.
RESERVED = ("video", "sound")
#: Maximum number of channels of a capture made from files.
MOST_CHANNELS = 64
#: Fewest values for a judgement of a column's shape.
FEWEST_VALUES = 20
#: A column whose last value lies before this share of the table's time ends early.
ENDS_EARLY = 0.95
#: A wrapping counter increases by the same step in at least this share of its rows.
_EVEN_STEPS = 0.9
#: Length to which a name is shortened in a message.
_SHOWN = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Kinds of column other than sEMG, with the words in their names.
_OTHERS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "a time",
        _words("time times timestamp timestamps timestep elapsed seconds zeit datetime date clock utc unix"),
    ),
    (
        "a counter",
        _words("frame frames subframe index sample samples counter count nseq seq sequence packet packets row"),
    ),
    (
        "a marker or trigger",
        _words(
            "marker markers trigger triggers trig trg event events ttl sync synchro synchronisation synchronization "
            "digital activity annotation annotations stim stimulus button switch footswitch comment comments label"
        ),
    ),
    (
        "another sensor",
        _words(
            "acc accel accelerometer accelerometers acceleration accx accy accz gyr gyro gyros gyroscope gyroscopes "
            "gyrox gyroy gyroz magnetometer magx magy magz imu orientation quaternion quat roll pitch yaw euler ecg "
            "ekg eeg eog eda gsr ppg bvp hr hrv spo2 resp respiration breathing force forces fsr torque moment load "
            "pressure goniometer gonio angle angles velocity position displacement temperature temp humidity light "
            "lux flow volume battery batt rssi fx fy fz mx my mz cop grf"
        ),
    ),
)
_AXES = _words("x y z")
#: Names, split into words, that denote a time if they stand alone: ``t``, ``X[s]``.
_TIMES = {("t",), ("s",), ("ms",), ("us",), ("sec",), ("x", "s"), ("t", "s"), ("t", "ms"), ("t", "us")}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmgColumn:
    """An sEMG column.

    Attributes
    ----------
    index : int
        Index of the column among those given.
    column : str
        Its name in the table.
    channel : str
        Unique name of its channel.
    muscle, side : str
        From the vocabulary if recognised; else the channel's name, and an empty side.
    """

    index: int
    column: str
    channel: str
    muscle: str
    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A column that is left out: its name in the table, and why."""

    column: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmgColumns:
    """The sEMG columns of a table, the other columns, and notes on renamed channels."""

    taken: tuple[EmgColumn, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, list[dict[str, str]]]:
        """Return the columns as a JSON object."""
        return {
            "channels": [
                {"column": c.column, "channel": c.channel, "muscle": c.muscle, "side": c.side} for c in self.taken
            ],
            "left_out": [{"column": c.column, "why": c.why} for c in self.left_out],
        }

    def lines(self) -> list[str]:
        """Return the columns as text, one line each."""
        noted = {c.channel for c in self.taken if any(shown(c.channel) in note for note in self.notes)}
        renamed = [
            f"{shown(c.column)!r} is {shown(c.channel)!r}"
            for c in self.taken
            if c.channel != c.column and c.channel not in noted
        ]
        left = [f"{shown(c.column)!r} is left out: {c.why}" for c in self.left_out]
        return [*renamed, *left, *self.notes]


@dataclass(slots=True)
class _Names:
    """Channel names in use, and notes on renamed ones."""

    used: set[str] = field(default_factory=lambda: set(RESERVED))
    notes: list[str] = field(default_factory=list)

    def free(self, wanted: str) -> str:
        """Reserve a unique name: the wanted one, with a number appended if it is in use."""
        name, number = wanted, 2
        while name in self.used:
            name, number = f"{wanted}_{number}", number + 1
        self.used.add(name)
        if name != wanted:
            why = "is the name of a stream" if wanted in RESERVED else "is the name of another column as well"
            self.notes.append(f"{shown(wanted)!r} {why}: the channel is called {shown(name)!r}")
        return name


def choose_columns(
    where: str, names: Sequence[str], time_s: FloatArray, value: FloatArray, given: Mapping[str, str] | None = None
) -> EmgColumns:
    """Choose the sEMG columns by name and values, and name their channels by the muscle vocabulary.

    Parameters
    ----------
    where : str
        Name of the table, for messages.
    names : sequence of str, length K
        Names of the columns except the time.
    time_s : ndarray, shape (N,)
    value : ndarray, shape (N, K)
        NaN for blank cells.
    given : mapping of str to str, optional
        Channels named by the user, by column; these are always taken.

    Notes
    -----
    A column is left out if its name or its values show that it is something else: blank, constant,
    monotonic, increasing in steps like a counter, or ending well before the table. A name that is recognised as
    a muscle and its side becomes ``left_biceps`` and the like, unless two columns would have the same name. Any
    other name is kept.

    Raises
    ------
    InputError
        No column is left, there are more than 64, or a given column or channel is invalid.
    """
    own = _Names(used=set())
    columns = tuple(own.free(clean_name(name) or f"column_{i}") for i, name in enumerate(names, start=2))
    chosen = _given(where, columns, given or {})
    taken: list[int] = []
    left: list[LeftOut] = []
    for i, column in enumerate(columns):
        why = "" if i in chosen else (not_emg_by_name(column) or not_emg_by_values(time_s, value[:, i]))
        if i in chosen and not np.isfinite(value[:, i]).any():
            raise InputError(f"the column {shown(column)!r} of {where} holds no value", "every cell of it is blank")
        if why:
            left.append(LeftOut(column=names[i].strip() or column, why=why))
        else:
            taken.append(i)
    if not taken:
        listed = "; ".join(f"{shown(c.column)!r}: {c.why}" for c in left[:5])
        raise InputError(
            f"no column of {where} is sEMG",
            listed or "it has no column besides the time",
            'name one: --channel "COLUMN=left_biceps"',
        )
    if len(taken) > MOST_CHANNELS:
        raise InputError(
            f"{where} has {len(taken)} columns of sEMG",
            f"a recording may have {MOST_CHANNELS}",
            "remove the unwanted ones",
        )
    found, notes = _named(names, columns, taken, chosen)
    return EmgColumns(taken=found, left_out=tuple(left), notes=(*own.notes, *notes))


def _named(
    names: Sequence[str], columns: Sequence[str], taken: Sequence[int], chosen: Mapping[int, str]
) -> tuple[tuple[EmgColumn, ...], list[str]]:
    """Return the columns with unique channels, and notes on renamed ones."""
    known = {i: recognise(columns[i]) for i in taken}
    stored = {i: channel.name for i in taken if i not in chosen and (channel := known[i].channel) is not None}
    wanted = [*stored.values(), *chosen.values()]
    unused = _Names()
    found: dict[int, EmgColumn] = {}
    # Those named by the user come first, so that they keep their names.
    for i in sorted(taken, key=lambda i: i not in chosen):
        name = chosen.get(i) or (stored[i] if i in stored and wanted.count(stored[i]) == 1 else columns[i])
        name = unused.free(name)
        place = _place(name, chosen[i] if i in chosen else columns[i])
        found[i] = EmgColumn(
            index=i, column=names[i].strip() or columns[i], channel=name, muscle=place.muscle or name, side=place.side
        )
    return tuple(found[i] for i in taken), unused.notes


def _place(channel: str, name: str) -> Channel:
    """Return muscle and side of a name: recognised by the vocabulary, or by the stored spelling."""
    read, stored = recognise(name), channel_from_name(channel)
    return Channel(muscle=read.muscle or (stored.muscle if stored.side else channel), side=read.side or stored.side)


def clean_name(name: str) -> str:
    """Return a name in Unicode's composed form, without control characters and with single spaces.

    Characters that are not valid UTF-8 become question marks, and invisible ones are dropped.
    """
    encodable = name.encode("utf-8", "replace").decode("utf-8")
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in encodable)
    visible = "".join(c for c in spaced if _is_shown(c))
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def _is_shown(character: str) -> bool:
    joins = character in "\u200c\u200d"  # needed in words of some scripts
    no_character = ord(character) & 0xFFFE == 0xFFFE
    return joins or not (no_character or unicodedata.category(character) in ("Cf", "Cs"))


def shown(name: str) -> str:
    """Return a name for a message, shortened if long."""
    return name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…"


def _given(where: str, columns: Sequence[str], given: Mapping[str, str]) -> dict[int, str]:
    """Return the channel of each column named by the user."""
    chosen: dict[int, str] = {}
    for column, channel in given.items():
        name = clean_name(channel)
        if not name or name in RESERVED:
            raise InputError(
                f"a channel cannot be called {channel!r}",
                "it is empty" if not name else f"{name} is the name of a stream",
                "call it left_biceps or the like",
            )
        wanted = clean_name(column)
        fitting = [i for i, c in enumerate(columns) if c == wanted]
        fitting = fitting or [i for i, c in enumerate(columns) if c.casefold() == wanted.casefold()]
        if len(fitting) != 1:
            listed = ", ".join(repr(shown(c)) for c in columns[:12]) + (", ..." if len(columns) > 12 else "")
            raise InputError(f"{where} has no column {shown(column)!r}", f"its columns: {listed}", "name one of them")
        if fitting[0] in chosen:
            raise InputError(f"the column {shown(column)!r} is named twice", "two --channel options are for it")
        twin = next((c for i, c in chosen.items() if c.casefold() == name.casefold()), None)
        if twin is not None:
            raise InputError(
                f"two columns cannot both be {shown(name)!r}", "two --channel options name it", "give each its own"
            )
        chosen[fitting[0]] = name
    return chosen


def not_emg_by_name(name: str) -> str:
    """Return why a column is not sEMG by its name; empty if the name does not exclude it."""
    words = words_of(name)
    found = recognise(name)
    if found.channel is not None:
        return ""
    raw = re.findall(r"[^\W_]+", unicodedata.normalize("NFKD", name).casefold())
    every = {*words, *raw}
    for what, called in _OTHERS:
        if every & called:
            return f"by its name it is {what}"
    if "mag" in every and every & _AXES:
        return "by its name it is another sensor"
    if words in _TIMES:
        return "by its name it is a time"
    return ""


def not_emg_by_values(time_s: FloatArray, value: FloatArray) -> str:
    """Return why a column is not sEMG by its values; empty if they do not exclude it."""
    rows = np.flatnonzero(np.isfinite(value))
    if not len(rows):
        return "it holds no value"
    if len(rows) < FEWEST_VALUES:
        few = len(rows) < len(value) and len(value) >= FEWEST_VALUES
        return f"it holds {len(rows)} values in {len(value)} rows" if few else ""
    held = value[rows]
    steps = np.diff(held)
    if not steps.any():
        return f"its value never changes ({held[0]:g})"
    if (steps >= 0).all() or (steps <= 0).all():
        return "it is a ramp or a counter: it only rises" if steps.max() > 0 else "it is a ramp: it only falls"
    up = float(np.median(steps))
    even = np.isclose(steps, up, rtol=1e-6, atol=1e-9 * float(np.ptp(held)))
    if up > 0 and even.mean() >= _EVEN_STEPS and (steps[~even] < 0).all():
        return "it is a counter: it rises in equal steps and wraps"
    first_s, last_s = float(time_s[0]), float(time_s[-1])
    stops_s = float(time_s[rows[-1]])
    if stops_s - first_s < ENDS_EARLY * (last_s - first_s):
        return f"it ends early, {last_s - stops_s:.3g} s before the table does"
    return ""
