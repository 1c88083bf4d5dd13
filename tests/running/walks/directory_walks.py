"""Walks through the remedies of a configuration directory that is another one than it was, or gone."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from tests.running.walks import ANNA, DIRECT_TOO, Walk, apply, printed, write
from tests.running.walks.trust_walks import A_AT_R

if TYPE_CHECKING:
    from tests.running.walks import Arrivals
    from tests.running.walks.scene import Scene

ANEW = "; if you mean it, run dms-relay apply --from-scratch"
#: Where mail goes without a relay.
ONLY_WORLD: Arrivals = {ANNA: "world.test"}


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


WALKS = (
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
