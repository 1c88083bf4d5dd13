#!/bin/bash
# Gives a script all helpers.
for HELPER in look log error postfix relay change-detection; do
  # shellcheck disable=SC1090
  source "/usr/local/bin/helpers/${HELPER}.sh"
done
