"""Bluetooth sensors: scanning, connecting, binding to slots, streaming.

May import `acquire.rig.config`, `acquire.quality` and `acquire.event_log`.
"""
