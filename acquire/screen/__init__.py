"""The capture screen (Textual): thin; it shows the recorder's snapshot and passes keys on."""
