"""The model that the bridge supplies runs by its name wherever the command line is put together."""

import magbridge
from benchmark.running import OUTSIDE, run_baselines


def test_it_runs_by_its_name(tiny_release, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_UPSTREAM", "")
    for name in list(OUTSIDE):
        monkeypatch.setitem(OUTSIDE, name, OUTSIDE[name])
    magbridge.supply_models()
    (result,) = run_baselines(tiny_release, task="t4", model="reservoir-ridge")
    assert result.model == "reservoir-ridge" and result.n_features == 171 and result.mean() > 0.4
