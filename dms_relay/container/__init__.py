"""What the image's entrypoint runs before Postfix: ``boot`` takes the steps, which stand beside it."""
