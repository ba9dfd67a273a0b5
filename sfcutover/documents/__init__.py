"""The JSON this tool writes, as models: what they say is what ``schemas/`` says.

Every document names its schema and version first, so that a script can refuse one it
doesn't know. Ranges are texts (``203.0.113.10``, ``203.0.113.10-203.0.113.12``).
"""
