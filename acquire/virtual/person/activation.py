"""Muscle activation over time, computed forward in blocks as it is asked for, so that it works in real time."""

from __future__ import annotations

import tempfile
import weakref

import numpy as np
from scipy.signal import lfilter

from acquire.virtual.person.body import Body, posture
from acquire.virtual.person.dynamics import joint_torques
from acquire.virtual.person.muscles import Muscles, efforts, flexing_efforts
from acquire.virtual.person.performance import Performance
from dataset.support.arrays import FloatArray, IntArray

STEP_NS = 10_000_000
_BLOCK = 10
_STORED = np.dtype(np.float32)
# A muscle that works gives more force for the same signal (potentiation) within seconds, and less within minutes
# (fatigue), so that a held pose is loudest at its onset, then quieter, then louder again (Contessa, De Luca & Kline
# 2016, J Neurophysiol 116:1579). Rest undoes both.
_POTENTIATION_S = 2.0
_FATIGUE_S = 60.0
# Activation at which potentiation is nearly complete.
_POTENT_AT = 0.25


class Activation:
    """The eight muscles' activation on a grid of 10 ms.

    Requested times may be ahead of the prompts by less than the person's quickest reaction.
    """

    def __init__(self, body: Body, muscles: Muscles, performance: Performance) -> None:
        self._body = body
        self._muscles = muscles
        self._performance = performance
        self._origin_ns: int | None = None
        self._n = 0
        dt_s = STEP_NS * 1e-9
        self._keep = np.exp(-dt_s / np.array(muscles.activation_s))
        self._keep_state = [float(np.exp(-dt_s / tau_s)) for tau_s in (_POTENTIATION_S, _FATIGUE_S)]
        self._resting = self._efforts(np.zeros(3, dtype=np.int64), standing=True)[:, 0]
        # On disk: a day of it would not fit in memory, and any moment may be requested again.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the person
        weakref.finalize(self, self._file.close)
        self._last = self._resting.copy()
        # Potentiation and fatigue, each of the eight muscles.
        self._state = np.stack([_potent(self._resting), self._resting])

    def __call__(self, channel: int, host_ns: IntArray) -> FloatArray:
        """Return the activation of one channel, shape like ``host_ns``."""
        if self._origin_ns is None:
            first_ns = self._performance.first_effort_ns
            if first_ns is None:
                return np.full(host_ns.shape, self._resting[channel])
            # The muscle leads its torque, so it starts a little before the motion.
            self._origin_ns = (first_ns // (STEP_NS * _BLOCK) - 1) * STEP_NS * _BLOCK
        if not host_ns.size:
            return np.zeros(host_ns.shape)
        self._extend(int(host_ns.max()))
        if self._n == 0:
            return np.full(host_ns.shape, self._resting[channel])
        at = (host_ns - self._origin_ns) / STEP_NS
        first = int(np.clip(np.floor(at.min()), 0, self._n - 1))
        grid = self._read(first, int(np.clip(np.ceil(at.max()), first, self._n - 1)) + 1)[:, channel]
        left = float(self._resting[channel]) if first == 0 else None
        return np.interp(at - first, np.arange(len(grid)), grid, left=left)

    def _read(self, first: int, stop: int) -> FloatArray:
        """Return rows of the grid, shape (stop - first, channels)."""
        row = len(self._resting) * _STORED.itemsize
        self._file.seek(first * row)
        raw = self._file.read((stop - first) * row)
        return np.frombuffer(raw, dtype=_STORED).reshape(-1, len(self._resting)).astype(np.float64)

    def _extend(self, until_ns: int) -> None:
        if self._origin_ns is None:
            return
        needed = (until_ns - self._origin_ns) // STEP_NS + 2
        blocks = -(-(needed - self._n) // _BLOCK)
        while blocks > 0:
            n_blocks = min(blocks, 300)
            self._append(n_blocks * _BLOCK)
            blocks -= n_blocks

    def _append(self, n: int) -> None:
        if self._origin_ns is None:
            return
        index = np.arange(self._n - 1, self._n + n + 1, dtype=np.int64)
        effort = self._efforts(self._origin_ns + index * STEP_NS)
        share = (1.0 - self._keep)[:, None]
        active = np.stack(
            [
                lfilter([share[c, 0]], [1.0, -self._keep[c]], effort[c], zi=[self._keep[c] * self._last[c]])[0]
                for c in range(len(effort))
            ]
        )
        states = np.stack(
            [
                lfilter([1.0 - keep], [1.0, -keep], driven, axis=1, zi=keep * last[:, None])[0]
                for keep, driven, last in zip(self._keep_state, (_potent(active), active), self._state, strict=True)
            ]
        )
        self._last, self._state = active[:, -1].copy(), states[:, :, -1].copy()
        potent, tired = states
        value = active * (1.0 + self._muscles.fatigue * tired / 0.5) / (1.0 + self._muscles.potentiation * potent)
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(value.T, dtype=_STORED).tobytes())
        self._n += n

    def _efforts(self, host_ns: IntArray, *, standing: bool = False) -> FloatArray:
        ahead = host_ns + round(self._muscles.lead_s * 1e9)
        performance = Performance(0) if standing else self._performance
        pose, pushes = performance.working_pose(ahead), performance.pushes(ahead)
        dt_s = STEP_NS * 1e-9
        torques = joint_torques(self._body, posture(self._body, pose), dt_s, pushes)
        effort = efforts(self._muscles, torques, pose, dt_s, pushes)
        for label, course in performance.flexing(ahead[1:-1]):
            effort += flexing_efforts(self._muscles, label, course)
        return effort


def _potent(active: FloatArray) -> FloatArray:
    return np.asarray(np.minimum(active / _POTENT_AT, 1.0))
