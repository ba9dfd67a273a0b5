"""Hostile inputs of every kind: no traceback, no hang, no unlimited memory."""
