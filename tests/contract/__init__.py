"""The contract with relay.sh: recorded runs, and each difference on purpose."""
