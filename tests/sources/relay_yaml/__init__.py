"""Reading relay.yaml."""
