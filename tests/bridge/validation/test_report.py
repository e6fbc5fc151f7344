"""A report's verdict hangs on its blocking checks alone, and its text says which those are."""

from bridge.validation.checks import REPORTED, Check
from bridge.validation.report import ValidationReport


def check(passed: bool, blocking: bool, bound: str = "<= 1") -> Check:
    return Check("a figure", 2.0, "nT", bound, passed, blocking, "how it was measured")


def report(*checks: Check) -> ValidationReport:
    return ValidationReport("v2", "simulated", {"invariants": list(checks)}, [])


def test_only_blocking_checks_decide():
    assert report(check(True, True), check(False, False)).passed
    assert not report(check(True, True), check(False, True)).passed


def test_text_tells_what_failed_from_what_is_off():
    text = report(check(True, True), check(False, True), check(False, False), check(True, False, REPORTED)).text()
    assert [line[:4] for line in text.splitlines()[1::2]] == ["pass", "FAIL", "off ", "    "]
    assert "2 of 4 blocking" in text and "expected <= 1" in text and ", reported" in text
    assert "latent" not in text and "separations" not in report().as_dict()
