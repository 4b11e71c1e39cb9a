"""Verdicts: gates, each stream's entry, the two routes' closure, advice, and the lag probe.

May import `sync.fit`, `sync.events` and `sync.clock`.
"""
