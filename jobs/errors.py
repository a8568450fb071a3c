"""What can go wrong on the way from source to docket; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class JarsUnavailable(ConclaveError):
    """Spark's jars could not be fetched; check the network or put the pinned files into `jars/` by hand:"""


class NotReady(ConclaveError):
    """This job cannot start here; `conclave check` shows all that was looked at:"""


class PortTaken(ConclaveError):
    """Nothing can be served at"""


class BatchConflict(ConclaveError):
    """This batch was committed before with other offsets or settings; restore the old settings, or start a new checkpoint
    with `conclave detect --rebuild`."""


class JobRunning(ConclaveError):
    """Another process runs this job on this checkpoint; stop it first, or give this one its own home."""


class StateMismatch(ConclaveError):
    """The checkpoint was made with other settings that cannot change under it; set them back, or start a new checkpoint with
    `conclave detect --rebuild`:"""


class StateVersion(StateMismatch):
    """The checkpoint's state cannot be read by this version of Conclave; install the version that wrote it, or start a new
    checkpoint with `conclave detect --rebuild`:"""


class StateDamaged(StateMismatch):
    """A shard's state in the checkpoint is damaged; look at the disk, then start a new checkpoint with
    `conclave detect --rebuild`:"""


class IngestPinned(StateMismatch):
    """Ingest's checkpoint was made with other settings that cannot change under it; set them back, or give what is new a home
    of its own (CONCLAVE_HOME):"""


class SourceMissing(ConclaveError):
    """There is nothing to read yet:"""


class StreamFailed(ConclaveError):
    """A streaming job stopped:"""


class BatchFailed(ConclaveError):
    """A batch could not be written, and will be tried again at the next start:"""


class UnknownDetector(ConclaveError):
    """The setting `detect.detectors` names what does not exist:"""


class NotDelivered(ConclaveError):
    """Kafka did not take every record; look at the broker and produce again:"""


class UnknownDataset(ConclaveError):
    """There is no such data set; give a file, or one of the bundled names:"""


class RebuildTooEarly(ConclaveError):
    """The last batch ended in the middle of a bronze version; run `conclave detect --once` with the settings of before first,
    then rebuild."""


class ErasureTooEarly(ConclaveError):
    """Detect has not read all of bronze yet, and erasing takes old versions away; run `conclave detect --once` first."""


class ErasureElsewhere(ConclaveError):
    """Bronze holds plain identifiers and lies in an object store, where they cannot be taken out of files and log: start anew
    with `privacy.identifiers = "tokenised"`, or copy the tables to a local disk, erase there, and copy them back."""


class BadTopology(ConclaveError):
    """The topology file cannot be used:"""


class LagUnknown(ConclaveError):
    """How far ingest is behind cannot be told now; send the events again soon."""
