"""The LED box on its serial port: its clock on the host's, and flashes with their times.

May import `acquire.event_log` and `acquire.quality`.
"""
