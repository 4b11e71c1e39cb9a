"""``--rig virtual``: sensors, camera, microphone and LED box as separate processes, driven by one ground truth."""

from __future__ import annotations

import atexit
import math
import os
import socket
from asyncio import to_thread
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from acquire.assignment import rebound
from acquire.bluetooth.bumble_backend import make_radio
from acquire.bluetooth.bumble_host import Central
from acquire.hardware import FrameSource, Radio, SoundSource
from acquire.protocol.schedule import Prompt
from acquire.virtual import chance
from acquire.virtual.devices.child import Child
from acquire.virtual.devices.clocks import Devices
from acquire.virtual.devices.delivery import FrameRing, VirtualCamera, VirtualMicrophone
from acquire.virtual.devices.exposures import video_truth
from acquire.virtual.devices.orders import Order, make_world, prompt_order
from acquire.virtual.devices.others import drawn_others, mixed_sensors
from acquire.virtual.devices.sensors import SensorOrders, sensors_child
from acquire.virtual.faults import Faults
from acquire.virtual.film import HEIGHT, WIDTH
from acquire.virtual.truth import sensor_truth, write_truth
from dataset.capture.types import Sensor
from dataset.muscles import PAPER_CHANNELS
from dataset.support.clock import now_ns
from dataset.support.errors import HardwareError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Resources of a started rig; ``held`` releases all of them, last to first."""

    held: ExitStack
    sensors: Child
    scene: Child
    box: Child
    hci: socket.socket
    ring: FrameRing
    frames: socket.socket
    sound: socket.socket
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRigOptions:
    """Options of a virtual rig beside its seed.

    Attributes
    ----------
    faults : Faults
        Faults; by default the simulator's mild ones.
    mixed : bool
        Some channels sit on devices of other makes: a BITalino with two muscles, a board that writes lines.
    mixed_up : bool
        Every sensor sits on a different muscle than its slot names, as before assignment.
    sent : Path or None
        A folder in which the processes log what they send and when: it outlives a killed recorder.
    rig_seed : int or None
        Draws the devices in place of the seed: one rig in several recordings.
    """

    faults: Faults = field(default_factory=Faults)
    mixed: bool = False
    mixed_up: bool = False
    sent: Path | None = None
    rig_seed: int | None = None


class VirtualHardware(SensorOrders):
    """Simulated hardware; implements :class:`acquire.hardware.Hardware`.

    Processes start when the first device is opened, and end with :meth:`finish` or with the program. After
    :meth:`finish` the devices can be opened again: the same truth from its beginning.

    Parameters
    ----------
    seed : int
        Draws the truth and every device's constants: delays, drifts, latencies.
    subject : str
        Draws the person.
    options : VirtualRigOptions
    """

    name = "virtual"

    def __init__(self, seed: int, subject: str = "S01", options: VirtualRigOptions = VirtualRigOptions()) -> None:
        self._seed = seed
        self._rig_seed = seed if options.rig_seed is None else options.rig_seed
        self._subject = subject
        self._faults = options.faults
        self._sent = options.sent
        self._devices = Devices.drawn(self._rig_seed, self._faults, recording=seed)
        self._prompts: list[tuple[Prompt, int]] = []
        self._parts: _Parts | None = None
        self._central: Central | None = None
        self._others = drawn_others(self._rig_seed, recording=seed) if options.mixed else ()
        self._camera: VirtualCamera | None = None
        self._unplugged_until_ns = 0
        self.sensors = mixed_sensors(self._devices.rig_sensors(), self._others)
        if options.mixed_up:
            self.sensors = _mixed_up(self.sensors, seed)

    # -- acquire.hardware.Hardware --------------------------------------------------------------------------------

    async def open_radio(self) -> Radio:
        """Open the Bluetooth stack.

        Raises
        ------
        HardwareError
            The sensors' process did not start, or the radio is open already.
        """
        if self._central is not None:
            raise HardwareError("the virtual radio is open already", "it serves one event loop")
        parts = self._started()
        await to_thread(parts.sensors.wait_ready)
        self._central = await Central.open(parts.hci)
        return make_radio(self._central)

    async def close_radio(self) -> None:
        """Close the Bluetooth stack, in the loop that opened it."""
        central, self._central = self._central, None
        if central is not None:
            await central.close()

    def open_camera(self) -> FrameSource:
        """Open the camera.

        Raises
        ------
        HardwareError
            It is unplugged.
        """
        parts = self._started()
        parts.scene.wait_ready()
        if now_ns() < self._unplugged_until_ns:
            raise HardwareError("the virtual camera is unplugged", "", "wait")
        if self._camera is not None:
            self._camera.release()  # an earlier handle is invalid once the camera is reopened
        parts.scene.order({"camera": True})
        self._camera = VirtualCamera(parts.ring, parts.frames, self._devices.camera.nominal_hz)
        return self._camera

    def open_sound(self) -> SoundSource:
        """Open the microphone."""
        parts = self._started()
        parts.scene.wait_ready()
        parts.scene.order({"sound": True})
        microphone = self._devices.microphone
        return VirtualMicrophone(parts.sound, microphone.rate_hz, microphone.block_samples)

    def open_cues(self) -> str:
        """Nothing to do: :meth:`prompt` reaches the virtual person."""
        return ""

    def box_port(self) -> str:
        """Return the pseudo-terminal of the LED box."""
        parts = self._started()
        parts.box.wait_ready()
        return parts.port

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        """Give the virtual person, in both processes, a prompt."""
        parts = self._started()
        self._prompts.append((prompt, host_ns))
        order = prompt_order(prompt, host_ns)
        parts.sensors.order(order)
        parts.scene.order(order)

    def finish(self, capture: Path | None) -> None:
        """Stop everything and, where something was recorded, write ``truth.json`` into its folder.

        Raises
        ------
        HardwareError
            A process died, so that the truth is unknown; everything is stopped nevertheless.
        """
        parts = self._parts
        if parts is None:
            return
        try:
            if capture is not None:
                self._write_truth(capture, parts.scene.report(), parts.sensors.report())
        finally:
            self.close()

    # -- for tests and benchmarks ---------------------------------------------------------------------------------

    def freeze_camera(self, seconds: float) -> None:
        """Freeze the camera for the given seconds: :meth:`FrameSource.read` blocks."""
        self._started().scene.order({"freeze": seconds})

    def unplug_camera(self, seconds: float) -> None:
        """Unplug the camera for the given seconds: reading fails, and it cannot be opened."""
        self._unplugged_until_ns = now_ns() + round(seconds * 1e9)
        self.freeze_camera(seconds)
        if self._camera is not None:
            self._camera.release()

    def set_camera_rate(self, rate_hz: float) -> None:
        """Change the camera's frame rate, as cameras do in low light."""
        self._started().scene.order({"rate_hz": rate_hz})

    def reset_box(self) -> None:
        """Interrupt the LED box's power for a moment."""
        self._started().box.order({"reset": True})

    def mute_box(self, seconds: float) -> None:
        """Silence the LED box for the given seconds."""
        self._started().box.order({"mute": seconds})

    def garble_box(self, seconds: float) -> None:
        """Make the LED box send invalid bytes beside its answers for the given seconds."""
        self._started().box.order({"garble": seconds})

    def trigger(self) -> None:
        """Press the LED box's footswitch."""
        self._started().box.order({"trigger": True})

    def order_sensors(self, order: Order) -> None:
        """Send one command to the sensors' process; :class:`SensorOrders` lists them."""
        self._started().sensors.order(order)

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids of the running parts."""
        parts = self._parts
        return (parts.sensors.pid, parts.scene.pid, parts.box.pid) if parts is not None else ()

    def close(self) -> None:
        """End the processes, if any run, and release what they shared."""
        parts, self._parts = self._parts, None
        self._prompts = []
        self._camera, self._unplugged_until_ns = None, 0
        if parts is not None:
            atexit.unregister(self.close)
            parts.held.close()

    # -- start ----------------------------------------------------------------------------------------------------

    def _started(self) -> _Parts:
        """Return the running parts, starting them if needed.

        Raises
        ------
        HardwareError
            They cannot be started on this system.
        """
        if self._parts is None:
            if not hasattr(os, "memfd_create"):
                raise HardwareError(
                    "the live virtual rig needs Linux",
                    "its devices are pseudo-terminals and shared memory",
                    "write a recording without devices with: mia-record simulate",
                )
            with ExitStack() as held:
                self._parts = self._start(held)
            atexit.register(self.close)
        return self._parts

    def _start(self, held: ExitStack) -> _Parts:
        """Start the processes; if one of them fails, ``held`` releases everything."""
        with ExitStack() as childrens:  # this process's copies of the children's ends, closed once they run
            hci, hci_end = _pair(held, childrens, socket.SOCK_STREAM)
            frames, frames_end = _pair(held, childrens, socket.SOCK_SEQPACKET)
            sound, sound_end = _pair(held, childrens, socket.SOCK_SEQPACKET)
            memory = childrens.enter_context(_Descriptor(FrameRing.allocate(HEIGHT, WIDTH)))
            ring = FrameRing(memory.fd, HEIGHT, WIDTH)
            held.callback(ring.close)
            flashes, flashes_end = (childrens.enter_context(_Descriptor(fd)) for fd in os.pipe())
            terminal, line = os.openpty()
            childrens.enter_context(_Descriptor(terminal))
            held.enter_context(_Descriptor(line))  # keeps the port alive while no program has it open

            world = ["--seed", str(self._seed), "--subject", self._subject, "--faults", self._faults.model_dump_json()]
            world += ["--rig-seed", str(self._rig_seed)]
            if self._sent is not None:
                world += ["--sent", str(self._sent)]
            sensors = sensors_child([*world, *(["--mixed"] if self._others else [])], hci_end)
            held.callback(sensors.close)
            fds = {"ring": memory.fd, "frames": frames_end.fileno(), "sound": sound_end.fileno(), "flashes": flashes.fd}
            scene = Child(
                "acquire.virtual.devices.scene_process",
                [*world, *(text for name, fd in fds.items() for text in (f"--{name}-fd", str(fd)))],
                tuple(fds.values()),
            )
            held.callback(scene.close)
            box = Child(
                "acquire.virtual.devices.box", self._box_arguments(terminal, flashes_end.fd), (terminal, flashes_end.fd)
            )
            held.callback(box.close)
        return _Parts(
            held=held.pop_all(),
            sensors=sensors,
            scene=scene,
            box=box,
            hci=hci,
            ring=ring,
            frames=frames,
            sound=sound,
            port=os.ttyname(line),
        )

    def _box_arguments(self, terminal_fd: int, flashes_fd: int) -> list[str]:
        box = self._devices.box
        options: dict[str, Any] = {
            "terminal-fd": terminal_fd,
            "flashes-fd": flashes_fd,
            "first-us": box.first_us,
            "rate-ppm": box.rate_ppm,
            "seed": self._seed,
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return [*arguments, "--latency-s", *(str(x) for x in box.latency_s)]

    def _write_truth(self, capture: Path, scene: dict[str, Any], sensors: dict[str, Any]) -> None:
        """Recompute the person's truth in this process, and write what the devices did."""
        world = make_world(self._seed, self._subject, self._faults)
        for prompt, host_ns in self._prompts:
            world.prompt(prompt, host_ns)
        for on_ns, off_ns in scene["flashes"]:
            world.flash(on_ns, off_ns)
        rate_ppm = {c.name: clock.rate_ppm for c, clock in zip(PAPER_CHANNELS, self._devices.sensors, strict=True)}
        rate_ppm |= {channel: device.rate_ppm for device in self._others for channel in device.channels}
        emg = {
            channel: sensor_truth(world, channel, delay_s=_delay_s(sent), rate_ppm=rate_ppm[channel])
            for channel, sent in sensors["sent"].items()
            if sent["n_sent"]
        }
        write_truth(capture, world, video_truth(capture, scene["camera"]["frames"]), emg)


def _mixed_up(sensors: tuple[Sensor, ...], seed: int) -> tuple[Sensor, ...]:
    """Return the slots with the muscles permuted cyclically, so that none is right."""
    circle = chance.generator(seed, "mixed up").permutation(len(sensors))
    slot_of = {
        sensors[int(one)].channel: sensors[int(other)].slot
        for one, other in zip(circle, np.roll(circle, 1), strict=True)
    }
    return rebound(sensors, slot_of)


class _Descriptor:
    """A file descriptor closed at the end of a ``with`` block."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> _Descriptor:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.close(self.fd)


def _pair(held: ExitStack, childrens: ExitStack, kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair(socket.AF_UNIX, kind)
    return held.enter_context(here), childrens.enter_context(there)


def _delay_s(sent: dict[str, Any]) -> float:
    """Return a sensor's delay; infinite where it sent nothing."""
    least_s = sent["least_latency_s"]
    return math.inf if least_s is None else float(least_s)
