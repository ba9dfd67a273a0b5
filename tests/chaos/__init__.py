"""Whole runs under live traffic, with faults."""
