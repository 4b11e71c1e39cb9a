"""What the capture screen costs: CPU of its threads, and what it writes to the terminal."""
