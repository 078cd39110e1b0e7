import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { finished, type Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { unavailable } from "./problem.js";
import { closing } from "./work.js";

/**
 * Destroys the stream of a response when its connection closes. A response that is queued behind
 * another one of its connection (pipelining) gets no close event.
 */
export function endWithConnection(stream: Readable, socket: Socket): void {
  const end = () => void stream.destroy();
  if (socket.destroyed) end();
  socket.once("close", end);
  stream.once("close", () => socket.off("close", end));
}

/** Abort reason when a client has disconnected. No response is sent. */
export class ClientLeft extends Error {}

/** Abort signals of requests: the client disconnects, a timeout ends, or the server closes. */
export class Requests {
  readonly #live = new Set<AbortController>();
  readonly #sockets = new Set<Socket>();
  /** Responses of which a part has not been handed to the system yet. */
  readonly #responses = new Map<ServerResponse, Promise<void>>();

  /** Keeps track of a connection until it closes. */
  connected(socket: Socket): void {
    if (socket.destroyed || this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** Closes all connections, whatever their clients do. */
  disconnectAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Keeps track of a response until it is sent or its connection has closed. */
  follow(request: FastifyRequest, { raw }: FastifyReply): void {
    const { socket } = request.raw;
    // For "localhost", Fastify has a second server, which has no events here.
    this.connected(socket);
    const sent = new Promise<void>((done) => {
      const end = () => {
        socket.off("close", end);
        this.#responses.delete(raw);
        done();
      };
      finished(raw, end);
      socket.once("close", end);
    });
    if (!socket.destroyed) this.#responses.set(raw, sent);
  }

  /**
   * Waits until this response is sent or its connection has closed, but at most `timeoutMs`: after
   * that time a slow client loses its place.
   */
  async sent({ raw }: FastifyReply, timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeIsOver = new Promise<void>((done) => {
      timer = setTimeout(done, timeoutMs);
    });
    await Promise.race([this.#responses.get(raw), timeIsOver]);
    clearTimeout(timer);
  }

  /** Waits until all current responses are sent. */
  async allSent(): Promise<void> {
    await Promise.all(this.#responses.values());
  }

  /**
   * A controller that is aborted when the connection closes before the response is complete, after
   * `timeoutMs`, and by `stopAll`.
   */
  signal(request: FastifyRequest, reply: FastifyReply, timeoutMs: number): AbortController {
    const controller = new AbortController();
    const { raw: response } = reply;
    const { socket } = request.raw;
    const timer = setTimeout(() => {
      const seconds = Math.round(timeoutMs / 1000);
      controller.abort(
        unavailable("ERR_TIMEOUT", `The request took longer than ${seconds} seconds.`),
      );
    }, timeoutMs);
    timer.unref();
    const left = () => {
      clearTimeout(timer);
      this.#live.delete(controller);
      socket.off("close", left);
      response.off("close", left);
      if (!response.writableFinished)
        controller.abort(new ClientLeft("the client has disconnected"));
    };
    this.#live.add(controller);
    // A queued pipelined response gets no close event, so its socket is watched as well.
    response.once("close", left);
    socket.once("close", left);
    if (socket.destroyed) left();
    return controller;
  }

  stopAll(): void {
    for (const controller of this.#live) controller.abort(closing());
  }
}
