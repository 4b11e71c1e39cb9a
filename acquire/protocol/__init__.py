"""Protocol files, schedules of prompts, and positions in them.

Imports nothing else of `acquire`.
"""
