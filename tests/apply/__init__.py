"""What a run leaves on the machine, also when it fails, is killed, or meets files of others."""
