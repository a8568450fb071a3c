"""What can go wrong with settings and the database; each docstring is the message that a person reads."""


class ConclaveError(Exception):
    """Something went wrong."""

    def __str__(self) -> str:
        said = super().__str__()
        first = " ".join((type(self).__doc__ or "").split())
        return f"{first} {said}".strip()


class BadSettings(ConclaveError):
    """The settings cannot be used; mend the named key and start again."""


class DatabaseError(ConclaveError):
    """The database refused a statement."""


class DatabaseAway(DatabaseError):
    """The database cannot be reached: see that the server runs and that CONCLAVE_DATABASE_URL (or PGHOST, PGPORT …) names it."""


class DatabaseLogin(DatabaseError):
    """The database server answers, but not to this login: check user, password and database name in the URL."""


class DatabaseNewer(DatabaseError):
    """The database was migrated by a newer Conclave: update this installation, or name another database."""


class DatabaseChanged(DatabaseError):
    """A migration was edited after this database had applied it: restore the file, or start with an empty database."""


class DatabaseOlder(DatabaseError):
    """The database lacks a table or column of this version: run `conclave migrate`."""


class DatabaseForbidden(DatabaseError):
    """The database user may not do this: let the database's owner grant it (or create the extension) and try again."""


class DatabaseFull(DatabaseError):
    """The database server has no room left: free disk space or connections (max_connections), then try again."""


class DatabaseConflict(DatabaseError):
    """Two transactions got in each other's way and this one was undone: try it again."""


class DatabaseRow(DatabaseError):
    """A row breaks a rule of the schema, so its whole transaction was undone."""


class EmbeddedFailed(DatabaseError):
    """The embedded Postgres did not start: read its last words below, or name a server with CONCLAVE_DATABASE_URL."""


class UnknownQuery(ConclaveError):
    """No file in store/queries holds a query of this name."""
