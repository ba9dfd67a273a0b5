"""The engine of runs: the only room that knows DBOS."""
