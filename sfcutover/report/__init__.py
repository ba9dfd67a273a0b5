"""The report of a run: its journal as facts, and these as Markdown, HTML or JSON."""
