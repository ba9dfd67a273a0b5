"""Tests of the emulator, by clients that know nothing of its implementation."""
