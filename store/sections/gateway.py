"""Settings of gateway/."""

from store.sections.base import Port, Section


class Gateway(Section):
    """The HTTP interface: `conclave gateway`."""

    host: str = "127.0.0.1"
    port: Port = 8600
