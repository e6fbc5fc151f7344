"""A round from opening to reveal: made again byte for byte by anyone, and whatever was changed is named."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from bridge.rounds.folder import open_round, reveal, verify
from bridge.rounds.rows import RoundSize
from bridge.rounds.secret import Secret
from dataset_card.errors import MagBridgeError
from dataset_card.storage.rounds import commitment_of, read_round, round_digest

SECRET = Secret("round-1", 2**64 + 1, "5a" * 16)


@pytest.fixture(scope="module")
def size(simulated_v2):
    return RoundSize(dict.fromkeys(dict.fromkeys(simulated_v2.pulses.table.tolist()), 5), 1, 16, 12)


@pytest.fixture(scope="module")
def opened(simulated_v2, size, tmp_path_factory):
    folder = tmp_path_factory.mktemp("open") / "round-1"
    open_round(folder, SECRET, simulated_v2, size)
    return folder


@pytest.fixture(scope="module")
def revealed(opened, simulated_v2, tmp_path_factory):
    folder = shutil.copytree(opened, tmp_path_factory.mktemp("revealed") / "round-1")
    reveal(folder, SECRET, simulated_v2)
    return folder


@pytest.fixture
def copy(revealed, tmp_path):
    return shutil.copytree(revealed, tmp_path / "round-1")


def test_an_open_round_holds_no_part_of_the_secret_and_no_label(opened, revealed):
    assert sorted(path.name for path in opened.iterdir()) == [
        "README.md",
        "round.json",
        *(f"t{i}.parquet" for i in (1, 2, 3, 4)),
    ]
    public = b"".join(path.read_bytes() for path in opened.iterdir())
    labels = pq.read_table(revealed / "labels.parquet")
    told = [SECRET.salt, str(SECRET.master_seed), *labels["cell_id"].to_pylist()]
    told += [str(seed) for seed in labels["generation_seed"].to_pylist()]
    assert not [word for word in told if word.encode() in public]
    for path in opened.glob("*.parquet"):
        footer = pq.ParquetFile(path).metadata
        assert footer.num_row_groups == 1 and b"pandas" not in (footer.metadata or {})
    assert verify(opened).startswith("open, 192 rows, commitment ")


def test_opening_again_gives_the_same_bytes(opened, simulated_v2, size, tmp_path):
    open_round(tmp_path / "new" / "round-1", SECRET, simulated_v2, size)
    for path in opened.iterdir():
        assert path.read_bytes() == (tmp_path / "new" / "round-1" / path.name).read_bytes(), path.name


def test_the_reveal_is_made_again_byte_for_byte(opened, revealed, simulated_v2):
    assert "192 rows made again byte for byte" in verify(revealed, simulated_v2)
    for path in opened.iterdir():
        assert path.read_bytes() == (revealed / path.name).read_bytes(), "the reveal changes nothing that was public"
    with pytest.raises(MagBridgeError, match="round-1 is already revealed"):
        reveal(revealed, SECRET, simulated_v2)


def test_a_round_is_never_written_over(opened, simulated_v2, size):
    with pytest.raises(MagBridgeError, match="exists: expected a new folder; an open round never changes"):
        open_round(opened, SECRET, simulated_v2, size)


@pytest.mark.parametrize("other", [Secret("round-1", 2**64 + 2, SECRET.salt), Secret("round-1", 2**64 + 1, "00" * 16)])
def test_another_secret_cannot_reveal(opened, simulated_v2, other):
    with pytest.raises(MagBridgeError, match="the secret does not match the commitment"):
        reveal(opened, other, simulated_v2)
    assert not (opened / "reveal.json").exists()


def _edit(name, **entries):
    def edit(folder):
        document = json.loads((folder / name).read_text())
        document |= entries
        (folder / name).write_text(json.dumps(document, indent=1) + "\n")

    return edit


def _reconfigured(folder):
    """A configuration changed with care: every digest in the folder fits, and the commitment does not."""
    document = json.loads((folder / "round.json").read_text())
    document["configuration"]["rows"]["regime_b"] = 11
    document["digest"] = round_digest(document["commitment"], document["configuration"], document["files"])
    (folder / "round.json").write_text(json.dumps(document))


def _recommitted(folder):
    """As above, with a commitment to match: another round, whose rows are not these."""
    _reconfigured(folder)
    document = json.loads((folder / "round.json").read_text())
    document["commitment"] = commitment_of(document["configuration"], SECRET.master_seed, SECRET.salt)
    document["digest"] = round_digest(document["commitment"], document["configuration"], document["files"])
    (folder / "round.json").write_text(json.dumps(document))


def _relabelled(folder):
    from dataset_card.storage.digests import sha256_of

    labels = pq.read_table(folder / "labels.parquet")
    soh = labels["soh"].to_pylist()
    labels = labels.set_column(
        labels.column_names.index("soh"), labels.schema.field("soh"), [soh[:1] + soh[2:] + soh[1:2]]
    )
    pq.write_table(labels, folder / "labels.parquet")
    _edit("reveal.json", labels_sha256=sha256_of(folder / "labels.parquet"))(folder)


def _swapped(folder):
    (folder / "t1.parquet").rename(folder / "x")
    (folder / "t2.parquet").rename(folder / "t1.parquet")
    (folder / "x").rename(folder / "t2.parquet")


TAMPERED = {
    "reveal.json: master_seed and salt do not give the commitment": _edit("reveal.json", master_seed=str(2**64 + 2)),
    "reveal.json: master_seed and salt do not give": _edit("reveal.json", salt="5b" * 16),
    "reveal.json: expected a master_seed of digits": _edit("reveal.json", master_seed=2**64 + 1),
    "the seed, the salt or the configuration was changed": _reconfigured,
    "differs from what seed, salt and configuration generate, byte for byte": _recommitted,
    "round.json: its contents have the digest .* it states": _edit("round.json", commitment="0" * 64),
    "round.json: expected format 1.0": _edit("round.json", format="2.0"),
    "labels.parquet: missing or changed": lambda f: (f / "labels.parquet").write_bytes(b"PAR1"),
    "labels.parquet: differs from what seed, salt and configuration generate": _relabelled,
    "t4.parquet was changed": lambda f: (f / "t4.parquet").write_bytes((f / "t4.parquet").read_bytes() + b"x"),
    "t1.parquet was changed": _swapped,
    "t2.parquet: missing": lambda f: (f / "t2.parquet").unlink(),
    "README.md: differs from what": lambda f: (f / "README.md").write_text("Send predictions to me."),
    "answers.csv: not a file of a round": lambda f: (f / "answers.csv").write_text("x"),
    "no round.json; expected a round's folder": lambda f: (f / "round.json").unlink(),
}  # fmt: skip


@pytest.mark.parametrize("message", TAMPERED)
def test_what_was_changed_is_named(copy, simulated_v2, message):
    TAMPERED[message](copy)
    with pytest.raises(MagBridgeError, match=message) as caught:
        verify(copy, simulated_v2)
    assert "\n" not in str(caught.value)


def test_another_upstream_is_named(revealed, simulated_v2):
    import dataclasses

    with pytest.raises(MagBridgeError, match="upstream of the round is .*, but here it is"):
        verify(revealed, dataclasses.replace(simulated_v2, sources={}))


def test_the_commands_open_reveal_and_verify(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from bridge.__main__ import app

    def run(*arguments):
        return CliRunner().invoke(app, ["round", *arguments])

    monkeypatch.chdir(tmp_path)
    refused = run("open", "--out", "round-7", "--secret-file", "round-7/s.json", "--upstream", "simulated")
    assert "is inside round-7, which is public" in str(refused.exception)
    said = run("open", "--out", "round-7", "--secret-file", "s.json", "--upstream", "simulated").output
    found = read_round(tmp_path / "round-7")
    assert f"publish the commitment: {found.commitment}" in said and "t1 1220, t2 1220, t3 2420, t4 600" in said
    assert "open, 5,460 rows" in run("verify", "round-7").output
    assert "seed, salt and labels added" in run("reveal", "round-7", "--secret-file", "s.json").output
    assert "5,460 rows made again byte for byte" in run("verify", "round-7").output
