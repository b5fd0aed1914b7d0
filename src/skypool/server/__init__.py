"""The HTTP API over pools (docs/reference/http-api.md), and the previews that faces share."""
