"""Detectors over drawn soundscapes, pictures, channels and wrists: how many events are missed, how many invented."""
