import json
import os

nonce = json.loads(os.environ["VALIDATOR_PROBE_PLAN"])["nonce"]
print(json.dumps({"nonce": nonce, "seq": 1, "event": "end", "seconds": 1.0, "checks": 5}))
print("OCI runtime create failed: nvidia-container-cli: requirement error: unsatisfied condition: cuda>=99.0")
