"""The project's one logger: progress notes on stderr, while results are printed on stdout.

Silence or redirect it like any Python logger:

    logging.getLogger("magbridge").setLevel(logging.ERROR)
"""

import logging
import sys

LOG = logging.getLogger("magbridge")


class _Stderr(logging.Handler):
    """Write each note as one line to `sys.stderr`, looked up at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


LOG.addHandler(_Stderr())
LOG.setLevel(logging.INFO)
LOG.propagate = False
