"""The report: one self-contained HTML file that shows the verdict and the evidence for it."""

from sync.report.page import write_report

__all__ = ["write_report"]
