"""One repository on the Hugging Face Hub: inspect it, replace it in one commit, tag it; errors are one plain sentence.

The endpoint and the token are those of huggingface_hub: `$HF_ENDPOINT`, and `hf auth login` or `$HF_TOKEN`.
"""

import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from dataset_card.contract.configs import METADATA_FILE
from dataset_card.errors import MagBridgeError, causes, innermost
from dataset_card.storage.reading import MANIFEST, checked_digest, read_manifest

FRESH = {".gitattributes", "README.md"}
"""Files that the Hub itself puts into a new repository."""


def size_of(content: Path | bytes) -> int:
    """Return the size in bytes of one file to publish."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def require_repo_id(repo_id: str) -> None:
    """Check that the Hub accepts an id of a repository, without contacting it.

    Raises:
        MagBridgeError: If it is not `user/name`, or has characters that the Hub refuses.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id if "/" in repo_id else "")
    except HFValidationError as error:
        expected = "USER/NAME of letters, digits and single '-', '_' or '.' between them"
        raise MagBridgeError(f"repository {repo_id!r}: expected {expected}, such as me/magbridge-battery") from error


class Repository:
    """A repository in the state in which it was inspected; it need not exist.

    Args:
        repo_id: `user/name`.
        kind: `dataset`, `space` or `model`.

    Attributes:
        revision: Its newest commit; None if the repository does not exist.
        files: Paths in it.
        private: Whether only its owner sees it; None if the repository does not exist.

    Raises:
        MagBridgeError: If `repo_id` is invalid, the Hub cannot be reached, or it refuses the token.
    """

    def __init__(self, repo_id: str, kind: str):
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError

        require_repo_id(repo_id)
        self.repo_id, self.kind, self._api = repo_id, kind, HfApi()
        self.revision: str | None = None
        self.files: frozenset[str] = frozenset()
        self.private: bool | None = None
        with self._plainly():
            try:
                info: Any = self._api.repo_info(repo_id, repo_type=kind)
            except RepositoryNotFoundError:
                return
            self.revision, self.private = info.sha, info.private
            self.files = frozenset(file.rfilename for file in info.siblings)

    def check(self, marker: str, private: bool) -> None:
        """Check that the repository is free, or is one of this project's and may be replaced.

        Args:
            marker: A file that every repository of this sort has.
            private: Whether the files to publish must stay private.

        Raises:
            MagBridgeError: If the repository has other content, or is public although `private` is set.
        """
        if self.files - FRESH and marker not in self.files:
            some = sorted(self.files - FRESH)[0]
            raise MagBridgeError(
                f"{self.kind} {self.repo_id} has other content ({some}, and no {marker}): nothing was changed; "
                "choose another repository"
            )
        if private and self.private is False:
            raise MagBridgeError(
                f"{self.kind} {self.repo_id} already exists and is public: nothing was pushed; make it private on the "
                "Hub first, choose another repository, or omit --private"
            )

    def tags(self) -> dict[str, str]:
        """Return the commit of each tag, by name; empty if the repository does not exist."""
        if self.revision is None:
            return {}
        with self._plainly():
            return {
                ref.name: ref.target_commit for ref in self._api.list_repo_refs(self.repo_id, repo_type=self.kind).tags
            }

    def read(self, path: str, revision: str | None = None) -> bytes:
        """Return the contents of one file, at the inspected commit or another revision."""
        with self._plainly(), _quiet_in_a_pipe(), tempfile.TemporaryDirectory() as folder:
            found = self._api.hf_hub_download(
                self.repo_id, path, repo_type=self.kind, revision=revision or self.revision, local_dir=folder
            )
            return Path(found).read_bytes()

    def replace(
        self, files: Mapping[str, Path | bytes], message: str, *, private: bool = False, space_sdk: str | None = None
    ) -> str:
        """Write `files` to the repository in one commit; create the repository if it does not exist.

        Other files stay, except those in a top-level folder that `files` also has. Large files that reached the Hub in
        an interrupted attempt are not sent again. If every file is already there, no new commit is made.

        Args:
            files: By path in the repository: the content, or the local file to upload.
            message: Title of the commit.
            private: Whether a new repository is private.
            space_sdk: SDK of a new Space.

        Returns:
            Id of the commit that has the files.

        Raises:
            MagBridgeError: If the Hub refuses or cannot be reached, or someone else has committed meanwhile; nothing
                is committed then.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        folders = {PurePosixPath(path).parts[0] for path in files if "/" in path}
        stale = sorted(p for p in self.files - set(files) if PurePosixPath(p).parts[0] in folders)
        operations: list = [CommitOperationAdd(path, content) for path, content in sorted(files.items())]
        operations += [CommitOperationDelete(path, is_folder=False) for path in stale]
        with self._plainly(), _quiet_in_a_pipe(), warnings.catch_warnings():
            # A Space needs the predictions of its entries to recompute its scores: they are not a misplaced dataset.
            warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")
            if self.revision is None:
                self._api.create_repo(
                    self.repo_id, repo_type=self.kind, private=private, exist_ok=True, space_sdk=space_sdk
                )
            commit = self._api.create_commit(
                self.repo_id, operations, commit_message=message, repo_type=self.kind, parent_commit=self.revision
            )
        return commit.oid

    def propose(self, files: Mapping[str, Path | bytes], message: str) -> str:
        """Open a pull request that adds `files`; return its URL.

        Raises:
            MagBridgeError: If the repository does not exist, or the Hub refuses or cannot be reached.
        """
        from huggingface_hub import CommitOperationAdd

        if self.revision is None:
            raise MagBridgeError(f"no {self.kind} {self.repo_id} on the Hub, or the token may not see it")
        operations = [CommitOperationAdd(path, content) for path, content in sorted(files.items())]
        with self._plainly(), _quiet_in_a_pipe():
            commit = self._api.create_commit(
                self.repo_id, operations, commit_message=message, repo_type=self.kind, create_pr=True
            )
        return str(commit.pr_url)

    def tag(self, name: str, revision: str) -> None:
        """Tag a commit.

        Raises:
            MagBridgeError: If the Hub refuses or cannot be reached; the commit stays, untagged.
        """
        with self._plainly(f"the files are on the Hub as commit {revision[:12]}, only its tag {name} is missing"):
            self._api.create_tag(self.repo_id, tag=name, revision=revision, repo_type=self.kind)

    def collect(self, title: str) -> str:
        """Add the repository to its owner's collection with this title, created if necessary; return its URL.

        Raises:
            MagBridgeError: If the Hub refuses or cannot be reached.
        """
        with self._plainly(f"{self.repo_id} is on the Hub, but not in the collection"):
            owner = self.repo_id.split("/")[0]
            slug = self._api.create_collection(title, namespace=owner, exists_ok=True).slug
            self._api.add_collection_item(slug, self.repo_id, self.kind, exists_ok=True)  # type: ignore[arg-type]
            return f"{self._api.endpoint}/collections/{slug}"

    @property
    def url(self) -> str:
        """URL of the repository."""
        prefix = "" if self.kind == "model" else f"{self.kind}s/"
        return f"{self._api.endpoint}/{prefix}{self.repo_id}"

    def _plainly(self, outcome: str = "nothing was changed"):
        return _plainly(self.repo_id, outcome)


def pull_release(repo_id: str) -> Path:
    """Download a release from the Hub and check that its rows have the digest that its manifest states.

    Args:
        repo_id: `user/name` of a dataset.

    Returns:
        Its folder in huggingface_hub's cache.

    Raises:
        MagBridgeError: If the Hub refuses or cannot be reached, the repository is not a release, or the download is
            damaged; a damaged download is removed from the cache.
    """
    from huggingface_hub import scan_cache_dir, snapshot_download

    patterns = ["data/**", METADATA_FILE, MANIFEST]
    try:
        require_repo_id(repo_id)
        with _plainly(repo_id, "files that arrived are kept"), _quiet_in_a_pipe():
            folder = Path(snapshot_download(repo_id, repo_type="dataset", allow_patterns=patterns))
    except MagBridgeError as error:
        raise MagBridgeError(
            f"cannot download the dataset {repo_id} from the Hub: {error}; pass a release folder, or check the id, the "
            "network and your token"
        ) from error
    read_manifest(folder)
    try:
        checked_digest(folder)
    except MagBridgeError as error:
        scan_cache_dir(folder.parents[2]).delete_revisions(folder.name).execute()
        raise MagBridgeError(
            f"the download of {repo_id} was damaged and removed from the cache; run the command again: {error}"
        ) from error
    return folder


@contextmanager
def _plainly(repo_id: str, outcome: str) -> Iterator[None]:
    """Turn huggingface_hub's errors into one sentence with the fix and the `outcome`, the state that was left."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    try:
        with _without_retries():
            yield
    except MagBridgeError:
        raise
    except (HTTPError, RuntimeError, OSError) as error:
        chain = causes(error)
        answered = next((e for e in chain if isinstance(e, HfHubHTTPError)), None)
        full = next((e for e in chain if isinstance(e, OSError) and e.errno is not None and e.filename), None)
        if answered is not None:
            raise MagBridgeError(_refusal(answered, repo_id, outcome)) from error
        if full is not None:
            raise
        raise MagBridgeError(
            f"no connection to {_endpoint()} ({innermost(error)}) for {repo_id}: {outcome}; "
            "run the command again: files that arrived are not sent twice"
        ) from error


@contextmanager
def _without_retries() -> Iterator[None]:
    """Silence huggingface_hub's messages about retries, up to twelve lines per file; the final error is enough."""
    handlers = logging.getLogger("huggingface_hub").handlers

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    for handler in handlers:
        handler.addFilter(is_error)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_error)


def _endpoint() -> str:
    from huggingface_hub import HfApi

    return HfApi().endpoint


def _refusal(error, repo_id: str, outcome: str) -> str:
    status = error.response.status_code
    owner = repo_id.partition("/")[0]
    if status == 401:
        return (
            f"{_endpoint()} does not accept the token for {repo_id}: expected one with write access to "
            f"{owner}; log in with `hf auth login`, or set $HF_TOKEN; {outcome}"
        )
    if status == 403:
        return (
            f"the token may not write to {repo_id}: expected one with write access to {owner}; create one in "
            f"the settings of your account on the Hub; {outcome}"
        )
    if status == 412:
        return f"{repo_id} was changed meanwhile: nothing was pushed; check the change and run the command again"
    reason = " ".join((getattr(error, "server_message", None) or str(error)).split())
    return f"{_endpoint()} refused {repo_id} with status {status} ({reason}); {outcome}"


@contextmanager
def _quiet_in_a_pipe() -> Iterator[None]:
    """Show huggingface_hub's progress bars only on a terminal."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
