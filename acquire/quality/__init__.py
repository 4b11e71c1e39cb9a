"""Quality of reception: rates, losses, lateness, connections, disk space.

May import `acquire.event_log`.
"""
