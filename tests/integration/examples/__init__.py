"""The files of examples/, as users copy them, against the emulator."""
