"""The capture screen (Textual): steps show views and post messages, a conductor without a terminal decides.

It may import all of ``acquire`` but ``acquire.virtual``; nothing imports it but the command line.
"""
