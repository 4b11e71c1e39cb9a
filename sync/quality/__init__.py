"""Verdicts: gates, each stream's entry, the two routes' closure, advice, and the lag probe.

May import `sync.events`, `sync.fit`, `sync.recording_types` and `sync.robust`.
"""
