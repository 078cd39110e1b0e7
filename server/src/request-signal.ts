import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { finished, type Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { unavailable } from "./problem.js";
import { closing } from "./work.js";

/** An answer that waits behind another of its connection is never told that the connection has gone. */
export function endWithConnection(stream: Readable, socket: Socket): void {
  const end = () => void stream.destroy();
  if (socket.destroyed) end();
  socket.once("close", end);
  stream.once("close", () => socket.off("close", end));
}

/** Why the work of a client that has left stops. Nobody is told. */
export class ClientLeft extends Error {}

/** What ends the work of requests: their clients leave, they take too long, or the server's time is over. */
export class Requests {
  readonly #live = new Set<AbortController>();
  /** Answers that have not reached the system as a whole. */
  readonly #answers = new Map<ServerResponse, Promise<void>>();

  /** Keeps the request in mind until its answer has been sent, or can't be any more. */
  follow(request: FastifyRequest, { raw }: FastifyReply): void {
    const { socket } = request.raw;
    const sent = new Promise<void>((done) => {
      const end = () => {
        socket.off("close", end);
        this.#answers.delete(raw);
        done();
      };
      finished(raw, end);
      socket.once("close", end);
    });
    if (!socket.destroyed) this.#answers.set(raw, sent);
  }

  /** When this answer has been sent or can't be any more, or after `timeoutMs`: who takes it slowly keeps no place any longer. */
  async sent({ raw }: FastifyReply, timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeIsOver = new Promise<void>((done) => {
      timer = setTimeout(done, timeoutMs);
    });
    await Promise.race([this.#answers.get(raw), timeIsOver]);
    clearTimeout(timer);
  }

  /** When all that is being answered now has been sent. */
  async allSent(): Promise<void> {
    await Promise.all(this.#answers.values());
  }

  /** Aborted when the client's connection closes before its answer is complete, after `timeoutMs`, and by `stopAll`. */
  signal(request: FastifyRequest, reply: FastifyReply, timeoutMs: number): AbortController {
    const controller = new AbortController();
    const { raw: response } = reply;
    const { socket } = request.raw;
    const timer = setTimeout(() => {
      const seconds = Math.round(timeoutMs / 1000);
      controller.abort(unavailable("ERR_TIMEOUT", `This takes longer than ${seconds} seconds.`));
    }, timeoutMs);
    timer.unref();
    const left = () => {
      clearTimeout(timer);
      this.#live.delete(controller);
      socket.off("close", left);
      response.off("close", left);
      if (!response.writableFinished) controller.abort(new ClientLeft("the client has left"));
    };
    this.#live.add(controller);
    // The response tells when it is done; that a connection is lost, it doesn't tell while it waits its turn in a pipeline.
    response.once("close", left);
    socket.once("close", left);
    if (socket.destroyed) left();
    return controller;
  }

  stopAll(): void {
    for (const controller of this.#live) controller.abort(closing());
  }
}
