"""The engine of runs: the only package that uses DBOS."""
