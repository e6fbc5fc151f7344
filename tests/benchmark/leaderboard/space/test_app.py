"""The page is built for whatever release it scores against."""

import pytest

from benchmark.leaderboard.space.app import build


@pytest.mark.parametrize(("edition", "tasks"), [("tiny", "1234"), ("v3", "56789")])
def test_the_form_offers_the_tasks_of_its_release(request, edition, tasks):
    pytest.importorskip("gradio")
    page, _ = build([], request.getfixturevalue(f"{edition}_release"))
    (field,) = [one["props"] for one in page.config["components"] if one["type"] == "dropdown"]
    assert [value for _, value in field["choices"]] == [f"t{number}" for number in tasks]
    assert field["value"] == f"t{tasks[0]}"
