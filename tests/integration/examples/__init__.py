"""The files of examples/, as users copy them, run against the emulator."""
