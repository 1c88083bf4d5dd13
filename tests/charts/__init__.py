"""The Helm chart: what it renders, what it refuses, and what it says."""
