"""Jobs that other processes can import: what a worker may meet while it does one."""

import errno
import os
import signal
import time
from pathlib import Path

import numpy as np

from bridge.corpus.shards import build_shard
from bridge.corpus.storage import Folder
from dataset_card.errors import MagBridgeError
from hqvqvae import HQVQVAEError


def draw(seed, scale):
    """A result that depends on its arguments alone."""
    return np.random.default_rng(seed).normal(0, scale, 3)


def product(size, shared):
    """A matrix product, whose last digits can depend on the number of threads."""
    x = np.random.default_rng(size).normal(size=(size, size))
    return (x @ x).tobytes()


def die_once(job, scratch):
    """Takes its process with it the first time that job 3 is done."""
    if job == 3 and first_time(scratch, "died"):
        os.kill(os.getpid(), signal.SIGKILL)
    return job * job


def die_each_once(job, scratch):
    """Every sixth job takes its process with it once."""
    time.sleep(0.2)
    if job % 6 == 5 and first_time(scratch, f"died-{job}"):
        os.kill(os.getpid(), signal.SIGKILL)
    return job * job


def show_and_wait(job, scratch):
    """Shows a bar, tells that it does so, and takes a minute."""
    from tqdm import tqdm

    for _ in tqdm(range(60), disable=None):
        Path(scratch, f"{job}-is-at-it").touch()
        time.sleep(1)


def ended_at(seconds, shared):
    """Takes as long as it is told, and tells when it ended."""
    time.sleep(seconds)
    return time.time()


def die_always(job, scratch):
    """Takes its process with it whenever job 3 is done."""
    if job == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return job * job


def refuse(job, shared):
    """Refuses job 2."""
    if job == 2:
        raise MagBridgeError("voltage 9 V: expected 2.54 to 3.34 V")
    return job


def scaled(job, factor):
    """A result, and the process that made it."""
    return job * factor, os.getpid()


def refuse_rate(job):
    """Refuses job 2, cannot do job 1."""
    if job == 2:
        raise HQVQVAEError("a rate of 0: expected a positive number")
    return 1 / (job - 1)


def divide(job, shared):
    """A mistake in the program."""
    return 1 / (job - 2)


def full_disk(job, scratch):
    """Meets a full disk in one process, the first that does job 2."""
    mine = Path(scratch) / f"full-{os.getpid()}"
    if job == 2 and (first_time(scratch, "full") or mine.exists()):
        mine.touch()
        raise OSError(errno.ENOSPC, "No space left on device", "data")
    return job


def add_one(job, shared):
    """Writes into what it was given."""
    shared += 1
    return float(shared.sum())


def first_time(scratch, name) -> bool:
    """Whether no process did this before."""
    try:
        (Path(scratch) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class DyingFolder(Folder):
    """A folder at which the first process to write a shard's second file is killed, with the first one half written."""

    def writing(self, name):
        if name.startswith("data/validation") and first_time(Path(self.url).parent, "died"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().writing(name)


def build(shard, recipe):
    """A shard, as the corpus makes it."""
    return build_shard(shard, recipe)
