// Shows what is published about room 1. This file only defines a function, so a
// test can import it and give it a socket.
import type { Subscriber } from "zeromq";

export async function watch(socket: Subscriber, show: (text: string) => void) {
  socket.subscribe("room1/");
  for await (const [, text] of socket) show(String(text));
}
