// Sockets for one test alone.
import { afterEach } from "node:test";
import type { EventType, Socket } from "zeromq";

const sockets = new Set<Socket>();

/**
 * Opens a socket until the test ends. What nothing refers to any more, while a
 * test waits, might be closed as garbage.
 */
export function open<S extends Socket>(socket: S): S {
  sockets.add(socket);
  return socket;
}

afterEach(() => {
  for (const socket of sockets) socket.close();
  sockets.clear();
});

/** Resolves at the next event of a type, like "handshake", of a socket. */
export function event(socket: Socket, type: EventType): Promise<unknown> {
  return new Promise((resolve) => socket.events.on(type, resolve));
}
