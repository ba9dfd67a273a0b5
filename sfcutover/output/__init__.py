"""What people and programs see: text, markdown, JSON, progress, errors."""
