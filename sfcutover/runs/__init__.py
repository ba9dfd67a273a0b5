"""What is kept of a run: database, journal, store and progress."""
