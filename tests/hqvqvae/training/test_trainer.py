"""`Trainer` with the callback trains what `fit` trains; without it the model warns."""

import json

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

from hqvqvae import HQVQVAEConfig, HQVQVAEError, HQVQVAEModel, load_segments
from hqvqvae.quantizer import CodebookCallback
from hqvqvae.training.fit import TrainingConfig, build_model, fit, quantized_mse
from tests.hqvqvae.small import nasa_features


def trained(features, folder, seed, callback, name="recommended-classical", **changes):
    arguments = {
        "num_train_epochs": 50, "per_device_train_batch_size": 256, "learning_rate": 1e-3, "max_grad_norm": 0.0,
        "lr_scheduler_type": "constant", "seed": seed, "report_to": [], "use_cpu": True, "disable_tqdm": True,
        "save_strategy": "no", "logging_strategy": "no",
    } | changes  # fmt: skip
    model = build_model(HQVQVAEConfig.named(name), seed)
    rows = [{"features": row} for row in torch.tensor(features, dtype=torch.float32)]
    trainer = Trainer(
        model, TrainingArguments(str(folder), **arguments), train_dataset=rows, eval_dataset=rows, callbacks=callback
    )
    return model, trainer


def quality(model, features):
    x = torch.tensor(features, dtype=torch.float32)
    return quantized_mse(model, x), len(model.encode(x).codes.unique())


def test_the_callback_standardises_warms_up_and_places_the_codes(tmp_path):
    x = nasa_features()
    callback = CodebookCallback()  # codes are restarted to the end: the last epochs may leave some of them unused
    model, trainer = trained(x, tmp_path, 0, [callback], num_train_epochs=20, per_device_train_batch_size=64)
    trainer.train()
    torch.testing.assert_close(model.feature_mean, torch.tensor(x.mean(0), dtype=torch.float32))
    error, codes = quality(model, x)
    assert not model.warming_up and error < 0.35 and codes >= 28
    # All of it warm-up: the codebook comes from k-means at the end.
    model, trainer = trained(x, tmp_path, 0, [CodebookCallback(warmup_epochs=9)], num_train_epochs=4)
    trainer.train()
    assert not model.warming_up and quality(model, x)[1] >= 28


def test_without_the_callback_the_model_warns_once(tmp_path):
    model, trainer = trained(nasa_features(), tmp_path, 0, None, num_train_epochs=1)
    with pytest.warns(UserWarning, match="callbacks=\\[CodebookCallback\\(\\)\\]") as caught:
        trainer.train()
    assert len([w for w in caught if "HQ-VQVAE" in str(w.message)]) == 1


def test_a_checkpoint_loads_as_the_model_that_was_saved(tmp_path):
    x = nasa_features()
    model, trainer = trained(x, tmp_path, 0, [CodebookCallback()], num_train_epochs=6, save_strategy="epoch")
    trainer.train()
    rows, last = torch.tensor(x, dtype=torch.float32), tmp_path / f"checkpoint-{trainer.state.global_step}"
    assert "use_cache" in json.loads((last / "config.json").read_text())  # `Trainer` adds it to every model's
    assert HQVQVAEModel.from_pretrained(last).encode(rows).codes.shape == (len(rows),)
    trainer.save_model(tmp_path / "whole")
    assert torch.equal(HQVQVAEModel.from_pretrained(tmp_path / "whole").encode(rows).codes, model.encode(rows).codes)


@pytest.mark.parametrize("every", [{"eval_strategy": "epoch"}, {"eval_strategy": "steps", "eval_steps": 1}])
def test_the_warm_up_is_not_evaluated(tmp_path, every):
    callback = CodebookCallback(warmup_epochs=2)
    _, trainer = trained(nasa_features(), tmp_path, 0, [callback], num_train_epochs=4, **every)
    trainer.train()
    assert {row["epoch"] for row in trainer.state.log_history if "eval_loss" in row} <= {2.5, 3.0, 3.5, 4.0}
    assert any("eval_loss" in row for row in trainer.state.log_history)


def test_mixed_precision_is_refused_in_one_line(tmp_path):
    _, trainer = trained(nasa_features(), tmp_path, 0, [CodebookCallback()], num_train_epochs=1, bf16=True)
    with pytest.raises(HQVQVAEError, match="runs in float32 or float64"):
        trainer.train()


@pytest.mark.slow
def test_both_ways_end_alike_over_three_seeds(tmp_path):
    x = load_segments()[HQVQVAEConfig().feature_names].to_numpy(copy=True)
    by_fit, by_trainer = [], []
    for seed in range(3):
        by_fit.append(quality(fit(HQVQVAEConfig.named("recommended"), x, TrainingConfig(seed=seed)).model, x))
        model, trainer = trained(x, tmp_path, seed, [CodebookCallback()], name="recommended")
        trainer.train()
        by_trainer.append(quality(model, x))
    one, other = np.array(by_fit), np.array(by_trainer)
    error = np.hypot(one.std(0, ddof=1), other.std(0, ddof=1)) / np.sqrt(3)
    assert abs(one[:, 0].mean() - other[:, 0].mean()) < 2 * error[0]
    assert (one[:, 1] >= 31).all() and (other[:, 1] >= 31).all()
