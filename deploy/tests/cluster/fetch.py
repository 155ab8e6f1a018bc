"""One HTTP request: fetch.py URL TIMEOUT [BODY]. Prints the status and what was answered, as JSON; 0 without an answer."""

import json
import sys
import urllib.error
import urllib.request

url, timeout, *body = sys.argv[1:]
request = urllib.request.Request(url, body[0].encode() if body else None, {"Content-Type": "application/json"})
try:
    with urllib.request.urlopen(request, timeout=float(timeout)) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
except OSError as error:
    print(json.dumps([0, str(error)]))
