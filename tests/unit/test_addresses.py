"""Addresses: one form for each number, a clear reason for what is none, nothing in the logs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_fsm.errors import InvalidAddress
from sms_fsm.sms import is_valid, mask, normalise

NUMBERS = ["+15551234567", "+18885550100", "+442079460958", "+33612345678", "+390669812345"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_in_e164_stays_as_it_is(number: str) -> None:
    assert normalise(number, "to") == number


@pytest.mark.parametrize(
    "written",
    [
        "+1 (555) 123-4567",
        "+1.555.123.4567",
        "+1/555/1234567",
        " +1 555 123 4567 ",
        "(+1) 555 1234567",
        "+1\u00a0555\u2009123\u20114567",
        "\uff0b\uff11\uff15\uff15\uff15\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
        "+\u0661\u0665\u0665\u0665\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
        "\u202a+1 555 123 4567\u202c",
        "+1\u2212555\u22121234567",
    ],
)
def test_the_ways_to_write_a_number_have_one_form(written: str) -> None:
    assert normalise(written, "to") == "+15551234567"


def test_a_trunk_zero_is_dropped_and_an_italian_zero_is_kept() -> None:
    assert normalise("+44 (0)20 7946 0958", "to") == "+442079460958"
    assert normalise("+39 06 6981 2345", "to") == "+390669812345"


@pytest.mark.parametrize("code", ["911", "12345", "888777", "12345678"])
def test_a_short_code_stays_as_it_is(code: str) -> None:
    assert normalise(code, "to") == code
    assert is_valid(code)


def test_a_short_code_has_one_form_too() -> None:
    assert normalise("888-777", "to") == normalise("\uff18\uff18\uff18777", "to") == "888777"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "is empty"),
        ("  \t ", "is empty"),
        (" -()", "has no digits"),
        ("+", "has no digits"),
        ("12", "has no country code: write +"),
        ("123456789", "has no country code: write +"),
        ("15551234567", "has no country code: write +"),
        ("0015551234567", "has no country code: write +"),
        (" 15551234567", "begins with a space before its digits: a + that was not percent-encoded"),
        (" 1 555 123-4567", "begins with a space before its digits: a + that was not"),
        ("1-800-FLOWERS", "has letters"),
        ("+15551234567 ext. 5", "has letters"),
        ("+15551234567x5", "has letters"),
        ("tel:+15551234567", "has letters"),
        ("+15551234567;5", "has a character at offset 12 that no phone number has"),
        ("+15551234567#5", "has a character at offset 12 that no phone number has"),
        ("+15551234567\n", "has a character at offset 12 that no phone number has"),
        ("+1555\x00" + "1234567", "has a character at offset 5 that no phone number has"),
        ("+1555²234567", "has a character at offset 5 that no phone number has"),
        ("+1555\ud8001234567", "has a character at offset 5 that no phone number has"),
        ("++15551234567", "has a + that is not its first sign, or more than one"),
        ("1555+1234567", "has a + that is not its first sign, or more than one"),
        ("+1", "is too short to be a phone number"),
        ("+1555", "is too short for its country"),
        ("+155512345678", "is too long for its country"),
        ("+4915112345678901", "has more than 15 digits (E.164)"),
        ("+999123456789", "has no known country code"),
        ("+0123456789", "has no known country code"),
        ("+1" + " " * 63, "is longer than 64 characters"),
        (None, "must be a string, not NoneType"),
        (15551234567, "must be a string, not int"),
        (b"+15551234567", "must be a string, not bytes"),
    ],
)
def test_what_is_no_address_is_refused_with_the_field_and_the_reason(
    address: object, reason: str
) -> None:
    with pytest.raises(InvalidAddress) as refusal:
        normalise(address, "from")
    assert refusal.value.field == "from"
    assert refusal.value.reason.startswith(reason)


def normal_form(text: str) -> str | InvalidAddress:
    try:
        return normalise(text, "to")
    except InvalidAddress as refusal:
        return refusal


numbers = st.from_regex(r"\+(1|39|4[349]|54|61|91)0{0,3}[1-9][0-9]{2,11}", fullmatch=True)


@given(numbers | st.text() | st.text("+0123456789 -().", max_size=25))
def test_a_normal_form_is_its_own_normal_form(text: str) -> None:
    number = normal_form(text)
    if isinstance(number, str):
        assert normal_form(number) == number
        assert re.fullmatch(r"\+[0-9]{5,15}|[0-9]{3,8}", number)


@given(st.text() | st.text("+0123456789 -().", min_size=4, max_size=25))
def test_a_refusal_does_not_repeat_the_number(text: str) -> None:
    refusal = normal_form(text)
    digits = "".join(filter(str.isdecimal, text))
    if isinstance(refusal, InvalidAddress) and len(digits) > 3:
        assert digits not in str(refusal)


def test_doubled_trunk_zeros_do_not_make_two_forms() -> None:
    assert normalise("+490052211693", "to") == normalise("+49052211693", "to") == "+4952211693"


def test_a_possible_number_outside_the_ranges_in_use_is_taken_but_not_valid() -> None:
    assert not is_valid(normalise("+15551234567", "to"))
    assert is_valid(normalise("+442079460958", "to"))
    assert not is_valid("nonsense")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+15551234567", "+•••••••••67"),
        ("+33612345678", "+•••••••••78"),
        ("12345", "•••••••••45"),
        ("911", "•••••••••1"),
        ("12", "•••••••••"),
        ("", "•••••••••"),
        ("nonsense", "•••••••••"),
    ],
)
def test_a_mask_shows_at_most_two_digits_and_no_length(address: str, shown: str) -> None:
    assert mask(address) == shown
