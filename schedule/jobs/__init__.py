"""What schedules run, a job a file: `run(context) -> result`, `mark(context) -> str`, and the arguments it accepts."""
