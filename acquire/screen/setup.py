"""First step: who is recorded, with which rig, doing what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, Select, Static

from acquire.recording.subject import Subject, known_subjects, last_subject, read_subject
from acquire.recording.take import Snapshot
from acquire.screen.base import StepScreen
from acquire.screen.flow import Plan, command, protocols, rigs
from acquire.screen.messages import PlanChosen
from acquire.screen.process import run_beside
from acquire.screen.steps import Step
from acquire.screen.view import View
from dataset.support.errors import MiaError
from dataset.support.text import clean_line, clean_text

#: Field, its label, and what to type.
FIELDS = (
    ("label", "Subject", "letters and digits, no name"),
    ("consent_id", "Consent", "where the signed form is found"),
    ("handedness", "Handedness", "right, left or both"),
    ("height_m", "Height (m)", "1.75"),
    ("mass_kg", "Mass (kg)", "70"),
    ("age_years", "Age (years)", "30"),
)
_WORDS = "Enter continues   Ctrl+R records at once   Tab: next field   Ctrl+Q leaves"


class SetupScreen(StepScreen):
    """Subject, rig and protocol; everything has a default, so one key is enough. Letters go into the fields alone."""

    STEP = Step.SETUP
    AUTO_FOCUS = "#label"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Continue", priority=False),
        Binding("ctrl+r", "record_now", "Record", tooltip="Record at once"),
        Binding("ctrl+n", "new_rig", "New rig file"),
    ]
    WHILE_RECORDING = frozenset({"stop", "back"})  # the first step: there is none before it

    def __init__(self, snapshot: Snapshot, plan: Plan) -> None:
        super().__init__(snapshot)
        self._plan = plan

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        plan = self._plan
        with VerticalScroll(id="form", can_focus=False):
            for name, words, hint in FIELDS:
                value = getattr(plan.subject, name)
                text = "" if value is None else f"{value:g}" if isinstance(value, float) else value
                suggester = SuggestFromList(known_subjects(plan.out)) if name == "label" else None
                with Horizontal(classes="field"):
                    yield Label(words)
                    yield Input(text, placeholder=hint, id=name, compact=True, suggester=suggester)
            for name, words, values, chosen in (
                ("rig", "Rig", rigs(Path(), plan.rig), plan.rig),
                ("protocol", "Protocol", protocols(Path(), plan.protocol), plan.protocol),
            ):
                with Horizontal(classes="field"):
                    yield Label(words)
                    options = [(clean_text(v), v) for v in values]
                    yield Select(options, value=chosen, allow_blank=False, id=name, compact=True)
            yield Static("", id="problem")
            with Horizontal(classes="field"):
                yield Button("Continue", id="go", compact=True)

    def standing_words(self, view: View) -> Text:
        """Return the keys that lead on."""
        return Text(_WORDS)

    def plan(self) -> Plan:
        """Return what the form says.

        Raises
        ------
        InputError
            A field is not what it should be.
        """
        subject = read_subject({name: self.query_one(f"#{name}", Input).value for name, _, _ in FIELDS})
        rig, protocol = (str(self.query_one(f"#{name}", Select).value) for name in ("rig", "protocol"))
        return replace(self._plan, subject=subject, rig=rig, protocol=protocol)

    def _choose(self, *, at_once: bool) -> None:
        try:
            plan = self.plan()
        except MiaError as error:
            self.show_problem(f"{error}  {error.hint}")
        else:
            self.post_message(PlanChosen(plan, at_once=at_once))

    def show_problem(self, words: str) -> bool:
        """Show which field is not what it should be, below the form."""
        self.query_one("#problem", Static).update(Text(clean_text(f"✖ {words}")))
        return True

    def action_go(self) -> None:
        """Go on to the checks."""
        self._choose(at_once=False)

    def action_record_now(self) -> None:
        """Record with what is there as soon as every sensor streams."""
        self._choose(at_once=True)

    def on_button_pressed(self) -> None:
        """Go on."""
        self.action_go()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on from any field; after the label of a known person, what is known is filled in first."""
        if event.input.id == "label" and self._fill_in(event.value):
            self.query_one("#consent_id").focus()
        else:
            self.action_go()

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Fill in what is known of a known person."""
        if event.input.id == "label":
            self._fill_in(event.value)

    def _fill_in(self, label: str) -> bool:
        """Fill in blank fields from the last capture of a person; returns whether there was anything to fill in."""
        known: Subject = last_subject(self._plan.out, label) if label.isalnum() else Subject()
        filled = False
        for name, value in known.info().items():
            field = self.query_one(f"#{name}", Input)
            if not field.value:
                field.value = f"{value:g}" if isinstance(value, float) else value
                filled = True
        return filled

    def action_new_rig(self) -> None:
        """Write a rig file from the sensors that are there."""
        self.query_one("#problem", Static).update("◌ looking for sensors: mia-record rig init rig.toml")
        self.run_worker(self._new_rig(), exclusive=True, group="new rig")

    async def _new_rig(self) -> None:
        name = next(n for i in range(1, 100) if not Path(n := f"rig{i if i > 1 else ''}.toml").exists())
        said = await run_beside([command("mia-record"), "rig", "init", name])
        problem = self.query_one("#problem", Static)
        if said.returncode != 0 or not Path(name).exists():
            problem.update(Text("✖ " + clean_line(said.out + said.err)))
            return
        select = self.query_one("#rig", Select)
        select.set_options([(clean_text(v), v) for v in rigs(Path(), name)])
        select.value = name
        problem.update(f"✔ wrote {name}; edit it to say which sensor sits where")
