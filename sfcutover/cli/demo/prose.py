"""The paragraphs that the demo prints."""

import textwrap

COLUMNS = 78  # so that a terminal of 80 columns breaks no line


def folded(paragraph: str) -> str:
    """The paragraph in lines of at most COLUMNS characters."""
    return textwrap.fill(paragraph, COLUMNS)
