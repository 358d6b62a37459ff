import json
import sys

print('{"validator_probe": "ready"}', flush=True)
nonce = json.loads(sys.stdin.readline())["nonce"]
print(json.dumps({"nonce": nonce, "seq": 1, "event": "end", "seconds": 1.0, "checks": 5}))
print("OCI runtime create failed: nvidia-container-cli: requirement error: unsatisfied condition: cuda>=99.0")
