"""Services of master.cf as they are read: the program, and the parameters that it overrides."""

from __future__ import annotations

from dms_relay.postfix import master_cf

TEXT = """\
smtp inet n - n - - smtpd
 -o content_filter=scan:
own unix - - y - - smtp
  -o smtp_tls_security_level=may
# a comment
  -o { smtp_sasl_password_maps = inline:{ {a = b}, {c = d} } } -o smtp_fallback_relay=
10025 inet n - n - - smtpd
 -o content_filter=
"""


def test_command() -> None:
    """A service that other programs use is found by its name; what it overrides is read in both forms, braces in braces."""
    program, overrides = master_cf.command(TEXT, "own") or ("", {})
    assert program == "smtp"
    assert overrides == {
        "smtp_tls_security_level": "may",
        "smtp_sasl_password_maps": "inline:{ {a = b}, {c = d} }",
        "smtp_fallback_relay": "",
    }
    assert master_cf.command(TEXT, "smtp") is None


def test_overriding() -> None:
    """Services that override a parameter with something are found, whatever their kind."""
    assert master_cf.overriding(TEXT, "content_filter") == {"smtp/inet": "scan:"}


def test_foreign_override_with_braces_in_a_service_of_ours() -> None:
    """What somebody else overrides in a service of ours is kept, braces and all."""
    text = TEXT.replace("own unix", "relay-own unix")
    service = master_cf.services(text)["relay-own"].service
    assert service is not None
    assert dict(service.overrides)["smtp_sasl_password_maps"] == "inline:{ {a = b}, {c = d} }"
