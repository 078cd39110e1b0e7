// node server.mjs FOLDER PORT
// GET /NAME.wav?seed=1&duration=10&sliders=0,5,-3 plays FOLDER/NAME.sda
import { createServer } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ModelCache, wavStream } from "small-dataset-audio";

const [folder = "assets/models", port = "8080"] = process.argv.slice(2);
const cache = new ModelCache({ maxBytes: 256 * 2 ** 20 });
const statuses = { ERR_SDA_ARGUMENT: 400, ERR_SDA_NOT_FOUND: 404, ERR_SDA_LIMIT: 503 };
const number = (text) => Number(text || "none");

const server = createServer(async ({ url }, response) => {
  const left = new AbortController();
  response.on("close", () => left.abort());
  try {
    const { pathname, searchParams } = new URL(`http://localhost${url}`);
    const name = /^\/([\w-]{1,100})\.wav$/.exec(pathname)?.[1]; // can't lead out of the folder
    if (name === undefined) return response.writeHead(404).end();
    const { seed, duration, sliders } = Object.fromEntries(searchParams);
    const options = {
      seed: seed && number(seed),
      durationS: duration && number(duration),
      sliders: sliders?.split(",").map(number),
      signal: left.signal,
    };
    const wav = wavStream(await cache.stream(join(folder, `${name}.sda`), options));
    const head = await wav.next(); // an early failure is still answered with its status
    response.writeHead(200, { "Content-Type": "audio/wav", "Content-Length": wav.byteLength });
    response.write(head.value);
    await pipeline(wav, response);
  } catch ({ code, message }) {
    if (left.signal.aborted || response.headersSent) return response.destroy();
    const status = statuses[code] ?? 500;
    if (status === 503) response.setHeader("Retry-After", 2);
    response.writeHead(status).end(status === 400 ? message : "");
  }
});
server.listen(port, "localhost", () => console.log("http://localhost:%d", server.address().port));
