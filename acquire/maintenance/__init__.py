"""Captures after their recording: recover, verify, attach a film.

May import `acquire.quality`.
"""
