"""Walks through the remedies of docs/checks.md that are about who can change the inputs, and where they are."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from tests.running.walks import (
    ALL,
    ANNA,
    AT_R,
    DEFAULT,
    DIRECT_TOO,
    LOGINS,
    PASSWORD,
    RELAYMAP,
    RELAYS,
    YAML,
    R,
    Walk,
    apply,
    printed,
    run,
    write,
)
from tests.support.trust import OPERATOR, STRANGER, give, mounted

if TYPE_CHECKING:
    from tests.running.walks import Arrivals, Deed
    from tests.running.walks.scene import Scene

A_AT_R = {RELAYMAP: "@a.test [r.test]:587\n", LOGINS: R}
ONE_DEFAULT = f"{RELAYS.partition('  s: ')[0]}default: r\n"
OF_ROOT = ONE_DEFAULT.replace(f"password: {PASSWORD}", "password_file: {postfix}/secret")
ANEW = "; if it is meant, run dms-relay apply --from-scratch"
#: Where mail goes without a relay.
ONLY_WORLD: Arrivals = {ANNA: "world.test"}
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


def first_elsewhere(scene: Scene) -> None:
    """Have the last run read another directory."""
    here = scene.config
    scene.config = here.with_name("config-first")
    scene.daemons.callback(setattr, scene, "config", here)
    scene.daemons.callback(shutil.rmtree, scene.config)
    scene.config.mkdir()
    write(A_AT_R)(scene)
    apply(scene)
    scene.config = here


def back(scene: Scene) -> None:
    """Name the directory of the last run."""
    scene.config = scene.config.with_name("config-first")


def away(scene: Scene) -> None:
    """Have the configuration directory gone."""
    elsewhere = scene.config.rename(scene.config.with_name("away"))
    scene.daemons.callback(shutil.rmtree, elsewhere, ignore_errors=True)


def unmount(scene: Scene) -> None:
    """Have an empty directory in the place of it."""
    away(scene)
    scene.config.mkdir()


def again(scene: Scene) -> None:
    """Have it back."""
    if scene.config.exists():
        scene.config.rmdir()
    scene.config.with_name("away").rename(scene.config)


def forget_where(scene: Scene) -> None:
    """Have a state file as an older version wrote it."""
    path = scene.path("postfix/dms-relay.state.json")
    document = json.loads(path.read_text())
    del document["config_dir"]
    path.write_text(json.dumps(document))


def root_secret(mode: int) -> Deed:
    """Return the deed of writing a secret of root's, beside Postfix's configuration."""
    return write({"postfix/secret": PASSWORD}, mode)


WALKS = (
    Walk(
        "untrusted-input",
        f"if you want what is in it, run chown root {{config}}/{LOGINS} && chmod go-w {{config}}/{LOGINS}",
        AT_R,
        DEFAULT,
        (printed(f"chown root {{config}}/{LOGINS}"), printed(f"chmod go-w {{config}}/{LOGINS}")),
        ALL,
        choice="owner",
        before=(of(LOGINS, STRANGER, 0o620),),
    ),
    Walk(
        "untrusted-input",
        f"if it is what you want, run chown -h root {{config}}/{LOGINS}",
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
        f"if what {YAML} says is right, run chown root {YAML} in the configuration directory",
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
    Walk(
        "other-directory",
        f"name it with --config-dir {{config}}-first{ANEW}",
        follow=(back,),
        arrives={ANNA: "r.test user"},
        leads_to=DIRECT_TOO,
        choice="named",
        before=(first_elsewhere,),
    ),
    Walk(
        "other-directory",
        f"name it with --config-dir {{config}}-first{ANEW}",
        follow=(printed("dms-relay apply --from-scratch"),),
        arrives=ONLY_WORLD,
        choice="meant",
        before=(first_elsewhere,),
    ),
    Walk(
        "other-directory",
        f"mount it again{ANEW}",
        A_AT_R,
        follow=(again,),
        arrives={ANNA: "r.test user"},
        leads_to=DIRECT_TOO,
        choice="mounted",
        before=(apply, unmount),
    ),
    Walk(
        "other-directory",
        f"mount it again{ANEW}",
        A_AT_R,
        follow=(printed("dms-relay apply --from-scratch"),),
        arrives=ONLY_WORLD,
        choice="meant to be gone",
        before=(apply, unmount),
    ),
    Walk(
        "other-directory",
        f"name the directory with --config-dir{ANEW}",
        A_AT_R,
        follow=(again,),
        arrives={ANNA: "r.test user"},
        leads_to=DIRECT_TOO,
        before=(apply, forget_where, away),
    ),
)
