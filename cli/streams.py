"""`conclave stream`: ingest and detect in one Spark session; and the same over what is there now, which `demo --once` starts."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line instead of text.")]


def stream(as_json: AsJson = False) -> None:
    """Run ingest and detect together in one Spark session: half the memory of two processes, and less time from event to anomaly.

    Runs until Ctrl-C, exactly as `conclave ingest` and `conclave detect` side by side would; each keeps its own checkpoint, so
    they can be parted again at any time.
    """
    from cli.jobs import stopping, teller
    from jobs.run import run_both
    from store.settings import settings

    run_both(settings(), stop=stopping(), on_progress=teller(as_json))


def main() -> None:
    from cli import logs
    from jobs.run import run_once
    from store.settings import settings

    logs.configure(settings().log_level, human=False)
    run_once(settings())


if __name__ == "__main__":
    main()
