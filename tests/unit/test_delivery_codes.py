"""Delivery statuses: the word decides the outcome, the codes decide whether to try again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_fsm.delivery import (
    DEFAULT_VOCABULARIES,
    Code,
    Outcome,
    Retryable,
    Verdict,
    is_opt_out_code,
    judge,
    load_codes,
)

PACKAGE = Path(__file__).parents[2] / "sms_fsm"
YES, NO, UNKNOWN = Retryable.YES, Retryable.NO, Retryable.UNKNOWN
FAILURES = ["failed", "undelivered", "rejected", "expired"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("queued", Outcome.PENDING),
        ("sent", Outcome.PENDING),
        ("delivered", Outcome.DELIVERED),
        ("Delivered", Outcome.DELIVERED),
        ("DELIVERED", Outcome.DELIVERED),
        ("unknown", Outcome.UNKNOWN),
        ("Undelivered", Outcome.FAILED),
        *((word, Outcome.FAILED) for word in FAILURES),
    ],
)
def test_the_status_word_decides_the_outcome(status: str, outcome: Outcome) -> None:
    assert judge(status).outcome is outcome


@pytest.mark.parametrize("status", ["buffered", "delivered_to_operator", "DELIVRD", "failure", ""])
def test_an_unlisted_status_is_pending_and_never_failed(status: str) -> None:
    assert judge(status, error_code="30005") == Verdict(Outcome.PENDING, NO)


@pytest.mark.parametrize("status", ["queued", "sent", "delivered", "unknown"])
def test_only_a_failed_message_can_be_retryable(status: str) -> None:
    assert judge(status, error_code="30003", status_code="EXPIRED").retryable is NO


@pytest.mark.parametrize(
    ("error_code", "carrier_status", "status_code", "retryable"),
    [
        ("30003", None, None, YES),
        ("30005", None, None, NO),
        ("30005", "001", "EXPIRED", NO),
        ("30003", "005", "UNDELIV", YES),
        ("30008", "005", "EXPIRED", NO),
        ("30008", "001", "UNDELIV", YES),
        ("30008", None, "EXPIRED", YES),
        ("30008", "77", "EXPIRED", YES),
        ("new-code", "no-such", "EXPIRED", YES),
        ("", "", "EXPIRED", YES),
        ("30008", "77", "UNDELIV", UNKNOWN),
        ("new-code", None, None, UNKNOWN),
        (None, None, None, UNKNOWN),
    ],
)
def test_the_first_code_that_says_yes_or_no_decides(
    error_code: str | None,
    carrier_status: str | None,
    status_code: str | None,
    retryable: Retryable,
) -> None:
    verdict = judge(
        "failed", error_code=error_code, carrier_status=carrier_status, status_code=status_code
    )
    assert verdict == Verdict(Outcome.FAILED, retryable)


@pytest.mark.parametrize("status", FAILURES)
def test_every_word_for_failure_is_judged_by_its_codes(status: str) -> None:
    assert judge(status, error_code="30007") == Verdict(Outcome.FAILED, NO)


def test_codes_are_text_and_not_numbers() -> None:
    assert judge("failed", error_code="001").retryable is YES
    assert judge("failed", error_code="1").retryable is UNKNOWN
    assert judge("failed", error_code="01").retryable is UNKNOWN


@pytest.mark.parametrize("code", ["000", "DELIVRD", "ENROUTE", "2"])
def test_a_code_for_success_says_nothing_about_a_failure(code: str) -> None:
    assert judge("failed", error_code=code).retryable is UNKNOWN


def test_only_the_vocabularies_of_the_tenant_are_asked() -> None:
    assert judge("failed", error_code="3").retryable is YES
    assert judge("failed", error_code="3", vocabularies=["vonage-err-code"]).retryable is NO
    assert (
        judge("failed", error_code="30005", vocabularies=["vonage-err-code"]).retryable is UNKNOWN
    )
    assert judge("failed", error_code="30005", vocabularies=[]).retryable is UNKNOWN


def test_vocabularies_are_asked_in_the_order_of_the_tenant() -> None:
    both = ["smpp-message_state", "vonage-err-code"]
    assert judge("failed", error_code="3", vocabularies=both).retryable is YES
    assert judge("failed", error_code="3", vocabularies=both[::-1]).retryable is NO


def test_an_undecided_vocabulary_leaves_the_code_to_the_next() -> None:
    both = ["smpp-dlr", "vonage-dlr"]
    assert judge("failed", status_code="REJECTD", vocabularies=both).retryable is NO


@given(st.text(), st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_any_text_is_judged(
    status: str, error_code: str | None, carrier_status: str | None, status_code: str | None
) -> None:
    verdict = judge(
        status, error_code=error_code, carrier_status=carrier_status, status_code=status_code
    )
    assert verdict.outcome is Outcome.FAILED or verdict.retryable is NO


def test_the_default_vocabularies_are_those_of_smpp_and_twilio() -> None:
    theirs = {name for name in load_codes() if name.startswith(("smpp-", "twilio-"))}
    assert set(DEFAULT_VOCABULARIES) == theirs


def test_an_opt_out_is_recognised_by_the_codes_of_the_tenant() -> None:
    assert is_opt_out_code("21610")
    assert is_opt_out_code(None, "30008", "21610")
    assert not is_opt_out_code("40300")
    assert is_opt_out_code("40300", vocabularies=["telnyx-error"])
    assert is_opt_out_code("9", vocabularies=["vonage-err-code"])
    assert not is_opt_out_code("30007", None, "")
    assert not is_opt_out_code()


def test_a_message_to_someone_who_opted_out_is_never_sent_again() -> None:
    codes = [code for vocabulary in load_codes().values() for code in vocabulary.values()]
    opted_out = [code for code in codes if code.opt_out]
    assert opted_out == [Code(NO, opt_out=True)] * 3


def test_the_table_is_read_once() -> None:
    assert load_codes() is load_codes()


def test_every_row_of_the_table_is_a_code_of_its_own_with_a_source() -> None:
    lines = (PACKAGE / "delivery_codes.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert sum(len(vocabulary) for vocabulary in load_codes().values()) == len(lines) == 164
    assert all(line.rpartition(",")[2].startswith("https://") for line in lines)


def test_the_table_travels_inside_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "sms_fsm.zip"
    with ZipFile(archive, "w") as packed:
        packed.writestr("sms_fsm/__init__.py", "")
        packed.write(PACKAGE / "delivery.py", "sms_fsm/delivery.py")
        packed.write(PACKAGE / "delivery_codes.csv", "sms_fsm/delivery_codes.csv")
    script = "import sms_fsm.delivery as d; print(d.judge('failed', error_code='30005').retryable)"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(archive)!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert answer.stdout.strip() == "no"
