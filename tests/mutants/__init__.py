"""Seeded mutants of the code, and which of them the tests kill (``make mutants``)."""
