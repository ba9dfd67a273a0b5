"""A whole cutover against a local org, under the live traffic of an application."""
