"""The main job, shown on a stage: `python -m demo`, as root."""
