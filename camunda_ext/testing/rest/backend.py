"""
The parts of an engine that the operations work on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from camunda_ext.testing._versions import Version
from camunda_ext.testing.rest.faults import Faults
from camunda_ext.testing.rest.polls import Polls
from camunda_ext.testing.state import batches
from camunda_ext.testing.state.store import Store, Transaction


@attrs.frozen
class Backend:
    """
    The state of an engine, its long polls, and its planned faults.
    """

    store: Store
    polls: Polls
    faults: Faults
    #: Whether requests must carry credentials.
    needs_credentials: bool

    @property
    def version(self) -> Version:
        """
        The version that the engine answers as.
        """
        return self.store.version

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """
        A transaction for one command, of which everything is stored or nothing. Jobs of batches
        that are due are executed first.
        """
        with self.store.transaction() as tx:
            batches.run_due(tx)
            yield tx
        if tx.wakes_polls:
            self.polls.wake()
