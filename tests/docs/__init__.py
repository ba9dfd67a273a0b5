"""The README and docs/: what is generated, and that all they show and link to is real."""
