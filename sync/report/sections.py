"""The report's sections after the table of streams: one per kind of evidence, each from its own module."""

from __future__ import annotations

from sync.report.arrivals import arrivals_section, gaps_section
from sync.report.assumed import assumed_section
from sync.report.calibration import calibration_section
from sync.report.contacts import contacts_section, responses_section
from sync.report.flashes import flashes_section
from sync.report.lag import lag_section
from sync.report.offsets import offsets_section
from sync.report.preview import preview_section
from sync.report.residuals import residuals_section
from sync.report.section import Event, Section, Table, Thumbnail
from sync.report.thumbnails import decode_thumbnails
from sync.report.timeline import timeline_section
from sync.result import SyncResult


def build_sections(result: SyncResult) -> tuple[Section, ...]:
    """Return the sections for which there is something to show, in the report's order."""
    thumbnails = decode_thumbnails(result)
    built = (
        timeline_section(result),
        flashes_section(result, thumbnails),
        contacts_section(result),
        responses_section(result),
        residuals_section(result),
        preview_section(result, thumbnails),
        lag_section(result.session),
        arrivals_section(result),
        gaps_section(result),
        calibration_section(result),
        offsets_section(result),
        assumed_section(result),
    )
    return tuple(section for section in built if section is not None)


__all__ = ["Event", "Section", "Table", "Thumbnail", "build_sections"]
