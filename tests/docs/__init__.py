"""The README and docs/: their generated parts, and tests of everything they show and link to."""
