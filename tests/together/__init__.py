"""OAuth2, all parts at once: a token endpoint, relays that take its tokens alone, Postfix, the plugin, the keeper."""
