"""Logins that Postfix's table cannot carry, or that have lost a part: in ``postfix-sasl-password.cf`` and the settings."""

from __future__ import annotations

from tests.invalid_inputs import SECRET, SECRETS, Wrong, in_file, login_file, setting

ONE_FIELD = "the line has only one field -- write a key and a login: @domain user:password"
NO_KEY = "the key is neither @domain, user@domain nor a nexthop -- write the key first, then user:password"
NO_ADDRESS = "the key is not an address -- write @domain or user@domain"
UNSAFE = "the key contains a quote, a backslash or a control character -- write @domain or user@domain"
LIST = "the key is a list -- write one line for each nexthop, with its login"
MIDDLE = "contains a line end or a NUL, which a lookup table cannot hold -- write only the {}, on one line"
LAST = (
    "ends in a line end, which a lookup table cannot hold -- remove the line end, which is hardly part of the {}: printf"
    " writes none, echo and editors do"
)
BLANK = "begins or ends with a space, which a lookup table cannot hold -- remove the space"
COLON = (
    "the user name contains a colon, where Postfix ends it -- write only the user name; if the colon belongs to it,"
    " use another login"
)
TOO_LONG = "the login is longer than 9214 octets -- use the login that the relay gave you"
LONG = SECRET * 1000

IN_THE_FILE = (
    login_file("a key alone", "@a.test\n", f"1: {ONE_FIELD}"),
    login_file("a login alone", f"user:{SECRET}\n", f"1: {ONE_FIELD}"),
    login_file("an address as user name, alone", f"user@a.test:{SECRET}\n", f"1: {ONE_FIELD}"),
    login_file("a no-break space after the key", f"@a.test\u00a0user:{SECRET}\n", f"1: {ONE_FIELD}"),
    login_file("no colon", f"@a.test {SECRET}\n", "1: the login has no colon -- write user:password after the key"),
    login_file(
        "a blank for the colon",
        f"@a.test user {SECRET}\n",
        "1: the login has no colon -- write user:password after the key",
    ),
    login_file(
        "no user name", f"@a.test :{SECRET}\n", "1: the login has no user name -- write user:password after the key"
    ),
    login_file("a login that lost its key, with a blank in it", f"user:pass {SECRET}:x\n", f"1: {NO_KEY}"),
    login_file("an @ in a password that lost its key", f"user:p@-{SECRET} x:y\n", f"1: {NO_ADDRESS}"),
    login_file("a login as the key", f"user:{SECRET}@r.test x:y\n", f"1: {NO_ADDRESS}"),
    login_file("a transport in the key", f"smtp:[r.test]:587 user:{SECRET}\n", f"1: {NO_KEY}"),
    login_file("a URL as the key", f"smtp://r.test user:{SECRET}\n", f"1: {NO_KEY}"),
    login_file("no closing bracket in the key", f"[r.test:587 user:{SECRET}\n", f"1: {NO_KEY}"),
    login_file("port 0 in the key", f"[r.test]:0 user:{SECRET}\n", f"1: {NO_KEY}"),
    login_file("the null sender", f"<> user:{SECRET}\n", f"1: {NO_KEY}"),
    login_file("a list as the key", f"[a.test]:587,[b.test]:587 user:{SECRET}\n", f"1: {LIST}"),
    login_file("a list with a blank as the key", f"[a.test]:587, [b.test]:587 user:{SECRET}\n", f"1: {LIST}"),
    login_file("quotes in the key", f'"some one"@a.test user:{SECRET}\n', f"1: {NO_KEY}"),
    login_file("a backslash in the key", f"some\\one@a.test user:{SECRET}\n", f"1: {UNSAFE}"),
    login_file(
        "a bad domain in the key",
        f"@a..test user:{SECRET}\n",
        "1: domain in the key is not valid -- use letters, digits, hyphens and dots only",
    ),
    login_file("a megabyte", f"@a.test user:{SECRET * 100_000}\n", f"1: {TOO_LONG}"),
    login_file(
        "CR alone as line end",
        f"@a.test user:{SECRET}\r@b.test user:{SECRET}\r",
        "1: contains a carriage return in the middle -- save the file with line ends of Unix (LF) or Windows (CRLF)",
    ),
    login_file("a NUL", f"@a.test user:{SECRET}\0\n", "1: contains a NUL byte -- save it as plain text"),
    login_file("Latin-1", f"@a.test user:ü{SECRET}\n".encode("latin-1"), "1: is not UTF-8 -- save the file as UTF-8"),
)

IN_THE_ENVIRONMENT = (
    setting(
        "a line end at the end of a password",
        f"env RELAY_PASSWORD: the password {LAST.format('password')}",
        RELAY_PASSWORD=f"{SECRET}\n",
    ),
    setting(
        "a line end in a password",
        f"env RELAY_PASSWORD: the password {MIDDLE.format('password')}",
        RELAY_PASSWORD=f"x\n@a.test y:{SECRET}",
    ),
    setting(
        "a carriage return in a password",
        f"env RELAY_PASSWORD: the password {LAST.format('password')}",
        RELAY_PASSWORD=f"{SECRET}\r",
    ),
    setting("a blank before a password", f"env RELAY_PASSWORD: the password {BLANK}", RELAY_PASSWORD=f" {SECRET}"),
    setting("a tab after a password", f"env RELAY_PASSWORD: the password {BLANK}", RELAY_PASSWORD=f"{SECRET}\t"),
    setting("a password of blanks", f"env RELAY_PASSWORD: the password {BLANK}", RELAY_PASSWORD="  "),
    setting(
        "a password that is not UTF-8",
        "env RELAY_PASSWORD: the value is not UTF-8 -- write it in UTF-8",
        RELAY_PASSWORD=f"{SECRET}\udcfc",
    ),
    setting("a password of many kilobytes", f"env RELAY_PASSWORD: {TOO_LONG}", RELAY_PASSWORD=LONG),
    setting("a colon in a user name", f"env RELAY_USER: {COLON}", RELAY_USER=f"user:{SECRET}"),
    setting(
        "a line end in a user name", f"env RELAY_USER: the user name {LAST.format('user name')}", RELAY_USER="user\n"
    ),
    setting("a blank after a user name", f"env RELAY_USER: the user name {BLANK}", RELAY_USER="user "),
)

ELSEWHERE = (
    Wrong(
        "a secret file with two line ends",
        (f"env RELAY_PASSWORD__FILE: the password {LAST.format('password')}",),
        {"RELAY_PASSWORD": "", "RELAY_PASSWORD__FILE": f"{SECRETS}/password"},
        secrets={"password": f"{SECRET}\n\n"},
    ),
    Wrong(
        "a secret file with a blank at its end",
        (f"env RELAY_PASSWORD_FILE: the password {BLANK}",),
        {"RELAY_PASSWORD": "", "RELAY_PASSWORD_FILE": f"{SECRETS}/password"},
        secrets={"password": f"{SECRET} \n"},
    ),
    Wrong(
        "a secret file with a NUL",
        (f"env RELAY_PASSWORD__FILE: the password {MIDDLE.format('password')}",),
        {"RELAY_PASSWORD": "", "RELAY_PASSWORD__FILE": f"{SECRETS}/password"},
        secrets={"password": f"{SECRET}\0"},
    ),
    Wrong(
        "a secret file with user name and password",
        (f"env RELAY_USER__FILE: {COLON}",),
        {"RELAY_USER": "", "RELAY_USER__FILE": f"{SECRETS}/login"},
        secrets={"login": f"user:{SECRET}"},
    ),
    in_file(
        "relay.env",
        "a line end in a password",
        f'RELAY_PASSWORD="{SECRET}\\n"\n',
        f"1: the password {LAST.format('password')}",
        RELAY_PASSWORD="",
    ),
    in_file(
        "relay.env", "a blank in quotes", f"RELAY_PASSWORD=' {SECRET}'\n", f"1: the password {BLANK}", RELAY_PASSWORD=""
    ),
    in_file("relay.env", "a colon in a user name", f"# x\nRELAY_USER=user:{SECRET}\n", f"2: {COLON}", RELAY_USER=""),
)

CASES = (*IN_THE_FILE, *IN_THE_ENVIRONMENT, *ELSEWHERE)
