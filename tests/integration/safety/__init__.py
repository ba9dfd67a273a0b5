"""Faults that could mislead a gate, an approval or a rollback; tests assert the safe result."""
