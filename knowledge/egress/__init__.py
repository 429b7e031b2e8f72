"""Requests to addresses that people typed in: one function, which never reaches what they may not."""
