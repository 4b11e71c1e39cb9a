"""The report: one self-contained HTML file that shows the verdict and the evidence for it.

May import `sync.calibration`, `sync.events`, `sync.fit`, `sync.quality`, `sync.recording_types` and `sync.result`.
"""

from sync.report.page import write_report

__all__ = ["write_report"]
