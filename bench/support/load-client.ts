import { connect } from "node:net";

export interface Answers {
  count: number;
  /** Milliseconds from writing a request to the last byte of its response */
  latencies: number[];
  /** Duration of the whole run in seconds */
  seconds: number;
}

const RECEIVE_BYTES = 256 * 1024;

/**
 * Sends requests on a number of connections for some seconds, one at a time per connection, and
 * waits for the last responses. It checks only status and length and drops the body unread: client
 * and server share the machine, and a client that parses responses takes as much as the server.
 *
 * @param request gives the path and the JSON body of the next request
 * @throws Error for any response other than 200 with a Content-Length
 */
export async function keepBusy(
  url: string,
  connections: number,
  seconds: number,
  request: () => { path: string; body: object },
): Promise<Answers> {
  const latencies: number[] = [];
  const begin = performance.now();
  const end = begin + seconds * 1e3;
  const { hostname, port, host } = new URL(url);
  const one = () =>
    new Promise<void>((done, fail) => {
      let left = 0;
      let sent = 0;
      const ask = () => {
        const { path, body } = request();
        const text = JSON.stringify(body);
        const head = [
          `POST ${path} HTTP/1.1`,
          `Host: ${host}`,
          "Content-Type: application/json",
          `Content-Length: ${Buffer.byteLength(text)}`,
        ];
        sent = performance.now();
        socket.write(`${head.join("\r\n")}\r\n\r\n${text}`);
      };
      const take = (received: Buffer) => {
        if (left > 0) {
          left -= received.length;
        } else {
          const head = received.subarray(0, received.indexOf("\r\n\r\n") + 4).toString("latin1");
          const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
          if (!head.startsWith("HTTP/1.1 200 ") || length === undefined) {
            throw new Error(`the server answered ${head || received.toString("latin1")}`);
          }
          left = Number(length) - (received.length - head.length);
        }
        if (left > 0) return;
        latencies.push(performance.now() - sent);
        if (performance.now() < end) return ask();
        socket.end();
        done();
      };
      const buffer = Buffer.alloc(RECEIVE_BYTES);
      const onread = {
        buffer,
        callback(bytes: number) {
          try {
            take(buffer.subarray(0, bytes));
          } catch (error) {
            socket.destroy(error as Error);
          }
          return true;
        },
      };
      const socket = connect({ host: hostname, port: Number(port), onread });
      socket.once("connect", ask);
      socket.once("error", fail);
      socket.once("close", () => fail(new Error("the server closed a connection")));
    });
  await Promise.all(Array.from({ length: connections }, one));
  return { count: latencies.length, latencies, seconds: (performance.now() - begin) / 1e3 };
}
