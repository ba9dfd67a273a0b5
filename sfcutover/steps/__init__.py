"""The steps of a run: each does one thing, and may be begun again after a crash."""
