"""Many entities' rows and their new values side by side in one flat array, so that one pass serves all windows."""

from dataclasses import dataclass

import numpy as np

from jobs.columns import Bits, Longs, Values


@dataclass(frozen=True)
class Flat:
    """Entity t's segment is its `width` carried places followed by its `arriving[t]` new ones and ends before `ends[t]`.

    `at` (N,) is where each new value lies; absent carried places are the oldest of a segment.
    """

    width: int
    arriving: Longs
    ends: Longs
    at: Longs

    @classmethod
    def of(cls, group: Longs, entities: int, width: int) -> "Flat":
        """`group` (N,) ascending: the entity of each new value, of `entities` in all."""
        arriving = np.bincount(group, minlength=entities).astype(np.int64)
        ends = np.cumsum(arriving + width)
        return cls(width, arriving, ends, np.arange(len(group)) + (group + 1) * width)

    def lay(self, rows: Values, values: Values) -> Values:
        """One flat array of carried rows (T, width) and new values (N,)."""
        flat = np.empty(rows.size + len(values), rows.dtype)
        flat[self._all_but(self.at)] = rows.reshape(-1)
        flat[self.at] = values
        return flat

    def newest(self, flat: Values, since: Longs | None = None) -> Values:
        """The last `width` places (T, width) of each segment: the rows after the new values came.

        With `since` (T,) the places before it are zeroed: what was forgotten leaves no trace in the state.
        """
        rows = flat[self._all_but(self.at - self.width)].reshape(len(self.ends), self.width)  # each new value pushes one out
        if since is None:
            return rows
        places = self.ends[:, None] + np.arange(-self.width, 0)
        return np.where(places >= since[:, None], rows, 0).astype(flat.dtype)

    def _all_but(self, places: Longs) -> Bits:
        """As a mask, which numpy copies run by run, many times faster than index by index."""
        mask = np.ones(len(self.ends) * self.width + len(self.at), bool)
        mask[places] = False
        return mask

    def since(self, restart: Bits, group: Longs) -> Longs | None:
        """(T,) where each segment's newest restart lies; None when nothing restarts."""
        if not restart.any():
            return None
        since = np.zeros(len(self.ends), np.int64)
        since[group[restart]] = self.at[restart]  # ascending, so the newest stays
        return since
