#!/usr/bin/env python3
# A client in Python, like eventloop/client.ts: it asks five times. It fails if
# a reply does not come, and prints nothing while there is no server.
import json
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5568"
socket = zmq.Context().socket(zmq.REQ)
socket.immediate = True  # send_string() waits until a server is connected
socket.rcvtimeo = 10_000  # ms; then recv_multipart() raises zmq.Again
socket.connect(endpoint)
sys.stdout.reconfigure(errors="replace")  # if the terminal lacks a letter

for n in range(1, 6):
    socket.send_string(json.dumps({"n": n, "text": "hello"}))
    reply = socket.recv_multipart()[0]
    print("MSG:  %r" % reply.decode(errors="replace"), flush=True)
