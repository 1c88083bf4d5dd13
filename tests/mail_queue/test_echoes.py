"""What a server repeats of a former login is masked; the words of its reply are not."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms_relay.mail_queue.echoes import without_echoes
from dms_relay.model import MASK

USERS = st.text("abcdefghijklmnop.@-ABC", min_size=4, max_size=20)
PASSWORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x17F, categories=["L", "N", "P"]), min_size=8, max_size=30
)


@given(user=USERS, password=PASSWORDS)
def test_what_auth_plain_sent_is_masked(user: str, password: str) -> None:
    """Whatever the login, its base64 is not shown, nor its password's own."""
    for sent in (f"\0{user}\0{password}", password):
        echo = b64encode(sent.encode()).decode()
        assert without_echoes(f"535 5.7.8 failed: {echo} is wrong") == f"535 5.7.8 failed: {MASK} is wrong"


@pytest.mark.parametrize(
    "reply",
    [
        "535-5.7.8 Username and Password not accepted. For more information, go to https://support.google.com/mail/",
        "535 5.7.139 unsuccessful, the user credentials were incorrect. [AM6PR0502CA0058.eurprd05.prod.outlook.com]",
        "454 4.7.0 Temporary authentication failure: Connection lost to authentication server",
        "535 Authentication Credentials Invalid",
    ],
)
def test_words_stay(reply: str) -> None:
    """What services say of a wrong login is shown as it is."""
    assert without_echoes(reply) == reply
