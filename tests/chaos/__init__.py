"""Whole runs under live traffic, with something going wrong."""
