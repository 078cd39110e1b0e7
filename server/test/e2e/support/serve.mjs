// node serve.mjs '{"modelsDir":…}': starts the built server and prints its URL. Local clients may
// write unless a token is given. The end of stdin closes it.
import { serve } from "small-dataset-audio-server";

const server = await serve({ token: false, ...JSON.parse(process.argv[2]) });
console.log(server.url);
process.stdin.resume().on("end", () => server.close());
