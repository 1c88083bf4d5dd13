"""What several tests share: a sandbox, a killer, shells, and readers of what was said."""
