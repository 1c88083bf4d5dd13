"""Tests of the image: real containers, driven through docker or podman."""
