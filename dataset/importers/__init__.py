"""Data recorded elsewhere, read into the project's types."""
