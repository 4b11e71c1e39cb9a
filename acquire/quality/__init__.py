"""How well each stream arrives: rates, losses, lateness, connections, disk space. Imports no device."""
