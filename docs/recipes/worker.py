#!/usr/bin/env python3
# A worker in Python, like passing-json/client.ts. It loses the jobs that are
# queued for it when it dies, and prints nothing while there is no server.
import json
import re
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5567"
socket = zmq.Context().socket(zmq.PULL)
socket.connect(endpoint)
sys.stdout.reconfigure(errors="replace")  # if the terminal lacks a letter

while True:
    message = socket.recv_multipart()[0].decode(errors="replace")
    try:
        job = json.loads(message)
        code, text = job["code"], job["text"]
        if type(code) not in (int, float) or type(text) is not str:
            raise TypeError
    except Exception:  # It is not JSON, or lacks a code or a text.
        print("Not a job: %r" % message[:60], file=sys.stderr)
        continue
    # A control character in a stranger's text could change your terminal.
    print(code, "::", re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text), flush=True)
