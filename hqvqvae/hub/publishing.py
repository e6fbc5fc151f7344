"""A trained model as a folder to publish, and on the Hugging Face Hub."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dataset_card.running.hub import Repository, require_repo_id
from dataset_card.storage.output import writing_folder

from ..modeling_hqvqvae import PACKAGED, HQVQVAEModel
from .model_card import measured, render_card

BESIDE = ("warning_score.json", "codes.png")  # files that accompany a precursor's weights; its card shows the picture
MODEL_CODE = "modeling_hqvqvae.py"  # part of every published HQ-VQVAE
PACKAGED_MODEL = "packaged model"


def export_packaged(
    model: HQVQVAEModel, folder: Path, name: str, training: dict, replace: bool = False, extra: Sequence[Path] = ()
) -> None:
    """Write packaged weights: config.json, model.safetensors, training.json and the model card.

    The package has their code, so the copy that transformers would add is removed.

    Args:
        model: The trained model.
        folder: Folder to write.
        name: Name of the configuration.
        training: Seed, epochs and metrics of the run, as JSON.
        replace: Whether packaged weights in the folder may be replaced.
        extra: Further files to copy into the folder, such as a warning score.
    """
    with writing_folder(folder, PACKAGED_MODEL, replace) as temporary:
        model.save_pretrained(temporary)
        for code in temporary.glob("*.py"):
            code.unlink()
        config = json.loads((temporary / "config.json").read_text())
        config.pop("auto_map", None)
        (temporary / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        (temporary / "training.json").write_text(json.dumps(training, indent=2, sort_keys=True) + "\n")
        for file in extra:
            shutil.copyfile(file, temporary / file.name)
        card = render_card(model.config.to_dict(), name, training, measured(folder.parent, temporary))
        (temporary / "README.md").write_text(card, encoding="utf-8")


def push(name_or_path: str, repo_id: str, private: bool = False) -> str:
    """Publish a model with code and card, so that `AutoModel.from_pretrained(repo, trust_remote_code=True)` loads it.

    One commit creates or updates the repository. After an interrupted push, files that already arrived are not resent.

    Args:
        name_or_path: A packaged name, or a folder that `train` wrote.
        repo_id: "user/name" on the Hub ($HF_ENDPOINT).
        private: Whether only its owner may see the repository.

    Returns:
        URL of the commit.

    Raises:
        MagBridgeError: If the model does not load, the repository contains something else or is public although
            `private` is set, or the Hub refuses; nothing is committed then.
    """
    with _folder(name_or_path, repo_id) as files:
        repository = Repository(repo_id, "model")
        repository.check(MODEL_CODE, private)
        return f"{repository.url}/commit/{repository.replace(files, 'Upload HQ-VQVAE', private=private)}"


def listing(name_or_path: str, repo_id: str) -> dict[str, int]:
    """Return the files that a push would upload, with their bytes by path, without contacting the Hub.

    Raises:
        MagBridgeError: If the model does not load, or `repo_id` is invalid.
    """
    with _folder(name_or_path, repo_id) as files:
        return {name: path.stat().st_size for name, path in files.items()}


@contextmanager
def _folder(name_or_path: str, repo_id: str) -> Iterator[dict[str, Path]]:
    """Yield the files to publish, by name: weights, configuration, code and card."""
    require_repo_id(repo_id)
    model = HQVQVAEModel.from_pretrained(name_or_path)
    text = model.card or render_card(model.config.to_dict(), None)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model.save_pretrained(folder)
        for name in BESIDE:
            if (found := PACKAGED / name_or_path / name).is_file() or (found := Path(name_or_path) / name).is_file():
                shutil.copyfile(found, folder / name)
        (folder / "README.md").write_text(text.replace("REPO_ID", repo_id), encoding="utf-8")
        yield {path.name: path for path in sorted(folder.iterdir())}
