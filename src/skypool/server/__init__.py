"""The HTTP API over pools (docs/http-api.md), and the previews that faces share."""
