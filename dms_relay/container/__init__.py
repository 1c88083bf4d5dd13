"""What the image's entrypoint runs before Postfix: ``boot`` runs the steps, one module each."""
