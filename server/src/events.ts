import { Readable } from "node:stream";
import { unavailable } from "./problem.js";

const HEARTBEAT_MS = 15_000;
/** After this time a browser connects again. */
const RETRY_MS = 2000;
/** A client with more unread bytes than this is disconnected. It connects again and reloads. */
const MAX_WAITING_BYTES = 256 * 1024;

/** The open streams of server-sent events. */
export class EventHub {
  readonly #max: number;
  readonly #streams = new Map<Readable, string | undefined>();
  #heartbeat: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(maxClients: number) {
    this.#max = maxClients;
  }

  get clients(): number {
    return this.#streams.size;
  }

  /** @throws Problem 503: too many streams are open, or the server is closing */
  open(clientId: string | undefined): Readable {
    if (this.#closed || this.#streams.size >= this.#max) {
      throw unavailable("ERR_BUSY", "Too many event streams are open; try again later.", 10);
    }
    const stream = new Readable({ read() {}, highWaterMark: MAX_WAITING_BYTES });
    stream.once("close", () => this.#forget(stream));
    this.#streams.set(stream, clientId);
    this.#heartbeat ??= setInterval(() => this.#write(": still here\n\n"), HEARTBEAT_MS).unref();
    stream.push(`retry: ${RETRY_MS}\n\n`);
    return stream;
  }

  /** Sends an event to all streams, or only to streams with this `clientId`. */
  send(event: string, data: unknown, clientId?: string): void {
    this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`, clientId);
  }

  /** Ends all streams and accepts no new ones. */
  close(): void {
    this.#closed = true;
    for (const stream of [...this.#streams.keys()]) {
      stream.push(null);
      this.#forget(stream);
    }
  }

  #write(text: string, clientId?: string): void {
    for (const [stream, id] of this.#streams) {
      if (clientId !== undefined && id !== clientId) continue;
      if (stream.readableLength > MAX_WAITING_BYTES) stream.destroy();
      else stream.push(text);
    }
  }

  #forget(stream: Readable): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0 || this.#heartbeat === null) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }
}
