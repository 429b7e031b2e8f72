"""Markdown as people read it: which characters are its marks, and how the others are drawn."""
