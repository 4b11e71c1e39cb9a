"""Measurements that print what the project claims; never run as tests."""
