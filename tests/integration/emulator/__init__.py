"""Tests of the emulator, with clients that know nothing about its inside."""
