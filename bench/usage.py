"""Runs a program and prints its cost as JSON: CPU seconds, and the peak memory in MiB.

``python usage.py PROGRAM ARGUMENTS…``. Counts also the programs that the program waits for. A process of its own, as small
as possible: the kernel counts the memory of the process that starts a program as the program's.
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
