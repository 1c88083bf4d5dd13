"""Any text in any input: strategies of hypothesis that come close to what stands there, and go wrong in every way."""

from __future__ import annotations

from hypothesis import strategies as st

SECRET = "s3cret-P4ss"
FILES = (
    "postfix-relaymap.cf",
    "postfix-sasl-password.cf",
    "relay.env",
    "vhost",
    "postfix-accounts.cf",
    "postfix-virtual.cf",
    "postfix-main.cf",
)
NAMES = (
    *("DEFAULT_RELAY_HOST", "RELAY_HOST", "RELAY_PORT", "RELAY_USER", "RELAY_PASSWORD"),
    *("RELAY_HOST__FILE", "RELAY_PASSWORD_FILE", "RELAYHOST", "RELAY_PASS", "LOG_LEVEL", "LOG_FORMAT"),
)
# A password stands behind a colon, as in every login.
LINES = (
    *(f"@a.test user:{SECRET}\n", "@b.test [r.test]:587\n", "@a.test\n", "a.test\n", f"a@a.test|:{SECRET}\n"),
    *("RELAY_HOST=r.test\n", f"RELAY_USER=user\nRELAY_PASSWORD=:{SECRET}\n", f"[r.test]:25 user:{SECRET}\n"),
    *(f"smtp_sasl_password_maps = static:user:{SECRET}\n", "smtp_tls_security_level = may\n"),
)
PIECES = (
    *(
        f":{SECRET}",
        f"user:{SECRET}",
        "@a.test",
        "user@b.test",
        "[r.test]:587",
        "r.test",
        "587",
        "smtp://",
        "/dev/null",
    ),
    *("RELAY_HOST=", "RELAY_USER=", "RELAY_PASSWORD=", "DEFAULT_RELAY_HOST=", "export ", "smtp_sasl_password_maps ="),
    *("json", "trace", "0", "-", ".", "/", "#", ",", ":", "|", "=", "'", '"', "\\", "$x", "${x}", "[", "]"),
    *(" ", "\t", "\n", "\r\n", "\r", "\ufeff", "\0", "\u2028", "\u00a0"),
)
pieces = st.sampled_from(LINES) | st.sampled_from(PIECES)
texts = st.lists(pieces, max_size=14).map("".join)
contents = texts.map(str.encode) | st.binary(max_size=12) | texts.map(lambda text: text.encode("utf-16"))
environments = st.dictionaries(
    st.sampled_from(NAMES), texts.map(lambda text: text.replace("\0", "")) | st.just("\udcff"), max_size=4
)
