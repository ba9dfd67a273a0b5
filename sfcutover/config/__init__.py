"""cutover.yaml, read into frozen models whose errors name file and line."""
