"""Runs a program and prints its peak memory in KiB: ``python peak.py PROGRAM ARGUMENTS…``.

A process of its own, as small as possible: the kernel counts the memory of the process that starts a program as the
program's.
"""

import os
import sys

null = os.open(os.devnull, os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
