"""A run as a live screen on a terminal, drawn by rich."""
