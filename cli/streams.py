"""Both streaming jobs over what is there now, in one Spark session; `demo --once` starts this as a process of its own."""


def main() -> None:
    from cli import logs
    from jobs.run import run_once
    from store.settings import settings

    logs.configure(settings().log_level, human=False)
    run_once(settings())


if __name__ == "__main__":
    main()
