"""``dms-relay check``: each rule where it fires and where it must not, the users' page, the recorded runs, the command."""
