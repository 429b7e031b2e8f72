#!/usr/bin/env python3
"""Footnote's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatapp.settings")
    from django.core.management import execute_from_command_line

    # A command is a module, whose name has no hyphens; people type `migrate-store`.
    execute_from_command_line(
        [word if at != 1 or word[:1] == "-" else word.replace("-", "_") for at, word in enumerate(sys.argv)]
    )


if __name__ == "__main__":
    main()
