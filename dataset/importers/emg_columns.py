"""Which columns of a table are sEMG, and as which channel: by what was given, by name, and by the values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dataset.muscles import Channel, channel_from_name, recognise, words_of
from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError

#: Names of the streams of a session that are no channel.
RESERVED = ("video", "sound")
#: Channels that a capture made of files may have.
MOST_CHANNELS = 64
#: A column's course is judged from so many values on.
FEWEST_VALUES = 20
#: A column whose last value comes before this share of the table's time ends early.
ENDS_EARLY = 0.95
#: A counter that starts again and again climbs by the same step in this share of its rows.
_EVEN_STEPS = 0.9
#: Signs that a name is shortened to in a message.
_SHOWN = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What a column other than sEMG is called, by the words of its name.
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
#: Names, word by word, that are a time where nothing else stands beside them: ``t``, ``X[s]``.
_TIMES = {("t",), ("s",), ("ms",), ("us",), ("sec",), ("x", "s"), ("t", "s"), ("t", "ms"), ("t", "us")}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmgColumn:
    """A column that is sEMG.

    Attributes
    ----------
    index : int
        Of the column among those given.
    column : str
        Its name in the table.
    channel : str
        Name of its channel, unlike any other's.
    muscle, side : str
        Of the vocabulary where they were recognised; else the channel's name, and an empty side.
    """

    index: int
    column: str
    channel: str
    muscle: str
    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A column that is not taken: its name in the table, and why."""

    column: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmgColumns:
    """The columns of a table that are sEMG, those that are not, and what a person should know of the names."""

    taken: tuple[EmgColumn, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, list[dict[str, str]]]:
        """Return both for a command's JSON."""
        return {
            "channels": [
                {"column": c.column, "channel": c.channel, "muscle": c.muscle, "side": c.side} for c in self.taken
            ],
            "left_out": [{"column": c.column, "why": c.why} for c in self.left_out],
        }

    def lines(self) -> list[str]:
        """Return both for a person, a line each."""
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
    """Channel names in use, and the notes on those that had to change."""

    used: set[str] = field(default_factory=lambda: set(RESERVED))
    notes: list[str] = field(default_factory=list)

    def free(self, wanted: str) -> str:
        """Return the name, or with the first number that makes it unlike those in use, and take it."""
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
    """Choose the columns that are sEMG and name their channels.

    Parameters
    ----------
    where : str
        The table's name, for messages.
    names : sequence of str, length K
        Of the columns beside the time.
    time_s : ndarray, shape (N,)
    value : ndarray, shape (N, K)
        NaN where the table is blank.
    given : mapping of str to str, optional
        Channels that the person named, by column; these are taken whatever their name and values.

    Notes
    -----
    A column is left out where its name says that it is something else, and where its values do: blank, never changing,
    rising all the way or climbing evenly like a counter, or ending well before the table. A name that is understood as
    a muscle and its side becomes ``left_biceps`` and the like, unless two columns would then be called the same. Any
    other name is kept.

    Raises
    ------
    InputError
        No column is left, there are more than 64, or a column or channel that was given does not fit.
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
            listed or "it has none beside the time",
            'name one: --channel "COLUMN=left_biceps"',
        )
    if len(taken) > MOST_CHANNELS:
        raise InputError(
            f"{where} has {len(taken)} columns of sEMG",
            f"a recording may have {MOST_CHANNELS}",
            "take out those that are not wanted",
        )
    found, notes = _named(names, columns, taken, chosen)
    return EmgColumns(taken=found, left_out=tuple(left), notes=(*own.notes, *notes))


def _named(
    names: Sequence[str], columns: Sequence[str], taken: Sequence[int], chosen: Mapping[int, str]
) -> tuple[tuple[EmgColumn, ...], list[str]]:
    """Return the columns with channels of their own, and notes on names that had to change."""
    known = {i: recognise(columns[i]) for i in taken}
    stored = {i: channel.name for i in taken if i not in chosen and (channel := known[i].channel) is not None}
    wanted = [*stored.values(), *chosen.values()]
    unused = _Names()
    found: dict[int, EmgColumn] = {}
    # Those that a person named come first: nothing takes their names away.
    for i in sorted(taken, key=lambda i: i not in chosen):
        name = chosen.get(i) or (stored[i] if i in stored and wanted.count(stored[i]) == 1 else columns[i])
        name = unused.free(name)
        place = _place(name, chosen[i] if i in chosen else columns[i])
        found[i] = EmgColumn(
            index=i, column=names[i].strip() or columns[i], channel=name, muscle=place.muscle or name, side=place.side
        )
    return tuple(found[i] for i in taken), unused.notes


def _place(channel: str, name: str) -> Channel:
    """Return muscle and side of a name: recognised, or those of the stored spelling."""
    read, stored = recognise(name), channel_from_name(channel)
    return Channel(muscle=read.muscle or (stored.muscle if stored.side else channel), side=read.side or stored.side)


def clean_name(name: str) -> str:
    """Return a name in Unicode's composed form, without control characters and with single spaces.

    What cannot be stored as UTF-8 becomes a question mark, and what a screen does not show is dropped.
    """
    encodable = name.encode("utf-8", "replace").decode("utf-8")
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in encodable)
    visible = "".join(c for c in spaced if _is_shown(c))
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def _is_shown(character: str) -> bool:
    joins = character in "\u200c\u200d"  # words of some scripts are written with them
    no_character = ord(character) & 0xFFFE == 0xFFFE
    return joins or not (no_character or unicodedata.category(character) in ("Cf", "Cs"))


def shown(name: str) -> str:
    """Return a name for a message, a long one shortened."""
    return name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…"


def _given(where: str, columns: Sequence[str], given: Mapping[str, str]) -> dict[int, str]:
    """Return the channel of each column that a person named."""
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
    """Return what a name says that a column is other than sEMG; empty where it says no such thing."""
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
    """Return what the values say that a column is other than sEMG; empty where they say no such thing."""
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
        return (
            "it is a ramp or a counter: it only ever rises" if steps.max() > 0 else "it is a ramp: it only ever falls"
        )
    up = float(np.median(steps))
    even = np.isclose(steps, up, rtol=1e-6, atol=1e-9 * float(np.ptp(held)))
    if up > 0 and even.mean() >= _EVEN_STEPS and (steps[~even] < 0).all():
        return "it is a counter: it climbs by even steps and starts again"
    first_s, last_s = float(time_s[0]), float(time_s[-1])
    stops_s = float(time_s[rows[-1]])
    if stops_s - first_s < ENDS_EARLY * (last_s - first_s):
        return f"it ends early, {last_s - stops_s:.3g} s before the table does"
    return ""
