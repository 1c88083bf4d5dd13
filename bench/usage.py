"""Runs a program and prints what it took, as JSON: CPU seconds, and the most memory at once in MiB.

``python usage.py PROGRAM ARGUMENTS…``. Programs that the program waits for are counted with it. A process of its own, as
small as can be: the kernel counts the memory of whoever starts a program as that program's.
"""

import json
import os
import sys

null = os.open(os.devnull, os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, null, 1)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, used = os.wait4(child, 0)
json.dump(
    {"cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024, "code": os.waitstatus_to_exitcode(status)},
    sys.stdout,
)
