"""Data recorded elsewhere, brought into captures and sessions."""
