"""The steps of a cutover and their order."""
