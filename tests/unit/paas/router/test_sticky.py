"""The cookie of sticky sessions: read from a request, written into a response."""

import pytest

from paas.router.sticky import cookie_line, ticket_of

TICKET = "0123456789abcdef" * 2
OTHER = "f" * 32


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param("", None, id="no fields"),
        pytest.param("\r\nAccept: */*", None, id="no cookie"),
        pytest.param("\r\nCookie: a=b", None, id="another cookie"),
        pytest.param(f"\r\nCookie: mini_backend={TICKET}", TICKET, id="alone"),
        pytest.param(f"\r\ncookie:mini_backend={TICKET}", TICKET, id="lower case, no blank"),
        pytest.param(f"\r\nCookie: a=b; mini_backend={TICKET}; c=d", TICKET, id="among others"),
        pytest.param(f"\r\nA: b\r\nCookie: a=b\r\nCookie: mini_backend={TICKET}", TICKET, id="second field"),
        pytest.param(
            f"\r\nCookie: mini_backend={TICKET}; mini_backend={OTHER}", TICKET, id="the first counts"
        ),
        pytest.param(f"\r\nCookie: my_mini_backend={TICKET}", None, id="a longer name"),
        pytest.param(f"\r\nCookie: a=mini_backend={TICKET}", None, id="within a value"),
        pytest.param(f"\r\nX-Cookie: mini_backend={TICKET}", None, id="another field"),
        pytest.param(f"\r\nCookie: mini_backend={TICKET}0", None, id="too long"),
        pytest.param(f"\r\nCookie: mini_backend={TICKET.upper()}", None, id="upper case"),
        pytest.param("\r\nCookie: mini_backend=web.1", None, id="no ticket"),
        pytest.param(f'\r\nCookie: mini_backend="{TICKET}"', None, id="quoted"),
        pytest.param(f"\r\nCookie: mini_backend=x; mini_backend={TICKET}", TICKET, id="after a bad one"),
    ],
)
def test_a_ticket_is_read_from_the_cookies_of_a_request(kept: str, expected: str | None) -> None:
    assert ticket_of(kept.encode()) == expected


def test_a_cookie_can_neither_be_read_by_a_script_nor_sent_by_another_site() -> None:
    line = cookie_line(TICKET, secure=False)
    assert line == f"\r\nSet-Cookie: mini_backend={TICKET}; Path=/; HttpOnly; SameSite=Lax".encode()


def test_over_https_a_cookie_never_goes_back_over_http() -> None:
    assert cookie_line(TICKET, secure=True).endswith(b"; SameSite=Lax; Secure")
