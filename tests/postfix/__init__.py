"""The syntax and the programs of Postfix."""
