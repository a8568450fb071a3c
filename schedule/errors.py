"""What can go wrong with schedules; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class UnknownSchedule(ConclaveError):
    """There is no schedule of this name: `conclave schedule list` names those there are."""


class UnknownJob(ConclaveError):
    """There is no such job: see `conclave schedule jobs`."""


class BadSchedule(ConclaveError):
    """The schedule cannot be kept; mend what is named."""


class JobFailed(ConclaveError):
    """The job did not succeed."""
