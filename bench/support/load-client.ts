import { connect } from "node:net";

export interface Answers {
  count: number;
  /** Milliseconds from a request's writing to its answer's last byte */
  latencies: number[];
  /** Of the whole, in seconds */
  seconds: number;
}

const RECEIVE_BYTES = 256 * 1024;

/**
 * Keeps so many connections busy for some seconds, each with one request after the other, and finishes those under way. It
 * looks at the status and the length of an answer and drops the rest unread: on a machine that both sides share, what the client
 * takes, the server lacks, and clients that parse take as much as the server.
 *
 * @param request the JSON that is posted, and where
 * @throws Error for any answer but 200 with a Content-Length
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
        const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`;
        sent = performance.now();
        socket.write(head + text);
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
