#!/usr/bin/env python3
# A camera in Python, like waynes-world/camera1.ts. It misses the same messages,
# and prints nothing while there is no server.
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5566"
socket = zmq.Context().socket(zmq.SUB)
socket.connect(endpoint)
socket.subscribe("")  # Without this line nothing arrives.
sys.stdout.reconfigure(errors="replace")  # if the terminal lacks a letter

# A message is a list of frames (bytes). These messages have one frame.
while True:
    message = socket.recv_multipart()[0]
    # %r escapes control characters, as %o does in Node.
    print("MSG 1:  %r" % message.decode(errors="replace"), flush=True)
