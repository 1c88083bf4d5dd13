"""Walks through the remedies of docs/checks.md that are about who can change the inputs, and where they are."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import patch

from dms_relay.model.places import HOST_DIRECTORY
from tests.running.walks import (
    ALL,
    AT_R,
    DEFAULT,
    LOGINS,
    PASSWORD,
    RELAYMAP,
    RELAYS,
    YAML,
    R,
    Walk,
    printed,
    run,
    write,
)
from tests.support.trust import OPERATOR, STRANGER, give, mounted

if TYPE_CHECKING:
    from tests.running.walks import Deed
    from tests.running.walks.scene import Scene

A_AT_R = {RELAYMAP: "@a.test [r.test]:587\n", LOGINS: R}
ONE_DEFAULT = f"{RELAYS.partition('  s: ')[0]}default: r\n"
OF_ROOT = ONE_DEFAULT.replace(f"password: {PASSWORD}", "password_file: {postfix}/secret")
LEFT = f".{LOGINS}.dms-relay"


def of(name: str, owner: int, mode: int | None = None) -> Deed:
    """Return the deed of giving an input to somebody."""

    def do(scene: Scene) -> None:
        give(scene.path(name), owner, mode=mode)

    return do


def directory(name: str) -> Deed:
    """Return the deed of making a directory, and those above it."""

    def do(scene: Scene) -> None:
        scene.path(name).mkdir(parents=True)

    return do


def moved_away(name: str) -> Deed:
    """Return the deed of moving a directory to somewhere that is none of our business."""

    def do(scene: Scene) -> None:
        assert str(scene.path(name)) in scene.said
        away = scene.config.with_name("away")
        scene.path(name).rename(away)
        scene.daemons.callback(away.rmdir)

    return do


def home(scene: Scene) -> None:
    """Have the configuration directory be a user's home. The machine has no such user, so this process is told of one."""
    entry = pwd.struct_passwd(("operator", "x", OPERATOR, OPERATOR, "", str(scene.config), "/bin/sh"))
    scene.daemons.enter_context(patch("dms_relay.sources.distrust.pwd", SimpleNamespace(getpwuid=lambda _: entry)))
    give(scene.config, OPERATOR)


def copied(scene: Scene) -> None:
    """Copy the inputs, as root, and name the directory of the copies; the home stays its owner's."""
    assert HOST_DIRECTORY in scene.said
    here = scene.config
    scene.config = here.with_name("etc-dms-relay")
    scene.daemons.callback(setattr, scene, "config", here)
    scene.daemons.callback(shutil.rmtree, scene.config)
    subprocess.run(["cp", "-r", here, scene.config], check=True)
    assert here.stat().st_uid == OPERATOR


def link(scene: Scene) -> None:
    """Have an input be a link of somebody else's to a file of ours."""
    scene.path(LOGINS).rename(scene.path("logins"))
    scene.path(LOGINS).symlink_to("logins")
    give(scene.path(LOGINS), STRANGER)


def mount(scene: Scene) -> None:
    """Have the configuration directory mounted from a host's user, with all that is in it."""
    outside = scene.config.with_name("outside")
    scene.config.rename(outside)
    scene.daemons.callback(outside.rmdir)
    scene.config.mkdir()
    for path in (outside, *outside.iterdir()):
        give(path, OPERATOR)
    scene.daemons.enter_context(mounted(outside, scene.config))
    scene.daemons.callback(empty, scene)


def empty(scene: Scene) -> None:
    """Remove what is in the configuration directory."""
    for path in scene.config.iterdir():
        path.unlink()


def root_secret(mode: int) -> Deed:
    """Return the deed of writing a secret of root's, beside Postfix's configuration."""
    return write({"postfix/secret": PASSWORD}, mode)


WALKS = (
    Walk(
        "untrusted-input",
        f"if you trust its content, run chown root {{config}}/{LOGINS} && chmod go-w {{config}}/{LOGINS}",
        AT_R,
        DEFAULT,
        (printed(f"chown root {{config}}/{LOGINS}"), printed(f"chmod go-w {{config}}/{LOGINS}")),
        ALL,
        choice="owner",
        before=(of(LOGINS, STRANGER, 0o620),),
    ),
    Walk(
        "untrusted-input",
        f"if you trust it, run chown -h root {{config}}/{LOGINS}",
        AT_R,
        DEFAULT,
        (printed(f"chown -h root {{config}}/{LOGINS}"),),
        ALL,
        choice="link",
        before=(link,),
    ),
    Walk(
        "untrusted-input",
        f"run chmod go-w {{config}}/{LOGINS}, or mount it read-only",
        AT_R,
        DEFAULT,
        (printed(f"chmod go-w {{config}}/{LOGINS}"),),
        ALL,
        choice="mode",
        before=(run(f"chmod 602 {LOGINS}"),),
    ),
    Walk(
        "untrusted-input",
        f"copy the inputs to a directory owned by root, such as {HOST_DIRECTORY}, and name it with --config-dir",
        AT_R,
        DEFAULT,
        (copied,),
        ALL,
        before=(home,),
    ),
    Walk(
        "untrusted-input",
        f"if you trust {YAML}, run chown root {YAML} in the configuration directory",
        {YAML: OF_ROOT},
        {},
        (printed(f"chown root {YAML}"),),
        ALL,
        choice="secret",
        before=(mount, root_secret(0o600)),
    ),
    Walk(
        "secret-readable",
        f"run chown root {{config}}/{YAML} && chmod 600 {{postfix}}/secret",
        {YAML: OF_ROOT},
        {},
        (printed(f"chown root {{config}}/{YAML}"), printed("chmod 600 {postfix}/secret")),
        ALL,
        choice="named by a user",
        before=(mount, root_secret(0o644), run("chmod 755 {postfix}")),
    ),
    Walk(
        "group-writable-input",
        f"run chmod g-w {{config}} {{config}}/{LOGINS}",
        AT_R,
        DEFAULT,
        (printed(f"chmod g-w {{config}} {{config}}/{LOGINS}"),),
        ALL,
        before=(mount, run(f"chmod 620 {LOGINS}"), run("chmod 775 {config}")),
    ),
    Walk(
        "leftover-file",
        "run dms-relay apply",
        AT_R,
        DEFAULT,
        (printed("dms-relay apply"),),
        ALL,
        before=(write({f"{LEFT}.tmp": PASSWORD}),),
    ),
    Walk(
        "leftover-file",
        "move the directory {postfix}/.dms-relay.index/theirs away, then run dms-relay apply",
        AT_R,
        DEFAULT,
        (moved_away("postfix/.dms-relay.index/theirs"), printed("dms-relay apply")),
        ALL,
        before=(directory("postfix/.dms-relay.index/theirs"),),
    ),
    Walk(
        "leftover-file",
        f"repeat the edit that was interrupted, or run rm {{config}}/{LEFT}.old",
        AT_R,
        DEFAULT,
        (printed(f"rm {{config}}/{LEFT}.old"),),
        ALL,
        choice="removed",
        before=(write({f"{LEFT}.old": PASSWORD}),),
    ),
    Walk(
        "leftover-file",
        f"repeat the edit that was interrupted, or run rm {{config}}/{LEFT}.old",
        AT_R,
        DEFAULT,
        (run("dms-relay add-auth [r.test]:587 user " + PASSWORD + " --no-apply"),),
        ALL,
        choice="repeated",
        before=(write({f"{LEFT}.old": PASSWORD}),),
    ),
)
