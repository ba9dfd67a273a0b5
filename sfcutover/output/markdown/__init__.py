"""Markdown for a pull request, an issue or a job's summary: GitHub's, which others read, too."""
