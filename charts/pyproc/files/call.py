"""The call that `helm test` makes: one function, through the Service."""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

headers = {"Content-Type": "application/json"}
tokens = pathlib.Path("/etc/pyproc-tokens/tokens")
if tokens.exists():
    lines = (line.strip() for line in tokens.read_text().splitlines())
    token = next(line for line in lines if line and not line.startswith("#"))
    headers["Authorization"] = f"Bearer {token}"
request = urllib.request.Request(os.environ["URL"], os.environ["BODY"].encode(), headers)

# A pod that has just become ready takes a moment to be reachable through its Service.
deadline = time.monotonic() + 60
while True:
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read().decode(errors="replace")
        break
    except urllib.error.HTTPError as error:
        if error.code != 503 or time.monotonic() > deadline:
            sys.exit(f"{request.full_url}: {error.code}: {error.read().decode()}")
    except urllib.error.URLError as error:
        if time.monotonic() > deadline:
            sys.exit(f"{request.full_url}: {error.reason}")
    time.sleep(1)

expected = os.environ["EXPECT"]
if expected and json.loads(answer) != json.loads(expected):
    sys.exit(f"{request.full_url} answered {answer}, not {expected}")
print(answer)
