"""A report's verdict hangs on its blocking checks alone, and its text says which those are."""

import pytest

from bridge.validation.checks import REPORTED, Check, ValidationReport, holds


def check(passed: bool, blocking: bool, bound: str = "<= 1") -> Check:
    return Check("a figure", 2.0, "nT", bound, passed, blocking, "how it was measured")


def report(*checks: Check) -> ValidationReport:
    return ValidationReport("v2", "simulated", {"invariants": list(checks)})


def test_only_blocking_checks_decide():
    assert report(check(True, True), check(False, False)).passed
    assert not report(check(True, True), check(False, True)).passed


def test_text_tells_what_failed_from_what_is_off():
    text = report(check(True, True), check(False, True), check(False, False), check(True, False, REPORTED)).text()
    assert [line[:4] for line in text.splitlines()[1::2]] == ["pass", "FAIL", "off ", "    "]
    assert "2 of 4 blocking" in text and "expected <= 1" in text and ", reported" in text
    assert "latent" not in text and "separations" not in report().as_dict()


@pytest.mark.parametrize("bound, good, bad", [
    ("<= 0.05", 0.05, 0.06), (">= 1", 1.0, 0.95), ("< 0", -0.1, 0.0), ("= 6", 6.0, 5.0), ("at most 1e-09", 1e-10, 2e-9),
    ("in [0.9, 1.15]", 1.15, 0.89),
])  # fmt: skip
def test_bounds_are_read_as_they_are_written(bound, good, bad):
    assert holds(bound, good) and not holds(bound, bad) and not holds(bound, float("nan")) and not holds(bound, None)
    assert holds(REPORTED, bad)
