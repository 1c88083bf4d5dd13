"""``dms-relay plan``: what ``apply`` would change, as a diff. It writes nothing and shows no password."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

OLD, NEW = "s3cret-0ld", "s3cret-n3w"
LOGINS = "postfix-sasl-password.cf"
ENV = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": OLD}
FIRST = """\
--- /dev/null
+++ {dir}/sasl_passwd
@@ -0,0 +1 @@
+[r.test]:587	user:********
--- /dev/null
+++ {dir}/relayhost_map
--- {dir}/main.cf
+++ {dir}/main.cf
@@ -1,2 +1,6 @@
-relayhost = 
-smtp_tls_security_level = may
+relayhost = [r.test]:587
+sender_dependent_relayhost_maps = texthash:{dir}/relayhost_map
+smtp_sasl_password_maps = texthash:{dir}/sasl_passwd
+smtp_sasl_auth_enable = yes
+smtp_sasl_security_options = noanonymous
+smtp_tls_security_level = encrypt
"""  # noqa: W291 -- an empty value
NEW_PASSWORD = """\
--- {dir}/sasl_passwd
+++ {dir}/sasl_passwd
@@ -1 +1 @@
-[r.test]:587	user:******** (old password)
+[r.test]:587	user:******** (new password)
"""
NEW_VALUE = """\
--- {dir}/main.cf
+++ {dir}/main.cf
@@ -2,3 +2,3 @@
 sender_dependent_relayhost_maps = texthash:{dir}/relayhost_map
-smtp_sasl_password_maps = static:******** (old value)
+smtp_sasl_password_maps = static:******** (new value)
 smtp_sasl_auth_enable = yes
"""


def test_plan_of_a_first_run(sandbox: Sandbox) -> None:
    """Tables and parameters as a unified diff, an empty table as a pair of names; nothing is written."""
    before = sandbox.snapshot()
    result = sandbox.run("plan", env=ENV)
    assert result.out == FIRST.format(dir=sandbox.postfix_dir)
    assert (result.code, result.err) == (0, "")
    assert sandbox.snapshot() == before


def test_exit_code(sandbox: Sandbox) -> None:
    """``--exit-code`` gives 1 where there is something to change and 0 where there is not; without it, always 0."""
    assert sandbox.run("plan", "--exit-code", env=ENV).code == 1
    assert sandbox.run("plan", env=ENV).code == 0
    sandbox.apply(**ENV)
    result = sandbox.run("plan", "--exit-code", env=ENV)
    assert (result.code, result.out) == (0, "nothing to do\n")
    assert sandbox.run("plan", "--exit-code").code == 1


def test_a_password_that_alone_differs(sandbox: Sandbox) -> None:
    """A new password is visible as such; neither the old one nor the new one is shown."""
    sandbox.apply(**ENV)
    result = sandbox.run("plan", "--exit-code", env={**ENV, "RELAY_PASSWORD": NEW})
    assert result.out == NEW_PASSWORD.format(dir=sandbox.postfix_dir)
    assert result.code == 1


def test_a_token_that_is_user_name_and_password(sandbox: Sandbox) -> None:
    """Some relays take one token for both: then the user name is masked as well, and a change is still seen."""
    sandbox.apply(**{**ENV, "RELAY_USER": OLD})
    result = sandbox.run("plan", env={**ENV, "RELAY_USER": NEW, "RELAY_PASSWORD": NEW})
    assert result.out == NEW_PASSWORD.replace("user:", "********:").format(dir=sandbox.postfix_dir)
    assert OLD not in sandbox.run("show", env={**ENV, "RELAY_USER": OLD}).out
    assert OLD not in sandbox.run("show", "--json", env={**ENV, "RELAY_USER": OLD}).out


def test_a_parameter_whose_login_alone_differs(sandbox: Sandbox) -> None:
    """The same for a login that stands in a parameter."""
    path = sandbox.write("postfix-main.cf", f"smtp_sasl_password_maps = static:user:{OLD}\n")
    sandbox.apply(**ENV)
    path.write_text(f"smtp_sasl_password_maps = static:user:{NEW}\n")
    result = sandbox.run("plan", "--exit-code", env=ENV)
    assert result.out == NEW_VALUE.format(dir=sandbox.postfix_dir)
    assert result.code == 1


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x1c", "\x0b", "\x0c", " ", "\u00a0"])
def test_a_password_that_looks_like_two_lines(sandbox: Sandbox, odd: str) -> None:
    """A password with what some take for a line end, or a blank, is masked as a whole, and a change of it is seen."""
    first, second = (f"{part}{odd}{part} {part}:{part}" for part in (OLD, NEW))
    sandbox.apply(**{**ENV, "RELAY_PASSWORD": first})
    result = sandbox.run("plan", env={**ENV, "RELAY_PASSWORD": second})
    assert result.out == NEW_PASSWORD.format(dir=sandbox.postfix_dir)
    result = sandbox.run("plan")
    assert OLD not in result.out


def test_a_password_that_ends_in_an_odd_blank(sandbox: Sandbox) -> None:
    """What Postfix does not trim counts: a no-break space more at the end is another password."""
    sandbox.apply(**{**ENV, "RELAY_PASSWORD": OLD})
    result = sandbox.run("plan", env={**ENV, "RELAY_PASSWORD": f"{OLD}\u00a0"})
    assert result.out == NEW_PASSWORD.format(dir=sandbox.postfix_dir)


def test_a_table_of_someone_else(sandbox: Sandbox) -> None:
    """Of a table that is not ours, nothing is shown that could be a password: no continuation, no comment."""
    text = f"@a.test user:{OLD}\n@b.test\n  user:{OLD} x:y\n# @c.test user:{OLD}\n{OLD}\n@d.test {OLD}\n"
    (sandbox.postfix_dir / "sasl_passwd").write_text(text)
    result = sandbox.run("plan", env=ENV)
    assert OLD not in result.out
    assert "-@a.test\tuser:********\n" in result.out
    assert result.out.count("-********\n") == 5


def test_blanks_alone_differ(sandbox: Sandbox) -> None:
    """Where nothing but blanks or line ends differs, a line says so: a plan that is not empty is never silent."""
    sandbox.apply(**ENV)
    path = sandbox.postfix_dir / "sasl_passwd"
    path.write_text(path.read_text().replace("\t", "  ").rstrip())
    result = sandbox.run("plan", "--exit-code", env=ENV)
    assert (result.code, result.out) == (1, f"# {path}: only spaces and line ends differ\n")


def test_rights_alone_differ(sandbox: Sandbox) -> None:
    """A table that everyone may read is a change, shown with mode and owner."""
    sandbox.apply(**ENV)
    path = sandbox.postfix_dir / "sasl_passwd"
    path.chmod(0o644)
    owner = f"owner {path.stat().st_uid}:{path.stat().st_gid}"
    result = sandbox.run("plan", "--exit-code", env=ENV)
    assert (result.code, result.out) == (1, f"# {path}: mode 0644, {owner} becomes mode 0600, {owner}\n")
    sandbox.apply(**ENV)
    assert path.stat().st_mode & 0o777 == 0o600


def changed(diff: str, before: str) -> list[str]:
    """Return the lines of ``before`` without those that a diff takes away, and with those that it adds; sorted."""
    lines = Counter(before.splitlines())
    for line in diff.splitlines():
        if line.startswith("-") and not line.startswith("---"):
            lines[line[1:]] -= 1
        elif line.startswith("+") and not line.startswith("+++"):
            lines[line[1:]] += 1
    assert min(lines.values()) >= 0, "a line is taken away that does not stand there"
    return sorted(lines.elements())


def test_apply_does_what_the_plan_says(sandbox: Sandbox) -> None:
    """The lines that the diff of a table takes away and adds are those that ``apply`` does; so for the parameters."""
    sandbox.write("vhost", "".join(f"d{number}.test\n" for number in range(20)))
    env = {**ENV, "RELAY_HOST": "s.test"}
    sandbox.apply(**env)
    sandbox.write("postfix-relaymap.cf", "@d3.test [x.test]\n@d15.test\n@new.test y.test\n")
    table, before = sandbox.postfix_dir / "relayhost_map", sandbox.postconf_n()
    plan = sandbox.run("plan", env={**env, "DEFAULT_RELAY_HOST": "[t.test]"}).out
    of_tables, _, of_parameters = plan.partition(f"+++ {sandbox.main_cf}\n")
    diff = of_tables.partition(f"--- {table}\n")[2].partition(f"--- {sandbox.main_cf}")[0]
    expected = changed(diff, table.read_text())
    sandbox.apply(**{**env, "DEFAULT_RELAY_HOST": "[t.test]"})
    assert sorted(table.read_text().splitlines()) == expected
    after = sandbox.postconf_n()
    new = [f"{name} = {value}" for name, value in after.items() if before.get(name) != value]
    assert [line[1:] for line in of_parameters.splitlines() if line.startswith("+")] == new


def test_plan_of_switching_off(sandbox: Sandbox) -> None:
    """Tables that go are shown against nothing, parameters as they were before us."""
    sandbox.write_main_cf(BASE_MAIN_CF.replace("relayhost =", "relayhost = [before.test]"))
    sandbox.apply(**ENV)
    out = sandbox.run("plan").out
    assert f"--- {sandbox.postfix_dir}/sasl_passwd\n+++ /dev/null\n@@ -1 +0,0 @@\n-[r.test]:587\tuser:********\n" in out
    assert f"--- {sandbox.postfix_dir}/relayhost_map\n+++ /dev/null\n" in out
    assert "-relayhost = [r.test]:587\n" in out
    assert "+relayhost = [before.test]\n" in out
    assert "+smtp_tls_security_level = may\n" in out


def test_warnings_of_the_plan_are_log_lines(sandbox: Sandbox) -> None:
    """Data goes to standard output, log lines to standard error."""
    result = sandbox.run("plan", env={"DEFAULT_RELAY_HOST": "r.test", "LOG_FORMAT": "json"})
    assert [json.loads(line)["level"] for line in result.err.splitlines()] == ["warn"]
    assert result.out.startswith("--- /dev/null\n")


def test_a_main_cf_that_is_not_utf8(sandbox: Sandbox) -> None:
    """What someone else wrote in another encoding can be shown, and is put back octet for octet."""
    sandbox.main_cf.write_bytes(b"relayhost = [b\xfccher.test]\n")
    result = sandbox.run("plan", env=ENV)
    assert "-relayhost = [b\N{REPLACEMENT CHARACTER}cher.test]\n" in result.out
    sandbox.apply(**ENV)
    sandbox.apply()
    assert sandbox.main_cf.read_bytes() == b"relayhost = [b\xfccher.test]\n"
