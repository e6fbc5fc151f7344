"""The project's one logger: notes about what is being done, on stderr, beside the results that commands print.

Silence it, or send it elsewhere, as any logger of Python's:

    logging.getLogger("magbridge").setLevel(logging.ERROR)
"""

import logging
import sys

LOG = logging.getLogger("magbridge")


class _Stderr(logging.Handler):
    """Write each note as a line to what `sys.stderr` is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


LOG.addHandler(_Stderr())
LOG.setLevel(logging.INFO)
LOG.propagate = False
