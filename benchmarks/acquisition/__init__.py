"""What recording costs: eight sensors at 1 kHz through Bluetooth's host stack into a capture, beside pylsl."""
