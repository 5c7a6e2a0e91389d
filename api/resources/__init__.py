"""The resources of `/api/v1`, one module a kind of thing; each has `add(app, gateway, …)`."""
