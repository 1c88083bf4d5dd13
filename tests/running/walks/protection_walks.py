"""Walks through the remedies of docs/checks.md, Logins: what a login carries, and what protects it."""

from __future__ import annotations

from tests.running.walks import (
    ALL,
    AT_R,
    BEN,
    DEFAULT,
    FULL,
    LOGINS,
    MAIN,
    PASSWORD,
    RELAYMAP,
    SMTP,
    TRANSPORTS,
    YAML,
    Arrivals,
    R,
    Walk,
    edit,
    put,
    write,
)

IN_FILE = {"RELAY_USER": "user", "RELAY_PASSWORD__FILE": "{config}/secret"}
PATH_REMEDY = "set RELAY_PASSWORD__FILE or RELAY_USER__FILE to that path, or write password_file in relay.yaml"


def packed(remedy: str, login: str, choice: str = "") -> Walk:
    """Return the walk of a login of the file that carries something with it."""
    return Walk("packed-login", remedy, {LOGINS: f"[r.test]:587 {login}\n"}, DEFAULT, (write(AT_R),), ALL, choice)


def in_yaml(tls: str, host: str = "r.test", user: str = "user", port: int = 587) -> str:
    """Return a relay of relay.yaml."""
    return (
        f"{{host: {host}, port: {port}, tls: {{{tls}ca_file: '{{ca}}'}},"
        f" login: {{username: {user}, password: {PASSWORD}}}}}"
    )


def relay_yaml(**relays: str) -> str:
    """Return a relay.yaml with some relays, the first of them the default."""
    lines = "".join(f"  {name}: {text}\n" for name, text in relays.items())
    return f"version: 1\nrelays:\n{lines}default: {next(iter(relays))}\n"


CATCHER = in_yaml("level: none, allow_cleartext_login: true, ", "catcher.test", "u", 1025).replace(
    ", ca_file: '{ca}'", ""
)
BESIDE: Arrivals = {**ALL, BEN: "catcher.test u"}
PAIR = relay_yaml(r=in_yaml(""), catcher=CATCHER) + "senders: {b.test: catcher}\n"
AT_BOTH = f"{R}[catcher.test]:1025 u:{PASSWORD}\n"
B_TO_CATCHER = {RELAYMAP: "@b.test [catcher.test]:1025\n"}
NO_FILES = dict.fromkeys((RELAYMAP, LOGINS, MAIN))
OF_INPUTS = "choose secure or encrypt, or permit it in relay.yaml"
OF_FILE = "choose secure or encrypt, or write allow_cleartext_login: true"
OF_MAIN = "write encrypt; if a relay has no TLS, write the relays in relay.yaml, each with a level of its own"
OF_POLICY = "set it to encrypt; if the relay has no TLS, write it in relay.yaml, with allow_cleartext_login: true"
NO_PROTECTION = f"version: 1\nrelays:\n  r: {in_yaml('level: may, ')}\ndefault: r\n"
WALKS = (
    Walk(
        "packed-login",
        "remove the quotes, unless they belong to it",
        env={**FULL, "RELAY_PASSWORD": f'"{PASSWORD}"'},
        follow=(put(RELAY_PASSWORD=PASSWORD),),
        arrives=ALL,
    ),
    packed("remove the quotes, unless they belong to it", f'"user:{PASSWORD}"', "the whole login"),
    packed("write only the password", f"user:user:{PASSWORD}"),
    packed("write only the password", f"user:RELAY_PASSWORD={PASSWORD}", "the name of a setting"),
    packed("write only the user name", f"RELAY_USER=user:{PASSWORD}"),
    packed("write user:password without a space", f"user: {PASSWORD}"),
    packed("type the password, or remove that character", f"user:{PASSWORD}\u200b"),
    packed("write the password itself; in relay.yaml, password_env names a variable", "user:${SECRET}"),
    Walk(
        "packed-login",
        "write the password itself; in relay.yaml, password_env names a variable",
        {YAML: relay_yaml(r=in_yaml("").replace(f"password: {PASSWORD}", "password: '${SECRET}'"))},
        {"SECRET": PASSWORD},
        (write({YAML: relay_yaml(r=in_yaml("").replace(f"password: {PASSWORD}", "password_env: SECRET"))}),),
        ALL,
        choice="password_env",
        leads_to=frozenset({"secret-in-environment"}),
    ),
    Walk(
        "packed-login",
        PATH_REMEDY,
        {"secret": PASSWORD},
        {**FULL, "RELAY_PASSWORD": "/run/secrets/password"},
        (put(RELAY_PASSWORD=None, **IN_FILE),),
        ALL,
        choice="RELAY_PASSWORD__FILE",
    ),
    Walk(
        "packed-login",
        PATH_REMEDY,
        {
            "secret": PASSWORD,
            YAML: relay_yaml(r=in_yaml("").replace(f"password: {PASSWORD}", "password: /run/secrets/password")),
        },
        follow=(
            write({YAML: relay_yaml(r=in_yaml("").replace(f"password: {PASSWORD}", "password_file: {config}/secret"))}),
        ),
        arrives=ALL,
        choice="password_file",
    ),
    Walk(
        "comment-in-password",
        "write comments on separate lines",
        {LOGINS: f"[r.test]:587 user:{PASSWORD} # ours\n"},
        DEFAULT,
        (write({LOGINS: f"# ours\n{R}"}),),
        ALL,
    ),
    # Levels that do not protect a login.
    *(
        Walk(
            "cleartext-login",
            OF_FILE,
            {YAML: NO_PROTECTION},
            follow=(write({YAML: NO_PROTECTION.replace("level: may", f"level: {level}")}),),
            arrives=ALL,
            choice=level,
        )
        for level in ("secure", "encrypt", "may, allow_cleartext_login: true")
    ),
    Walk(
        "cleartext-login",
        OF_FILE,
        {YAML: PAIR.replace(", allow_cleartext_login: true", "")},
        follow=(write({YAML: PAIR}),),
        arrives=BESIDE,
        choice="a relay without TLS beside another",
    ),
    Walk(
        "cleartext-login",
        OF_INPUTS,
        env={**FULL, **TRANSPORTS, "RELAY_TLS_LEVEL": "may"},
        follow=(put(RELAY_TLS_LEVEL="encrypt"),),
        arrives=ALL,
        choice="encrypt",
    ),
    Walk(
        "cleartext-login",
        OF_INPUTS,
        {**B_TO_CATCHER, LOGINS: AT_BOTH},
        {**DEFAULT, **TRANSPORTS, "RELAY_TLS_LEVEL": "may"},
        (put(DEFAULT_RELAY_HOST=None, RELAY_TLS_LEVEL=None), write({RELAYMAP: None, LOGINS: None, YAML: PAIR})),
        BESIDE,
        choice="relay.yaml",
    ),
    Walk(
        "cleartext-login",
        OF_MAIN,
        {MAIN: "smtp_tls_security_level = may\n", LOGINS: R},
        DEFAULT,
        (write({MAIN: "smtp_tls_security_level = encrypt\n"}),),
        ALL,
        choice="encrypt",
    ),
    Walk(
        "cleartext-login",
        OF_MAIN,
        {MAIN: "smtp_tls_security_level = may\n", LOGINS: AT_BOTH, **B_TO_CATCHER},
        DEFAULT,
        (put(DEFAULT_RELAY_HOST=None), write({**NO_FILES, YAML: PAIR})),
        BESIDE,
        choice="relay.yaml",
    ),
    Walk(
        "cleartext-login",
        OF_POLICY,
        AT_R,
        DEFAULT,
        (write({"postfix/policy": "[r.test]:587 encrypt\n"}),),
        ALL,
        choice="encrypt",
        before=(write({"postfix/policy": "[r.test]:587 may\n"}),),
        main="smtp_tls_policy_maps = texthash:{postfix}/policy\n",
    ),
    Walk(
        "cleartext-login",
        OF_POLICY,
        {LOGINS: AT_BOTH, **B_TO_CATCHER},
        DEFAULT,
        (put(DEFAULT_RELAY_HOST=None), write({RELAYMAP: None, LOGINS: None, YAML: PAIR})),
        BESIDE,
        choice="relay.yaml",
        main="smtp_tls_policy_maps = inline:{ [catcher.test]:1025=none }\n",
    ),
    Walk(
        "cleartext-login",
        OF_POLICY,
        AT_R,
        DEFAULT,
        (edit("postfix/master.cf", "smtp_tls_security_level=none", "smtp_tls_security_level=encrypt"),),
        ALL,
        choice="master.cf",
        before=(edit("postfix/master.cf", SMTP, f"{SMTP}  -o smtp_tls_security_level=none\n"),),
    ),
)
