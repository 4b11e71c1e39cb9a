"""How well each stream arrives: rates, losses, lateness, connections, disk space.

May import `acquire.event_log`.
"""
