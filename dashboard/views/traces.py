"""To come."""

from dashboard import shell

shell.begin()
