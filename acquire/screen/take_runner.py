"""Opens, starts and closes the recorder of the present take beside the event loop, one ending at a time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from acquire.ledbox.flasher import Flasher
from acquire.recording.recorder import Recorder
from acquire.screen.flow import Flow, MakeRecorder, Plan
from dataset.support.errors import MiaError


class TakeRunner:
    """The life of each take's recorder; used from the event loop's thread.

    Parameters
    ----------
    make_recorder : callable
    plan : Plan
        As :class:`acquire.screen.flow.Flow`.
    on_recorded : callable
        Called when a recording has been saved.
    on_failure : callable
        Called with what did not open or close.
    """

    def __init__(
        self,
        make_recorder: MakeRecorder,
        plan: Plan,
        *,
        on_recorded: Callable[[], None],
        on_failure: Callable[[MiaError], None],
    ) -> None:
        self.flow = Flow(make_recorder, plan, self._release)
        self._on_recorded = on_recorded
        self._on_failure = on_failure
        self._releasing: list[threading.Thread] = []
        self._ending: asyncio.Task[None] | None = None

    @property
    def recorder(self) -> Recorder:
        """The present take's."""
        return self.flow.recorder

    @property
    def is_recording(self) -> bool:
        """Whether a recording runs."""
        return self.recorder.snapshot().phase == "recording"

    @property
    def is_ending(self) -> bool:
        """Whether a recorder is being closed."""
        return self._ending is not None and not self._ending.done()

    async def open(self, flasher: Flasher | None) -> None:
        """Open the rig of the present take, where it is not open yet."""
        recorder = self.recorder
        if recorder.snapshot().phase != "closed":
            return
        recorder.flasher = flasher
        try:
            await asyncio.to_thread(self._open, recorder)
        except MiaError as error:
            self._on_failure(error)

    def _open(self, recorder: Recorder) -> None:
        self.wait_until_released()
        recorder.open()

    def start(self, *, calibrate: bool) -> None:
        """Begin to record; does nothing where a recording runs or a recorder is being closed.

        Raises
        ------
        DiskFullError, CaptureError, OutputExistsError
            As :meth:`acquire.recording.recorder.Recorder.start`.
        """
        self.flow.at_once = False
        if not self.is_recording and not self.is_ending:
            self.recorder.calibrate(calibrate)
            self.recorder.start()

    def end(self) -> asyncio.Task[None]:
        """End and save what runs, once; await the task to wait for it."""
        if self._ending is None or self._ending.done():
            self._ending = asyncio.create_task(self._close())
        return self._ending

    async def _close(self) -> None:
        try:
            recording = await asyncio.to_thread(self.recorder.close)
        except MiaError as error:
            self._on_failure(error)
            return
        if recording is not None:
            self.flow.recorded(recording)
            self._on_recorded()

    def reopen(self, flasher: Flasher | None) -> None:
        """Close the rig and open it again; not while a recording runs."""
        if not self.is_recording and not self.is_ending:
            self._ending = asyncio.create_task(self._reopen(flasher))

    async def _reopen(self, flasher: Flasher | None) -> None:
        await asyncio.to_thread(_close_quietly, self.recorder)  # what did not open may not close either
        try:
            self.flow.start_over()
        except MiaError as error:  # the rig file went away meanwhile
            self._on_failure(error)
            return
        await self.open(flasher)

    def _release(self, recorder: Recorder) -> None:
        """Close a recorder that is not needed any more, beside the loop; the next rig opens when that is done."""
        thread = threading.Thread(target=_close_quietly, args=(recorder,), name="release", daemon=True)
        self._releasing = [t for t in self._releasing if t.is_alive()] + [thread]
        thread.start()

    def wait_until_released(self) -> None:
        """Wait for the rigs of takes that were given up."""
        for thread in self._releasing:
            thread.join()


def _close_quietly(recorder: Recorder) -> None:
    with contextlib.suppress(MiaError):  # nothing was recorded with it
        recorder.close()
