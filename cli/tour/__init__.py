"""`conclave tour`: the whole product walked through its public API, a step at a time."""
