"""A container's health: does a page answer with success? `python deploy/answers.py URL`; exit code 1 when not."""

import sys
import urllib.error
import urllib.request


def answers(url: str, timeout_s: float = 4.0) -> bool:
    """Any answer below 400 within the time."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - the URL is the compose file's own
            return bool(answer.status < 400)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
