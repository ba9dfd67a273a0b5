"""Everything that comes in, made hostile: no traceback, no hang, no memory without end."""
