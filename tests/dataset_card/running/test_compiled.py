"""Compiled functions where no folder can be written."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = """
from numba.core import caching
for locator in caching.CacheImpl._locator_classes:
    locator.from_function = classmethod(lambda cls, *where: None)
from dataset_card.running.compiled import compiled
@compiled(nogil=True)
def twice(x):
    return 2 * x
print(twice(4.5))
"""


def test_without_a_place_for_the_cache_functions_are_compiled_anyway():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("9.0\n", "")
