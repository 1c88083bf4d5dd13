"""``dms-relay import``, on configurations as they are met (``cases/``)."""
