"""Phone numbers as conversations are keyed by them: E.164, or a short code as it is.

No error text repeats a number; logs show what ``mask`` leaves of it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from sms_fsm.errors import InvalidAddress

# Twice what anybody needs to write a number down.
_LONGEST = 64
_E164_LONGEST = 15

_SHORT_CODE = re.compile("[0-9]{3,8}")
_NUMBER = re.compile(r"\+?[0-9]+")
# In a query string a bare "+" decodes to a space, so "+1555…" arrives as " 1555…".
_LOST_PLUS = re.compile(" +[0-9]")

# Spaces, dashes and the invisible marks that come along when a number is copied.
_SILENT_CATEGORIES = frozenset({"Zs", "Pd", "Cf"})
_SILENT = frozenset("()./−（）．／")  # noqa: RUF001  # the full-width forms and the minus are meant
# A contact centre hears from the same numbers again and again.
_REMEMBERED = 16_384
_PLUS = frozenset("+＋")  # noqa: RUF001  # so is the full-width plus

_IMPOSSIBLE = {
    ValidationResult.INVALID_COUNTRY_CODE: "has no known country code",
    ValidationResult.TOO_SHORT: "is too short for its country",
    ValidationResult.TOO_LONG: "is too long for its country",
    ValidationResult.INVALID_LENGTH: "has a length that its country does not use",
}


def normalise(address: object, field: str) -> str:
    """The one form of an address: E.164 with its plus, or a short code (3 to 8 digits) as it is.

    Spaces, dashes, dots, slashes, parentheses, invisible marks and the digits of other scripts are
    understood. A number need not be in service: one that its country's numbering plan could hold
    is enough, see ``is_valid``.

    Raises:
        InvalidAddress: names the field and what is wrong, never the number.
    """
    return _normalised(_written(address, field), field)


@lru_cache(maxsize=_REMEMBERED)
def _normalised(written: str, field: str) -> str:
    number = _compact(written, field)
    if _SHORT_CODE.fullmatch(number):
        return number
    if not number.startswith("+"):
        reason = "has no country code: write + and the country code first (short codes: 3-8 digits)"
        raise InvalidAddress(field, reason)
    return _e164(number, field)


def is_valid(address: str) -> bool:
    """Whether a normalised address is in a range that is in use; reason for a warning, no more."""
    if _SHORT_CODE.fullmatch(address):
        return True
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(address))
    except NumberParseException:
        return False


def mask(address: str) -> str:
    """What logs may show of an address: at most its last two digits, whatever its length."""
    digits = "".join(filter(str.isdecimal, address))
    plus = "+" if address.startswith("+") else ""
    # The first two stay hidden even where there are no others.
    return f"{plus}•••••••••{digits[2:][-2:]}"


def _written(address: object, field: str) -> str:
    if not isinstance(address, str):
        raise InvalidAddress(field, f"must be a string, not {type(address).__name__}")
    if not address.strip():
        raise InvalidAddress(field, "is empty")
    if len(address) > _LONGEST:
        raise InvalidAddress(field, f"is longer than {_LONGEST} characters")
    if _LOST_PLUS.match(address):
        reason = "begins with a space before its digits: a + that was not percent-encoded (%2B)"
        raise InvalidAddress(field, reason)
    return address


def _compact(written: str, field: str) -> str:
    compact = "".join(
        _digit_or_plus(character, offset, field) for offset, character in enumerate(written)
    )
    if not compact.strip("+"):
        raise InvalidAddress(field, "has no digits")
    if not _NUMBER.fullmatch(compact):
        raise InvalidAddress(field, "has a + that is not its first sign, or more than one")
    return compact


def _digit_or_plus(character: str, offset: int, field: str) -> str:
    if character in _PLUS:
        return "+"
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character in _SILENT or unicodedata.category(character) in _SILENT_CATEGORIES:
        return ""
    if character.isalpha():
        raise InvalidAddress(field, "has letters; write digits only, and no extension")
    raise InvalidAddress(field, f"has a character at offset {offset} that no phone number has")


def _e164(number: str, field: str) -> str:
    if len(number) > 1 + _E164_LONGEST:
        raise InvalidAddress(field, f"has more than {_E164_LONGEST} digits (E.164)")
    parsed = _parse(number, field)
    if reason := _IMPOSSIBLE.get(phonenumbers.is_possible_number_with_reason(parsed)):
        raise InvalidAddress(field, reason)
    formatted = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    # Formatting drops one trunk prefix ("+44 (0)20 …"). Only a form that formats to itself is the
    # number's one form.
    return number if formatted == number else _e164(formatted, field)


def _parse(number: str, field: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(number)
    except NumberParseException as error:
        unknown = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        reason = "has no known country code" if unknown else "is too short to be a phone number"
        raise InvalidAddress(field, reason) from None
