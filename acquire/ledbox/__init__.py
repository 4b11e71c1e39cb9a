"""The LED box on its serial port: clock synchronisation with the host, and timed flashes.

May import `acquire.event_log` and `acquire.quality`.
"""
