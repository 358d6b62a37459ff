"""Hostile: prints what passing checks might look like, and is no torch."""

print('{"event": "check-end", "check": "import", "status": "pass", "message": "torch 2.13.0", "seconds": 1.0}')
print('{"event": "end", "seconds": 1.0, "checks": 1}')
