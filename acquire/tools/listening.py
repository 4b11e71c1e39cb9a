"""``listen``: subscribes to a device and summarises its bytes, rate, possible values and counters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from bleak.backends.characteristic import BleakGATTCharacteristic

from acquire.bluetooth.connection import RADIO_ERRORS, Connection
from acquire.hardware import Radio
from acquire.tools.radio import client, find_device, unreachable
from acquire.tools.trial import CountsUp, Decoding, trial_decodings, what_counts_up
from dataset.sensors.profile import Profile
from dataset.sensors.stream import full_uuid
from dataset.support import clock
from dataset.support.errors import HardwareError, InputError

#: Payloads shown in hex.
_SHOWN = 6

#: Called with ``(arrival_ns, characteristic, payload)``.
OnRow = Callable[[int, str, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """Summary of what one characteristic sent.

    Attributes
    ----------
    rate_hz : float
        Notifications a second.
    longest_gap_s : float
    sizes : dict of int to int
        Number of payloads of each length in bytes.
    first_hex : tuple of str
    """

    characteristic: str
    n: int
    rate_hz: float
    longest_gap_s: float
    sizes: dict[int, int]
    first_hex: tuple[str, ...]
    decodings: tuple[Decoding, ...]
    counting: tuple[CountsUp, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return asdict(self)


async def listen(
    radio: Radio,
    address: str,
    seconds: float,
    *,
    characteristic: str = "",
    profile: Profile | None = None,
    on_row: OnRow | None = None,
) -> tuple[Listened, ...]:
    """Subscribe for ``seconds`` and summarise the notifications by characteristic.

    Parameters
    ----------
    radio : Radio
    address : str
    seconds : float
    characteristic : str, optional
        Only this one; by default everything that notifies.
    profile : Profile, optional
        Subscribe by this profile and write its start and stop commands; otherwise nothing is written.
    on_row : callable, optional
        Called with each row as it arrives.

    Raises
    ------
    HardwareError
        It is not found, cannot be connected to, or notifies nothing.
    """
    rows: dict[str, list[tuple[int, bytes]]] = {}

    def sink(arrival_ns: int, uuid: str, payload: bytes) -> None:
        rows.setdefault(uuid, []).append((arrival_ns, payload))
        if on_row is not None:
            on_row(arrival_ns, uuid, payload)

    wanted = _uuid(characteristic)
    device, _ = await find_device(radio, address)
    try:
        if profile is not None:
            await _listen_as(Connection(device, profile, radio), sink, seconds)
        else:
            subscribed = await _listen_to_all(client(radio, device), sink, seconds, wanted)
            if not subscribed:
                raise HardwareError(f"{address} notifies nothing", "no characteristic has the property", "try: inspect")
    except RADIO_ERRORS as error:
        raise unreachable(address, error) from error
    return tuple(summarise(uuid, *zip(*came, strict=True)) for uuid, came in sorted(rows.items()))


def _uuid(text: str) -> str:
    try:
        return full_uuid(text) if text else ""
    except ValueError as error:
        raise InputError(f"--characteristic {text} is not a UUID", str(error)) from error


async def _listen_as(link: Connection, sink: OnRow, seconds: float) -> None:
    try:
        await link.open()
        await link.subscribe(sink)
        await asyncio.sleep(seconds)
    finally:
        await link.close()


async def _listen_to_all(link: Any, sink: OnRow, seconds: float, wanted: str) -> list[str]:
    def on_value(found: BleakGATTCharacteristic, payload: bytearray) -> None:
        arrival_ns = clock.now_ns()
        sink(arrival_ns, found.uuid, bytes(payload))

    subscribed = []
    try:
        await link.connect()
        for service in link.services:
            for c in service.characteristics:
                if {"notify", "indicate"} & set(c.properties) and wanted in ("", c.uuid):
                    await link.start_notify(c, on_value)
                    subscribed.append(c.uuid)
        if subscribed:
            await asyncio.sleep(seconds)
    finally:
        await link.disconnect()
    return subscribed


def summarise(characteristic: str, arrivals_ns: tuple[int, ...], payloads: tuple[bytes, ...]) -> Listened:
    """Summarise the payloads of a characteristic by rate, sizes, trial decodings and counters; at least one."""
    at = np.array(arrivals_ns, dtype=np.int64)
    steps_s = np.diff(at) * 1e-9
    span_s = float(steps_s.sum())
    sizes, counts = np.unique([len(p) for p in payloads], return_counts=True)
    return Listened(
        characteristic=characteristic,
        n=len(payloads),
        rate_hz=(len(payloads) - 1) / span_s if span_s > 0 else 0.0,
        longest_gap_s=float(steps_s.max()) if len(steps_s) else 0.0,
        sizes={int(s): int(c) for s, c in zip(sizes, counts, strict=True)},
        first_hex=tuple(p.hex(" ") for p in payloads[:_SHOWN]),
        decodings=trial_decodings(payloads),
        counting=what_counts_up(payloads),
    )


def listen_text(address: str, heard: tuple[Listened, ...], profile: Profile | None = None) -> str:
    """Format the summaries as text."""
    if not heard:
        hint = "" if profile else "; some sensors need a start command: give a --profile that has one"
        return f"{address} sent nothing{hint}"
    lines = []
    for h in heard:
        sizes = ", ".join(f"{count} of {size} bytes" for size, count in h.sizes.items())
        lines.append(f"{h.characteristic}  {h.n} notifications, {h.rate_hz:.2f}/s, longest gap {h.longest_gap_s:.3f} s")
        lines.append(f"  payloads: {sizes}")
        lines += [f"  {text}" for text in h.first_hex]
        for d in h.decodings:
            last = d.last if isinstance(d.last, str) else ", ".join(f"{v:g}" for v in d.last)
            span = f"  {d.low:g} to {d.high:g}" if d.low is not None else ""
            rough = f", roughness {d.roughness:.3f}" if d.roughness is not None else ""
            lines.append(f"  as {d.kind:8}{span}{rough}  last: {last!s:.60}")
        for c in h.counting:
            lines.append(
                f"  counts up: {c.bits} bits at bit {c.offset_bits} of each {c.frame_bytes} bytes by {c.step}, "
                f"modulo {c.modulo}{'' if c.wrapped else ' or more'}, in {c.share:.0%} of the steps"
            )
        if not h.counting:
            lines.append("  no counter found: a lost value shows only in the arrival times")
    return "\n".join(lines)
