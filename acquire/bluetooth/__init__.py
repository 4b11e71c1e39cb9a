"""Bluetooth sensors: scanning, connecting, binding to slots, streaming.

May import `acquire.assignment`, `acquire.event_log`, `acquire.hardware` and `acquire.quality`.
"""
